// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An endpoint with one peer, who is a neighbour and writes whatever it likes: into its region,
// between any two of our reads and in the middle of a copy, and over the fabric.
#pragma once
#include <optional>
#include <vector>

#include "core/cq.hpp"
#include "core/endpoint.hpp"
#include "core/memory.hpp"
#include "fuzz/neighbour/memory.hpp"
#include "fuzz/neighbour/shown.hpp"
#include "fuzz/script.hpp"
#include "sim/dice.hpp"
#include "stream/ring_stranger.hpp"

namespace xs::fuzz {

// A user's memory, in one or two pieces of exactly that size: a sanitizer sees what is written
// beyond, or after its operation has ended.
struct Buffer {
  Buffer(std::size_t size, bool in_two);
  std::vector<struct iovec> iov() const;
  std::vector<std::byte> first(std::size_t size) const;

  std::size_t size;
  std::vector<std::vector<std::byte>> pieces;
  std::uint64_t tag = 0;
  bool receives = false;
};

class World final : private ring::Haunt {
 public:
  explicit World(util::Bytes input);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  bool over() const { return script_.empty() || !session(); }
  void act();
  // The peer is honest from now on: what it sends arrives.
  void goes_on();

 private:
  struct Lie {
    unsigned in;  // reads of its region until then
    std::uint8_t what;
    std::uint8_t where;
    std::uint64_t value;
  };
  struct ManualClock final : util::Clock {
    util::Nanoseconds now() noexcept override { return time; }
    util::Nanoseconds precise() noexcept override { return ++precise_time; }
    util::Nanoseconds time = util::kSecond;
    util::Nanoseconds precise_time = 0;
  };

  void before_read(const void* at) noexcept override;
  void loaded(const std::uint64_t* word, std::uint64_t value,
              std::memory_order order) noexcept override;
  void copied(const std::byte* from, util::Bytes bytes) noexcept override;
  bool stands(const void* at, std::size_t size) const;

  // What the user does.
  void receive();
  Buffer* post(std::uint64_t tag, std::size_t size, bool in_two);
  void send();
  void reach();
  void reap();
  void ended(Buffer* buffer, std::size_t placed, std::size_t total);
  void release(Buffer* buffer);
  // What time and the peer's machine do.
  void pass(util::Nanoseconds time);
  // What the peer does in memory.
  void offer();
  void map();
  Lie read_lie();
  std::uint64_t* word_of(const Lie& lie);
  void tell(const Lie& lie);
  void put_letter();
  void put_anything();
  void take_from_ring();
  // What it does over the fabric.
  void say_letter();
  void say_anything();
  void say_of_path();
  void say_bulk();
  test::Frame body_of(proto::Kind kind);
  test::Frame begin_operation(proto::Kind kind, std::uint8_t form, const test::Frame& payload);
  // Mostly that number.
  std::uint64_t near(std::uint64_t number) {
    const std::uint8_t off = script_.next();
    return off < 0xe0 ? number : number + off % 8 - 3;
  }
  static std::size_t size_of(std::uint8_t form) { return form < 0x80 ? form : (form - 0x7fu) * 24; }
  bool asked_to_announce() const {
    return endpoint_->receiver().unexpected_bytes() > config_.unexpected;
  }
  test::ScriptedEndpoint* home() const;
  void hear(const test::Frame& frame);
  void listen();
  void learn(proto::Kind kind, util::Bytes body);

  void meet();
  void check();
  stream::Session* session() const;
  bool lives() const;

  static constexpr std::uint32_t kMostPages = 3;  // of a region of the peer

  Script script_;
  std::uint64_t secret_ = 0xcbf29ce484222325;  // a tag that no input can hit
  Shown shown_;
  std::vector<std::shared_ptr<test::Pages>> regions_;  // of either side
  std::vector<Lie> lies_;
  ManualClock clock_;
  sim::Dice random_{1};
  test::ScriptedInner inner_;
  test::ScriptedLink link_;
  core::Config config_;
  core::CompletionQueue queue_{FI_CQ_FORMAT_TAGGED, 64};
  core::AddressBook book_;
  // What the peer may write and read, and what it may read alone: each as large as it is, so that a
  // sanitizer sees what is reached beside.
  static constexpr std::size_t kShown = 96;  // bytes
  std::vector<std::byte> writable_ = std::vector<std::byte>(kShown);
  std::vector<std::byte> readable_ = std::vector<std::byte>(kShown, std::byte{0x77});
  core::Registration shown_to_write_, shown_to_read_;
  core::Registrations memory_{{}, random_};
  stream::Rings rings_;
  PeerMemory mind_{shown_};  // what it may show of its own
  std::unique_ptr<locality::Neighbours> neighbours_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::unique_ptr<core::Endpoint> endpoint_;
  test::RingStranger peer_{2000};
  bool silent_ = false;
  bool lost_ = false;                    // the link, in the next pass
  bool may_end_ = false;                 // the session, by what the peer has said
  std::uint64_t epoch_ = 0;              // the newest one
  std::optional<proto::Offer> offered_;  // by us, newest
  std::uint64_t rts_ = 0, cts_ = 0;      // ids that we have named, newest
  std::uint64_t granted_ = 0;            // bytes, by that CTS
  std::uint32_t attempt_ = 0;            // of that CTS
  std::uint64_t streamed_ = 0;           // of them, by DATA
  std::uint64_t operation_ = 0;          // id of our newest one on its memory
  std::uint64_t arriving_ = 0;           // id of its newest one on ours
  std::uint64_t placed_ = 0;             // bytes of that
  std::uint64_t echo_ = 0, next_ = 1;    // of the newest ACK
  std::uint64_t pinged_ = 0;             // the number of our newest PING
};

}  // namespace xs::fuzz
