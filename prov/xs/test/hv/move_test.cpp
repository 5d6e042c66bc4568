// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Simulated VMs: what a move does in one process.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "hv/hv_rig.hpp"
#include "hv/local/bell.hpp"
#include "hv/local/share.hpp"
#include "hv/simulated_vm.hpp"
#include "util/log.hpp"

namespace xs::test {

using hv::LinkState;
using hv::Loss;
using hv::Message;
using hv::MessageKind;
using hv::UniqueFd;

namespace {

constexpr std::size_t kSize = 16 * hv::kPageSize;
constexpr hv::Id kNonce{7, 8};

class HvMove : public HvRig {
 protected:
  HvMove() { local_ = open_local(vm_.option()); }
  std::unique_ptr<hv::Local> open_local(const std::string& host) {
    auto opened = hv::Local::open(host, random_);
    EXPECT_TRUE(opened);
    return std::move(*opened);
  }
  // Pages of the raw peer, mapped.
  std::unique_ptr<hv::Mapping> map(Open& open, std::uint64_t number, const UniqueFd& memfd) {
    const Message message{.kind = MessageKind::kPages, .first = number, .second = kSize};
    EXPECT_TRUE(open.peer.say(message, memfd));
    progress();
    auto mapped = open.link->map(encode(hv::PagesName{number, kSize, kNonce}));
    EXPECT_TRUE(mapped);
    return mapped ? std::move(*mapped) : nullptr;
  }
  hv::OwnPages pages() {
    auto made = hv::make_pages(kSize / hv::kPageSize, kNonce);
    EXPECT_TRUE(made);
    return std::move(*made);
  }

  SimulatedVm vm_{"A"};
};

TEST_F(HvMove, CardsAreNewAndHostsTheSame) {
  const hv::Card before = card();
  EXPECT_EQ(before.host, open_local("A")->card().host) << "as by name";
  vm_.write("B domid=7");
  progress();
  const hv::Card there = card();
  EXPECT_EQ(there.process, before.process);
  EXPECT_EQ(there.generation, before.generation + 1);
  EXPECT_EQ(there.host, open_local("B")->card().host);
  EXPECT_EQ(there.domid, 7u);
  vm_.write("C domid=7");
  progress();
  EXPECT_EQ(card().domid, 7u) << "domids repeat";
  vm_.write("A");
  progress();
  EXPECT_EQ(card().host, before.host);
  EXPECT_EQ(card().generation, before.generation + 3);
  EXPECT_NE(card().domid, 7u);
  EXPECT_EQ(told_.moves, 3u);
}

TEST_F(HvMove, WhatItsFileCannotSayMovesNobody) {
  const hv::Card before = card();
  Open link = open();
  {
    const Warnings warnings;
    vm_.write("B sees=ice");
    progress();
    EXPECT_EQ(warnings.count(), 1u);
    std::filesystem::remove(vm_.file());
    progress();
    std::filesystem::create_directory(vm_.file());
    progress();
    std::filesystem::remove(vm_.file());
    progress();
    EXPECT_EQ(warnings.count(), 1u);
  }
  EXPECT_EQ(card(), before);
  EXPECT_EQ(link.link->state(), LinkState::kOpen);
  vm_.write("B");
  progress();
  EXPECT_EQ(told_.moves, 1u);
  EXPECT_EQ(told_.why, Loss::kMoved);
}

TEST_F(HvMove, AnEmptyFileIsNotReadYet) {
  const Warnings warnings;
  UniqueFd(::open(vm_.file().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC)).reset();
  progress();
  EXPECT_EQ(told_.moves + warnings.count(), 0u);
}

TEST_F(HvMove, ALinkInAnyStateIsLost) {
  const Holdings before = holdings();
  Open link = open();
  auto meeting = local().meet(RawPeer::card_below(open_local("A")->card()));
  ASSERT_TRUE(meeting);
  RawPeer guest = RawPeer::call(card());
  hv::Card stranger = RawPeer::card_below(card());
  stranger.process.low ^= 1;
  ASSERT_TRUE(guest.say(RawPeer::hello(stranger, card()), bell()));
  RawPeer silent = RawPeer::call(card());
  progress();
  EXPECT_FALSE(guest.is_hung_up());
  const hv::Card old = card();
  vm_.write("B");
  progress();
  EXPECT_EQ(told_.losses, 2u);
  EXPECT_EQ((*meeting)->state(), LinkState::kLost);
  EXPECT_EQ(link.link->state(), LinkState::kLost);
  EXPECT_TRUE(guest.is_hung_up() && silent.is_hung_up() && link.peer.is_hung_up());
  EXPECT_FALSE(RawPeer::call(old));
  EXPECT_TRUE(RawPeer::call(card()));
  guest.close();
  silent.close();
  link.peer.close();
  progress();
  EXPECT_EQ(holdings(), before);
}

// Which was lost for another reason, but nobody was told yet.
TEST_F(HvMove, ALossIsToldOnce) {
  Open link = open();
  const UniqueFd nothing = memfd(kSize);
  const Message message{.kind = MessageKind::kPages, .first = 1, .second = kSize};
  ASSERT_TRUE(link.peer.say(message, nothing));
  progress();
  EXPECT_FALSE(link.link->map(encode(hv::PagesName{1, kSize, kNonce})));
  EXPECT_EQ(told_.losses, 0u);
  vm_.write("B");
  progress();
  EXPECT_EQ(told_.losses, 1u);
  EXPECT_EQ(told_.why, Loss::kFault);
  vm_.write("C");
  progress();
  EXPECT_EQ(told_.moves, 2u);
  EXPECT_EQ(told_.losses, 1u);
}

TEST_F(HvMove, MovesWithoutAFreeDescriptor) {
  Open link = open();
  const hv::Card before = card();
  vm_.write("B lost=3600000");
  {
    const LowLimit limit = few_descriptors(0);
    progress();
    EXPECT_EQ(told_.moves, 1u);
    EXPECT_EQ(told_.losses, 1u);
    EXPECT_NE(card(), before);
    EXPECT_FALSE(local().progress(told_)) << "it would spin";
  }
  link.link.reset();
  EXPECT_TRUE(open().link);
}

TEST_F(HvMove, ManyMovesCostNothing) {
  vm_.write("B lost=3600000");
  progress();
  const Holdings before = holdings();
  for (int i = 0; i < 50; ++i) {
    Open link = open();
    auto share = link.link->share(2);
    ASSERT_TRUE(share);
    vm_.write(i % 3 ? "B lost=3600000" : i % 2 ? "A" : "A told=3600000");
    progress();
    vm_.write("C");
    progress();
    (*share)->bytes()[0] = std::byte{1};
  }
  EXPECT_EQ(holdings(), before);
}

// Whoever is told of the move may part from everybody, and meet others at once.
class Leaver final : public hv::Events {
 public:
  void opened(hv::Link&) noexcept override {}
  void pages_came(hv::Link&) noexcept override {}
  void rung(hv::Link&) noexcept override {}
  void lost(hv::Link&, Loss) noexcept override { ++losses; }
  void budget_changed() noexcept override {}
  void pause_changed() noexcept override {}
  void moved() noexcept override { on_move(); }
  std::function<void()> on_move;
  unsigned losses = 0;
};

TEST_F(HvMove, AnOwnerMayDoAllWhenItIsTold) {
  Open link = open();
  const hv::Card other = link.link->peer();
  hv::Card elsewhere = other;
  std::unique_ptr<hv::Link> met;
  Leaver leaver;
  leaver.on_move = [&] {
    EXPECT_EQ(link.link->state(), LinkState::kLost);
    EXPECT_EQ(local().meet(other).error().code, EHOSTUNREACH);
    link.link.reset();
    elsewhere.host = card().host;
    auto again = local().meet(elsewhere);
    ASSERT_TRUE(again);
    met = std::move(*again);
  };
  vm_.write("B");
  for (int quiet = 0; quiet < 3;) quiet += local().progress(leaver) ? 0 : 1;
  ASSERT_TRUE(met);
  EXPECT_EQ(met->state(), LinkState::kMeeting);
  EXPECT_EQ(leaver.losses, 0u);
}

TEST_F(HvMove, MemoryOutlivesABackendThatMoved) {
  Open link = open();
  const hv::OwnPages theirs = pages();
  theirs.range.user_bytes()[0] = std::byte{3};
  auto mapping = map(link, 1, theirs.memfd);
  auto share = link.link->share(1);
  ASSERT_TRUE(share);
  (*share)->bytes()[0] = std::byte{4};
  vm_.write("B sees=frozen");
  progress();
  link.link.reset();
  local_.reset();
  EXPECT_EQ((*share)->bytes()[0], std::byte{4});
  EXPECT_EQ(mapping->bytes()[0], std::byte{3});
  EXPECT_EQ(msync(const_cast<std::byte*>(mapping->bytes().data() - hv::kHeadSize), kSize, MS_ASYNC),
            0);
}

// Copies all of a mapping again and again: once ones were seen, ones is all there is, be it in the
// middle of a copy.
class Copier {
 public:
  explicit Copier(std::span<const std::byte> from) : from_(from), thread_([this] { run(); }) {
    while (copies_ == 0) std::this_thread::yield();
  }
  // After a copy was made of nothing but ones.
  void expect_ones() {
    thread_.join();
    EXPECT_EQ(strange_, 0u);
  }

 private:
  void run() {
    bool lost = false;
    while (!lost) {
      for (const std::byte& byte : from_) {
        const std::byte seen = static_cast<const volatile std::byte&>(byte);
        const bool one = seen == std::byte{0xff};
        if (!one && (lost || seen != std::byte{0x11})) ++strange_;
        lost |= one;
      }
      ++copies_;
    }
  }

  std::span<const std::byte> from_;
  std::atomic<unsigned> copies_{0};
  unsigned strange_ = 0;
  std::thread thread_;
};

TEST_F(HvMove, PagesAreLostInOneStep) {
  for (int round = 0; round < 20; ++round) {
    Open link = open();
    const hv::OwnPages theirs = pages();
    std::memset(theirs.range.user_bytes().data(), 0x11, kSize - hv::kHeadSize);
    auto mapping = map(link, 1, theirs.memfd);
    ASSERT_TRUE(mapping);
    Copier copier(mapping->bytes());
    if (round % 2)
      vm_.write("B");
    else
      ASSERT_TRUE(link.peer.say({.kind = MessageKind::kOnes}, UniqueFd()));
    progress();
    copier.expect_ones();
    EXPECT_EQ(theirs.range.user_bytes()[0], std::byte{0x11});
  }
}

// Pages that a peer had shared, and nobody had mapped, when its machine moved.
TEST_F(HvMove, LostPagesAreNotMapped) {
  const Warnings warnings;
  Open link = open();
  const hv::OwnPages theirs = pages();
  const Message message{.kind = MessageKind::kPages, .first = 1, .second = kSize};
  ASSERT_TRUE(link.peer.say(message, theirs.memfd));
  ASSERT_TRUE(link.peer.say({.kind = MessageKind::kOnes}, UniqueFd()));
  progress();
  EXPECT_EQ(link.link->map(encode(hv::PagesName{1, kSize, kNonce})).error().code, EAGAIN);
  EXPECT_EQ(link.link->state(), LinkState::kOpen);
  EXPECT_EQ(warnings.count(), 0u);
}

TEST_F(HvMove, OnlyThePagesOfTheMoverAreLost) {
  Open link = open();
  const hv::OwnPages one = pages();
  auto first = map(link, 1, one.memfd);
  link.link.reset();
  link = open();
  const hv::OwnPages two = pages();
  auto second = map(link, 1, two.memfd);
  ASSERT_TRUE(link.peer.say({.kind = MessageKind::kOnes}, UniqueFd()));
  progress();
  EXPECT_EQ(first->bytes()[5], std::byte{0});
  EXPECT_EQ(second->bytes()[5], std::byte{0xff});
}

TEST_F(HvMove, ChildrenGetNothingOfIt) {
  Open link = open();
  auto share = link.link->share(1);
  ASSERT_TRUE(share);
  vm_.write("B");
  progress();
  std::byte* const head = (*share)->bytes().data() - hv::kHeadSize;
  const pid_t child = fork();
  if (child == 0) _exit(msync(head, hv::kPageSize, MS_ASYNC) == 0 ? 1 : 0);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace

}  // namespace xs::test
