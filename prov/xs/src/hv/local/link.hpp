// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One process' end of a pair in hv/local: a socket and two bells.
#pragma once
#include <array>
#include <cstdint>
#include <memory>

#include "hv/hv.hpp"
#include "hv/local/channel.hpp"
#include "hv/local/pages.hpp"

namespace xs::hv {

class Local;
class LocalShare;

// What one step of a link has come to; the backend tells of it, as the last thing it does with the
// link, whose owner may destroy it then.
enum class News : std::uint8_t { kNothing, kMore, kOpened, kPages, kLost };

class LocalLink final : public Link {
 public:
  LocalLink(Local& backend, const Card& peer, std::uint64_t key) noexcept;
  ~LocalLink() override;

  const Card& peer() const noexcept override { return peer_; }
  bool within_vm() const noexcept override { return within_vm_; }
  LinkState state() const noexcept override { return state_; }
  util::Result<std::unique_ptr<Share>> share(std::size_t pages) noexcept override;
  util::Result<std::unique_ptr<Mapping>> map(const Offer& offer) noexcept override;
  Rang ring() noexcept override;

  std::uint64_t key() const noexcept { return key_; }
  Loss loss() const noexcept { return loss_; }
  bool expects_call() const noexcept { return state_ == LinkState::kMeeting && !channel_; }
  bool is_told() const noexcept { return told_; }
  // Takes over a connection and greets: 0, or why that failed. A bell: the peer's, who has greeted
  // already.
  int connect(Channel channel, UniqueFd their_bell) noexcept;
  // Takes at most one message.
  News step() noexcept;
  // Sends what waits.
  void flush() noexcept;
  // Ends it. Outside of progress() the socket wakes it up for telling.
  void lose(Loss why, const char* reason) noexcept;
  // Gives up all that is of the system: there is nothing more to tell of it.
  void release() noexcept;
  // A simulated move: nothing that the owner does here reaches the peer from now on, whose end is
  // the channel's that it gives up. `ones`: the peer's mappings shall read all ones.
  Channel cut_off(bool ones) noexcept;
  void lose_by_move() noexcept;

  // By a share that is revoked.
  void withdraw(LocalShare& share) noexcept;

 private:
  struct Unclaimed {
    std::uint64_t number = 0;
    Range range;
  };

  News take(const Message& message, UniqueFd fd) noexcept;
  News take_hello(const Message& message, UniqueFd fd) noexcept;
  News take_pages(const Message& message, UniqueFd fd) noexcept;
  News lost(Loss why, const char* reason) noexcept;
  util::Error lacks(const util::Error& error) noexcept;
  bool watch_socket() noexcept;
  Unclaimed* find(std::uint64_t number) noexcept;
  LocalShare** place_of(const LocalShare* share) noexcept;

  Local& backend_;
  Card peer_;
  std::uint64_t key_;
  const bool within_vm_;
  LinkState state_ = LinkState::kMeeting;
  Loss loss_ = Loss::kGone;
  bool cut_off_ = false;     // by a move that the owner may not have been told of
  bool told_ = false;        // the loss was
  bool greeted_ = false;     // the peer has greeted; opened() is still to be told
  bool warned_ = false;      // of what the system lacks
  std::uint64_t heard_ = 0;  // number of the peer's last share
  Channel channel_;
  UniqueFd own_bell_;
  UniqueFd their_bell_;
  std::array<Unclaimed, kSharesPerLink> unclaimed_;
  std::array<LocalShare*, kSharesPerLink> shares_{};
};

}  // namespace xs::hv
