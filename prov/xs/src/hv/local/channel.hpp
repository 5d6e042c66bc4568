// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Messages of hv/local, each with at most one descriptor, over one connected socket. Nothing
// blocks: what the socket does not take waits here.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "hv/card.hpp"
#include "hv/hv.hpp"
#include "hv/unique_fd.hpp"

namespace xs::hv {

enum class MessageKind : std::uint16_t { kHello = 1, kPages = 2, kWithdraw = 3, kOnes = 4 };

// As it stands on the socket: both sides are one machine and one user.
struct Message {
  std::uint32_t magic = kMagic;
  std::uint16_t version = kVersion;
  MessageKind kind{};
  Id from{}, to{};  // HELLO: incarnations
  // HELLO: generations of from and to. PAGES: number and size in bytes. WITHDRAW: number.
  std::uint64_t first = 0, second = 0;
  std::uint64_t zero = 0;

  static constexpr std::uint32_t kMagic = 0x68765358;  // "XSvh"
  static constexpr std::uint16_t kVersion = 1;
};
static_assert(sizeof(Message) == 64);

enum class Got : std::uint8_t {
  kMessage,
  kNothing,
  kEnd,        // the far side is gone
  kNonsense,   // not a message of ours
  kExhausted,  // its descriptor could not be received
};

enum class Gave : std::uint8_t {
  kSent,
  kWaits,      // it will go when flush() can send it
  kEnd,        // the far side is gone
  kExhausted,  // the system refuses
};

class Channel {
 public:
  explicit Channel(UniqueFd socket = UniqueFd()) noexcept : socket_(std::move(socket)) {}
  ~Channel() { close(); }
  Channel(Channel&& other) noexcept { *this = std::move(other); }
  Channel& operator=(Channel&& other) noexcept;

  int fd() const noexcept { return socket_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(socket_); }
  // Ends the connection, also where a forked child still holds it.
  void close() noexcept;
  // The same, but the socket stays, readable: receive() says kEnd.
  void hang_up() noexcept;

  // Goes now or not at all (kWaits).
  Gave try_send(const Message& message, const UniqueFd& fd) noexcept;
  // The descriptor is the channel's until it was sent.
  Gave send(const Message& message, UniqueFd fd) noexcept;
  Gave flush() noexcept;
  bool waits() const noexcept { return count_ > 0; }
  // Takes back PAGES of that number if they still wait.
  bool take_back(std::uint64_t number) noexcept;
  Got receive(Message& message, UniqueFd& fd) noexcept;

 private:
  struct Waiting {
    Message message;
    UniqueFd fd;
  };
  // PAGES go only while nothing waits, and each share is withdrawn once.
  static constexpr unsigned kMostWaiting = 1 + kSharesPerLink + 1;

  UniqueFd socket_;
  std::array<Waiting, kMostWaiting> waiting_;
  unsigned count_ = 0;
};

}  // namespace xs::hv
