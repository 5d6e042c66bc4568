// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A stranger who is a neighbour: it writes every word of its pages itself and so can lie.
#pragma once
#include <optional>

#include "proto/ring_frame.hpp"
#include "ring/consumer.hpp"
#include "ring/producer.hpp"
#include "stream/scripted_link.hpp"
#include "stream/stranger.hpp"

namespace xs::test {

struct RingFrame {
  proto::RingHead head;
  Frame body;
};

struct RingStranger : Stranger {
  explicit RingStranger(std::uint16_t port) : Stranger(port) {}

  // Shares pages of ours for that epoch; they have come at the other side.
  proto::Offer offer(ScriptedLink& link, std::uint64_t epoch, std::uint32_t pages = kPages);
  // Maps what the other side shares and offered in answer, or first.
  void map(const ScriptedLink& link, const proto::Offer& offered);

  Frame say(const proto::Offer& offer) const {
    return frame(proto::Kind::kOffer, 0, body_of(offer));
  }
  Frame mapped(std::uint64_t epoch) const {
    return frame(proto::Kind::kMapped, 0, body_of(proto::Mapped{epoch}));
  }
  Frame left(std::uint64_t epoch, bool answer = false, std::uint32_t reason = 1) const {
    return frame(proto::Kind::kLeft, 0, body_of(proto::Left{epoch, answer, reason}));
  }

  // Puts a frame into our ring. False: it has no room.
  bool put(const Frame& bytes);
  bool put(std::uint64_t word, const Frame& body);
  // The next of our stream.
  bool put_next(proto::Kind kind, const Frame& body = {}, std::uint8_t flags = 0) {
    return put(pack(proto::RingHead{kind, flags, static_cast<std::uint32_t>(seq++)}),
               kind == proto::Kind::kGoodbye && body.empty() ? goodbye() : body);
  }
  // Takes the next frame of the other side's ring, and says so there.
  std::optional<RingFrame> take();
  // What the other side says that it has taken of our ring.
  std::uint64_t taken_by_them() const { return *theirs->word(ring::kConsumedAt); }

  static constexpr std::uint32_t kPages = 4;
  std::shared_ptr<Pages> ours, theirs;
  // Where our memory can be read, as the next region says: as ring::Terms.
  std::uint32_t process = 0;
  std::uint64_t witness = 0;
  ring::Terms terms;  // of our newest region
  std::optional<ring::OwnRegion> own;
  std::optional<ring::Producer> producer;
  std::optional<ring::Consumer> consumer;

 private:
  std::uint64_t names_ = 0;
};

}  // namespace xs::test
