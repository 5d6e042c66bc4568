// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// hv/local under attack: a backend under test, and raw sockets that play its peers.
#pragma once
#include <gtest/gtest.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <vector>

#include "hv/local/channel.hpp"
#include "hv/local/local.hpp"
#include "hv/unique_fd.hpp"

namespace xs::test {

// Counts what this process holds: descriptors, and mappings of memfds.
struct Holdings {
  std::size_t descriptors;
  std::size_t memfds;
  bool operator==(const Holdings&) const = default;
};
Holdings holdings();

// Lines logged as warnings while it lives.
class Warnings {
 public:
  Warnings();
  ~Warnings();
  std::size_t count() const;
};

// Lets a limit of this process be low for a while.
class LowLimit {
 public:
  LowLimit(int resource, std::size_t limit);
  ~LowLimit();

 private:
  int resource_;
  std::size_t before_ = 0;
};
// As many descriptors as are open now, and `more`.
LowLimit few_descriptors(unsigned more);

class Told final : public hv::Events {
 public:
  void opened(hv::Link&) noexcept override { ++openings; }
  void pages_came(hv::Link&) noexcept override { ++pages; }
  void rung(hv::Link&) noexcept override { ++rings; }
  void budget_changed() noexcept override { ++budgets; }
  void pause_changed() noexcept override { ++pauses; }
  void lost(hv::Link&, hv::Loss loss) noexcept override {
    ++losses;
    why = loss;
  }
  void moved() noexcept override { ++moves; }
  unsigned openings = 0, pages = 0, rings = 0, losses = 0, moves = 0, budgets = 0, pauses = 0;
  hv::Loss why{};
};

// A peer that says whatever the test wants it to.
class RawPeer {
 public:
  // Its incarnation is below everybody's: it calls. Or above: it is called.
  static hv::Card card_below(const hv::Card& other);
  static hv::Card card_above(const hv::Card& other);

  explicit RawPeer(hv::UniqueFd socket) : channel_(std::move(socket)) {}
  // A connection to that process' introducing socket; no socket if it is refused.
  static RawPeer call(const hv::Card& callee);

  // Makes the socket the one at which that card's process is called.
  static bool listen_as(const hv::Card& card, const hv::UniqueFd& socket);

  // The greeting of an honest peer.
  static hv::Message hello(const hv::Card& from, const hv::Card& to);
  bool say(const hv::Message& message, const hv::UniqueFd& fd);
  bool say_bytes(const void* bytes, std::size_t size);
  bool say_with_descriptors(const hv::Message& message, const std::vector<int>& descriptors);
  // Whether the other side has hung up.
  bool is_hung_up();
  // Takes a message; kNothing if there is none.
  hv::Got hear(hv::Message& message, hv::UniqueFd& fd) { return channel_.receive(message, fd); }
  void close() { channel_.close(); }
  explicit operator bool() const { return static_cast<bool>(channel_); }

 private:
  hv::Channel channel_;
};

hv::UniqueFd bell();
enum class Flaw { kNone, kUnsealed, kShrinkable, kGrowable, kWritable, kSparse, kSmall, kOdd };
// Pages as a peer would hand them over, of the given size but for the flaw.
hv::UniqueFd memfd(std::size_t size, Flaw flaw = Flaw::kNone);

// Runs the body in a child, under another user id or in a namespace of its own (CLONE_NEW...);
// false if it fails or can't be done.
bool as_other_user(const std::function<bool()>& body);
bool in_other_namespace(int kind, const std::function<bool()>& body);

class HvRig : public testing::Test {
 protected:
  HvRig();
  // A whole life of a link, elsewhere: UBSan opens a pipe when it first sees an object of a class,
  // which must not be where a test lets descriptors be lacking.
  void SetUp() override;
  hv::Local& local() { return *local_; }
  const hv::Card& card() { return local_->card(); }
  void progress();
  // A link with a raw peer that has called and been honest so far.
  struct Open {
    std::unique_ptr<hv::Link> link;
    RawPeer peer;
  };
  Open open();

  util::SystemRandom random_;
  std::unique_ptr<hv::Local> local_;
  Told told_;
};

}  // namespace xs::test
