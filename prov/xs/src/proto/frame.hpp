// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The prefix and the bodies of frames, exactly as docs/wire.md sections 2 and 3 say.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "proto/limits.hpp"
#include "util/bytes.hpp"

namespace xs::proto {

enum class Kind : std::uint8_t {
  kHello = 1,
  kWelcome = 2,
  kReset = 3,
  kPing = 4,
  kAck = 5,
  kRefuse = 6,
  kEager = 32,
  kRts = 33,
  kCts = 34,
  kData = 35,
  kFin = 36,
  kSent = 37,
  kGoodbye = 38,
  kWrite = 39,  // these six: proto/rma_frame.hpp
  kPut = 40,
  kRead = 41,
  kGot = 42,
  kAtomic = 43,
  kDone = 44,
  kConnect = 45,  // these three: proto/connect_frame.hpp
  kAnswer = 46,
  kConnected = 47,
  kOffer = 48,
  kMapped = 49,
  kLeft = 50,
};

inline constexpr bool is_sequenced(Kind kind) noexcept {
  const auto number = static_cast<std::uint8_t>(kind);
  return number >= 32 && number < 48;
}

enum Flag : std::uint8_t {
  kAckNow = 0x01,
  kRtsOnly = 0x02,
  kGap = 0x04,
  kTagged = 0x08,
  kCqData = 0x10,
  kDelivery = 0x20,
  kAckSoon = 0x40,
};
inline constexpr std::uint8_t kAllFlags = 0x7f;
inline constexpr std::uint16_t kMagic = 0x5358;
// Statuses are 0 or a positive errno (libfabric's own included); nothing above this is one.
inline constexpr std::uint32_t kLargestStatus = 4095;

struct Prefix {
  Kind kind{};
  std::uint8_t flags = 0;
  std::uint32_t length = 0;  // bytes after the prefix
  std::uint64_t token = 0;
  std::uint64_t seq = 0;
  std::uint64_t ack = 0;
};

// What a frame is to the layers above: a checked prefix and its body. The body is valid only during
// the call that hands it up.
struct FrameView {
  Prefix prefix;
  util::Bytes body;
};

// Bodies. Each decode() answers nullopt if the size is wrong or a value impossible.
struct Envelope {  // first part of EAGER and RTS
  std::uint64_t tag = 0;
  std::uint64_t data = 0;
};

struct Rts {
  static constexpr std::size_t kSize = 40;
  Envelope envelope;
  std::uint64_t length = 0;
  std::uint64_t send_id = 0;
  std::uint64_t address = 0;  // of the payload in the sender's memory; 0: not to be read there
};

enum class BulkMode : std::uint32_t { kStream = 1, kBulk = 2 };

struct Cts {
  static constexpr std::size_t kSize = 48;
  std::uint64_t send_id = 0;
  std::uint64_t receive_id = 0;
  std::uint64_t bulk_tag = 0;
  std::uint64_t length = 0;
  BulkMode mode{};
  std::uint32_t attempt = 0;
  std::uint32_t lane = 0;  // of the receiver, where the inner receive is posted
};

struct DataHead {  // first part of DATA
  static constexpr std::size_t kSize = kPayloadHeadSize;
  std::uint64_t receive_id = 0;
  std::uint64_t offset = 0;
};

struct Fin {
  static constexpr std::size_t kSize = 16;
  std::uint64_t send_id = 0;
  std::uint32_t status = 0;  // 0, or a positive errno
  // Advice: messages of either kind come faster through the ring than if they are read.
  bool copy_short = false;   // those that fit into a frame
  bool stream_long = false;  // longer ones
};

struct Sent {
  static constexpr std::size_t kSize = 16;
  std::uint64_t receive_id = 0;
  std::uint32_t attempt = 0;
  std::uint32_t status = 0;  // as in Fin; 0: handed over in full
};

struct Goodbye {
  static constexpr std::size_t kSize = 8;
  std::uint64_t taken = 0;  // what its sender expects next: the acknowledgement that can't be lost
};

// Rings, docs/paths.md section 2.
using ShareName = std::array<std::byte, kShareNameSize>;

struct Offer {
  static constexpr std::size_t kSize = 48;
  std::uint64_t epoch = 0;
  ShareName share{};
  std::uint32_t pages = 0;
  std::uint32_t wished = 0;  // pages of the other side's share
};

struct Mapped {
  static constexpr std::size_t kSize = 8;
  std::uint64_t epoch = 0;
};

struct Left {
  static constexpr std::size_t kSize = 16;
  std::uint64_t epoch = 0;
  bool answer = false;       // nobody need answer it
  std::uint32_t reason = 0;  // for the log
};

inline void encode(const Prefix& prefix, std::byte* to) noexcept {
  util::store(to, prefix.kind);
  util::store(to + 1, prefix.flags);
  util::store(to + 2, kMagic);
  util::store(to + 4, prefix.length);
  util::store(to + 8, prefix.token);
  util::store(to + 16, prefix.seq);
  util::store(to + 24, prefix.ack);
}

// Refreshes what changes between posts of a kept frame.
inline void refresh(std::byte* prefix, std::uint8_t flags, std::uint64_t ack) noexcept {
  util::store(prefix + 1, flags);
  util::store(prefix + 24, ack);
}

// Whether the kind is known and its body may be that long.
inline constexpr bool is_body_size(Kind kind, std::uint32_t length) noexcept {
  switch (kind) {
    case Kind::kEager:
      return length >= kEnvelopeSize;
    case Kind::kData:
    case Kind::kPut:
    case Kind::kGot:
      return length >= DataHead::kSize;
    case Kind::kWrite:
    case Kind::kAtomic:
      return length >= kOperationHeadSize;
    case Kind::kRead:
      return length == kReadSize;
    case Kind::kDone:
      return length == kDoneSize;
    case Kind::kConnect:
    case Kind::kAnswer:
      return length >= kConnectHeadSize && length - kConnectHeadSize <= kConnectDataLimit;
    case Kind::kConnected:
      return length == kConnectHeadSize;
    case Kind::kAck:
      return length == 0;
    case Kind::kGoodbye:
      return length == Goodbye::kSize;
    case Kind::kRts:
      return length == Rts::kSize;
    case Kind::kCts:
      return length == Cts::kSize;
    case Kind::kFin:
      return length == Fin::kSize;
    case Kind::kSent:
      return length == Sent::kSize;
    case Kind::kOffer:
      return length == Offer::kSize;
    case Kind::kMapped:
      return length == Mapped::kSize;
    case Kind::kLeft:
      return length == Left::kSize;
    case Kind::kHello:
    case Kind::kWelcome:
      return length == kGreetingSize;
    case Kind::kReset:
      return length == kResetSize;
    case Kind::kPing:
      return length == kPingSize;
    case Kind::kRefuse:
      return length == kRefuseSize;
  }
  return false;
}

// Bytes of the body that stand before the payload of a kind that has one, else 0. The head of WRITE
// and ATOMIC goes on in what counts as payload here.
inline constexpr std::size_t head_before_payload(Kind kind) noexcept {
  if (kind == Kind::kEager) return kEnvelopeSize;  // almost all
  switch (kind) {
    case Kind::kData:
    case Kind::kPut:
    case Kind::kGot:
    case Kind::kWrite:
    case Kind::kAtomic:
      return kPayloadHeadSize;
    default:
      return 0;
  }
}

// Whether the kind may carry that sequence number: numbers begin at 1, and 0 stands where there is
// none.
inline constexpr bool is_seq(Kind kind, std::uint64_t seq) noexcept {
  if (is_sequenced(kind) || kind == Kind::kPing) return seq != 0;
  // A greeting's is about cards.
  return kind == Kind::kAck || kind == Kind::kHello || kind == Kind::kWelcome || seq == 0;
}

// nullopt: too short, wrong magic, unknown kind or flag, a length that is not what arrived or not
// what the kind has, or a token or sequence number that the kind cannot carry.
inline std::optional<FrameView> decode_frame(util::Bytes frame) noexcept {
  if (frame.size() < kPrefixSize) return std::nullopt;
  const std::byte* from = frame.data();
  const Prefix prefix{.kind = util::load<Kind>(from),
                      .flags = util::load<std::uint8_t>(from + 1),
                      .length = util::load<std::uint32_t>(from + 4),
                      .token = util::load<std::uint64_t>(from + 8),
                      .seq = util::load<std::uint64_t>(from + 16),
                      .ack = util::load<std::uint64_t>(from + 24)};
  if (util::load<std::uint16_t>(from + 2) != kMagic || (prefix.flags & ~kAllFlags) != 0)
    return std::nullopt;
  if (prefix.length != frame.size() - kPrefixSize || !is_body_size(prefix.kind, prefix.length))
    return std::nullopt;
  if (prefix.token == 0 && prefix.kind != Kind::kHello) return std::nullopt;
  if (!is_seq(prefix.kind, prefix.seq)) return std::nullopt;
  return FrameView{prefix, frame.subspan(kPrefixSize)};
}

// The token that a frame refused by decode_frame() claims to be for: under a token of ours the
// sender is a liar, else the frame is noise. 0 if it does not even look like a frame.
std::uint64_t claimed_token(util::Bytes frame) noexcept;

inline void encode(const Envelope& body, std::byte* to) noexcept {
  util::store(to, body.tag);
  util::store(to + 8, body.data);
}

inline std::optional<Envelope> decode_envelope(util::Bytes body) noexcept {
  if (body.size() < kEnvelopeSize) return std::nullopt;
  return Envelope{util::load<std::uint64_t>(body.data()),
                  util::load<std::uint64_t>(body.data() + 8)};
}

void encode(const Rts& body, std::byte* to) noexcept;
void encode(const Cts& body, std::byte* to) noexcept;
void encode(const DataHead& body, std::byte* to) noexcept;
void encode(const Fin& body, std::byte* to) noexcept;
void encode(const Sent& body, std::byte* to) noexcept;
void encode(const Goodbye& body, std::byte* to) noexcept;
void encode(const Offer& body, std::byte* to) noexcept;
void encode(const Mapped& body, std::byte* to) noexcept;
void encode(const Left& body, std::byte* to) noexcept;
std::optional<Rts> decode_rts(util::Bytes body) noexcept;
std::optional<Cts> decode_cts(util::Bytes body) noexcept;
// `body` is the whole body of a DATA frame: offset plus the bytes that follow must fit 64 bits.
std::optional<DataHead> decode_data(util::Bytes body) noexcept;
std::optional<Fin> decode_fin(util::Bytes body) noexcept;
std::optional<Sent> decode_sent(util::Bytes body) noexcept;
std::optional<Goodbye> decode_goodbye(util::Bytes body) noexcept;
std::optional<Offer> decode_offer(util::Bytes body) noexcept;
std::optional<Mapped> decode_mapped(util::Bytes body) noexcept;
std::optional<Left> decode_left(util::Bytes body) noexcept;

}  // namespace xs::proto
