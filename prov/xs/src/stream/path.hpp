// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Which way the frames of a session go: docs/paths.md. What a session keeps of that; the rules are
// in session_join.cpp, session_leave.cpp and session_ring_frames.cpp.
#pragma once
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "carrier/ring_carrier.hpp"
#include "proto/frame.hpp"
#include "stream/distance.hpp"
#include "util/clock.hpp"

namespace xs::stream {

using carrier::Budget;
using carrier::kernel_reader;
using carrier::MemoryReader;
using carrier::Neighbour;
using carrier::Quick;
using carrier::RingCarrier;

// What the endpoints of a domain share about rings.
struct RingLimits {
  std::size_t first = 0;           // bytes of a region to begin with; 0: no rings
  std::size_t largest = 0;         // bytes of one for a peer that streams
  std::size_t memory = 0;          // bytes of all regions of ours
  bool sleeps = false;             // a reader of ours may sleep
  MemoryReader* reader = nullptr;  // of neighbours' memory, which may read ours; null: neither
};

struct Rings {
  RingLimits limits;
  std::size_t in_use = 0;    // bytes of regions of ours that stand
  bool look_wanted = false;  // an offer waits for what hv may have to tell
};

enum class PathState : std::uint8_t {
  kFabric,
  kOffered,   // proposer: OFFER is out
  kAnswered,  // answerer: reads, and waits for MAPPED
  kJoined,
  kLeaving,  // LEFT is out, the peer's is not in
};

// In LEFT, for the log of the other side.
enum class LeaveReason : std::uint32_t {
  kAsked = 1,  // the other side left
  kLost,       // the mapping died
  kBroken,     // the other side's memory says what it can't
  kSilent,     // frames in the ring are not taken though the process answers
  kLink,       // hv has lost the neighbour
  kGrow,
  kBudget,
  kTerms,    // from now on our readers may sleep
  kRefused,  // what was offered can't be mapped, or what is needed for it is exhausted
  kMoved,    // we live elsewhere now
  kStale,    // not an epoch in hand
  kPaused,   // our VM is about to be moved
};
const char* text_of(LeaveReason reason) noexcept;
// The other side, or a mapping, was at fault.
bool is_fault(LeaveReason reason) noexcept;

struct PathCounters {
  std::uint64_t joined = 0;
  std::uint64_t left = 0;
  std::uint64_t faults = 0;  // of those: the other side, or a mapping, was at fault

  PathCounters& operator+=(const PathCounters& other) noexcept {
    joined += other.joined;
    left += other.left;
    faults += other.faults;
    return *this;
  }
};

struct Path {
  static constexpr std::uint32_t kNoLimit = std::numeric_limits<std::uint32_t>::max();

  static constexpr std::uint64_t kNoGrowth = std::numeric_limits<std::uint64_t>::max();

  // A PING about a ring has its epoch in the highest 16 bits of its number, never 0.
  static constexpr std::uint64_t kNumberMask = (std::uint64_t{1} << 48) - 1;
  static constexpr std::uint64_t mark_of(std::uint64_t number) noexcept { return number >> 48; }
  std::uint64_t mark(std::uint64_t number) const noexcept {
    return (number & kNumberMask) | (epoch % 0xffff + 1) << 48;
  }

  PathState state = PathState::kFabric;
  std::uint64_t epoch = 0;    // in hand, or the last one that was
  Neighbour* link = nullptr;  // open, and not ours
  std::unique_ptr<RingCarrier> ring;
  bool writes = false;          // frames go into our region
  bool failed = false;          // found bad by a caller who can't leave; the next pass does
  bool reads = false;           // frames are taken from the peer's
  bool wants_to_write = false;  // as soon as every frame fits
  bool taking = false;          // inside the handling of a frame of the ring
  bool unreadable = false;      // so was the peer's side: nothing more is taken or published
  bool armed = false;           // our reader's arm word is set
  bool acks_armed = false;      // and our writer's

  std::uint64_t base = 0;  // number of the first frame in our ring
  // Writing: what the peer has said otherwise that it has taken. By this and `consumed` it would be
  // known of some frames that they are taken, but not where the ring has room: so this counts when
  // nothing more is written, or is to be.
  std::uint64_t told = 0;
  // Not writing any more: frames below may still stand in our region alone, which therefore stays.
  std::uint64_t behind = 0;
  bool answered = false;       // leaving: the peer has left, too
  unsigned batch = 1;          // frames taken at the next visit
  Distance distance;           // of those visits from who writes
  bool begun = false;          // reading: a frame was taken from the peer's
  std::uint32_t expected = 0;  // reading: the low half of the number that follows the last one
  std::uint32_t largest = kNoLimit;  // bytes of a body that is made while a ring is in hand
  std::uint32_t held = 0;            // frames in kept buffers
  bool acks_wanted = false;          // somebody waits for room or for an acknowledgement

  std::optional<proto::Offer> offer;  // of the peer, kept until it can be mapped
  util::Nanoseconds repeat_at = util::kNever;
  unsigned repeats = 0;
  std::uint32_t reason = 0;      // why we left
  bool card_news = false;        // our card has changed: greet until the peer knows
  unsigned card_tries = 0;       // so often by now
  std::uint64_t cards = 0;       // how often ours has changed
  std::uint64_t peer_cards = 0;  // the peer's number of the newest card of its that we know

  // Occasions for a ring
  std::uint64_t fabric_frames = 0;    // sent and taken over the fabric since the last ring
  std::uint64_t needed = 1;           // of those, before the next one
  std::uint64_t patience = 64;        // needed after the next fault
  std::uint64_t ring_bytes = 0;       // moved by the present ring
  std::uint64_t grow_at = kNoGrowth;  // of them
  bool grown = false;                 // or has failed to; without a budget
  bool grows = false;                 // left for a larger one, which is to come
  std::size_t size = 0;               // bytes of the region to offer; 0: the first size
  std::uint32_t wished = 0;           // pages of the other side's region
  unsigned idle = 0;                  // visits without a frame
  // When a frame last came through the ring, began to wait in it, or was seen to be taken: within a
  // quiet interval.
  util::Nanoseconds used_at = 0;
  util::Nanoseconds since = 0;  // when frames began to leave by the path that they leave by
  // For who decides which rings there is room for.
  std::uint64_t counted = 0;  // frames by any path, either way, when they were counted last
  std::uint64_t rate = 0;     // of them in the time before that
  PathCounters counters;
  bool warned = false;  // of a fault: once
};

}  // namespace xs::stream
