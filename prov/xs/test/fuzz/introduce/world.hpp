// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An hv::Local among peers who lie: two that call it, and two that it calls. Judged all the while
// by docs/hv.md: what is told of a link, what may be mapped, and what is held.
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "fuzz/introduce/file.hpp"
#include "fuzz/links.hpp"

namespace xs::fuzz {

// Incarnations that no other process on this machine has: sockets are named after them.
class Names final : public util::Random {
 public:
  Names();
  std::uint64_t next() noexcept override { return ++last_; }

 private:
  std::uint64_t last_;
};

class IntroduceWorld final : private LinkWorld {
 public:
  explicit IntroduceWorld(util::Bytes input);

  bool over() const { return script_.empty(); }
  void act();
  // The liars leave: nothing of them is held, and an honest peer is met.
  void goes_on();

 private:
  static constexpr std::size_t kPeers = 4;
  static constexpr std::size_t kMostSockets = 4;  // of one peer
  static constexpr std::size_t kMostPages = 3;    // of one share

  struct OwnShare {
    std::unique_ptr<hv::Share> share;
    std::byte pattern;
  };
  struct Mapped {
    std::unique_ptr<hv::Mapping> mapping;
    std::size_t size;
  };
  struct Peer : Acquaintance {
    hv::UniqueFd listener;  // of one that is called
    std::vector<test::RawPeer> sockets;
    std::vector<std::unique_ptr<File>> files;
    bool said_ones = false;
    std::vector<OwnShare> shares;
    std::vector<Mapped> mapped;
  };

  void budget_changed() noexcept override;
  void moved() noexcept override;
  void pause_changed() noexcept override;
  Acquaintance& owner_of(const hv::Link& link) override;
  bool may_be_lost(hv::Loss why) const override {
    return why == hv::Loss::kGone || why == hv::Loss::kFault;
  }

  // What our user does.
  void meet(Peer& peer);
  void share(Peer& peer);
  void share_again_and_again(Peer& peer);
  void map(Peer& peer);
  void let_go(Peer& peer);
  void progress() { LinkWorld::progress(*local_); }
  // What peers do.
  void call(Peer& peer);
  void say_hello(Peer& peer);
  void say_pages(Peer& peer);
  void say_anything(Peer& peer);
  void say_bytes(Peer& peer);
  void say_with_many(Peer& peer);
  void greet_well(Peer& peer);
  void change_file(Peer& peer);
  void hear(Peer& peer);
  void try_to_write(const hv::UniqueFd& file, std::size_t size);
  void hang_up(Peer& peer);
  hv::UniqueFd something(Peer& peer);
  test::RawPeer* socket_of(Peer& peer);
  File& new_file(Peer& peer, std::uint64_t number, File::Flaw flaw);
  Peer& somebody() { return peers_[script_.next() % kPeers]; }

  void check();
  static bool calls(const Peer& peer) { return !peer.listener; }

  Names names_;
  std::unique_ptr<hv::Local> local_;
  std::array<Peer, kPeers> peers_;
  std::uint64_t numbers_ = 0;  // of shares, given away by peers
  test::Holdings held_{};      // by ourselves, before anybody has come
  std::uint8_t patterns_ = 0;
};

}  // namespace xs::fuzz
