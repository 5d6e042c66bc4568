// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An endpoint with one peer, who is a neighbour and writes whatever it likes: into its region,
// between any two of our reads and in the middle of a copy, and over the fabric.
#pragma once
#include <optional>
#include <vector>

#include "fuzz/endpoint.hpp"
#include "fuzz/neighbour/peer_memory.hpp"
#include "fuzz/neighbour/shown.hpp"
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

class World final : private EndpointWorld, private ring::Haunt {
 public:
  explicit World(util::Bytes input);
  ~World() override;

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
  void ended(void* context, const End& end) override;
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
  void hear(const test::Frame& frame);
  void listen() override;
  void learn(proto::Kind kind, util::Bytes body);

  void meet();
  void check();
  stream::Session* session() const { return session_with(peer_.home); }
  bool lives() const;

  static constexpr std::uint64_t kTags = 3;
  static constexpr proto::Kind kSequenced[] = {
      proto::Kind::kEager, proto::Kind::kRts,  proto::Kind::kCts,    proto::Kind::kData,
      proto::Kind::kFin,   proto::Kind::kSent, proto::Kind::kGoodbye};
  static constexpr std::uint32_t kMostPages = 3;  // of a region of the peer

  std::uint64_t secret_ = 0xcbf29ce484222325;  // a tag that no input can hit
  Shown shown_;
  std::vector<std::shared_ptr<test::Pages>> regions_;  // of either side
  std::vector<Lie> lies_;
  test::ScriptedLink link_;
  core::AddressBook book_;
  // What the peer may write and read, and what it may read alone: each as large as it is, so that a
  // sanitizer sees what is reached beside.
  static constexpr std::size_t kShown = 96;  // bytes
  std::vector<std::byte> writable_ = std::vector<std::byte>(kShown);
  std::vector<std::byte> readable_ = std::vector<std::byte>(kShown, std::byte{0x77});
  core::Registration shown_to_write_, shown_to_read_;
  stream::Rings rings_;
  PeerMemory mind_{shown_};  // what it may show of its own
  std::unique_ptr<locality::Neighbours> neighbours_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
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
  std::uint64_t pinged_ = 0;             // the number of our newest PING
};

}  // namespace xs::fuzz
