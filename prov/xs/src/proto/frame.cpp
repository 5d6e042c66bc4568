// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "proto/frame.hpp"

#include <cstring>
#include <limits>

namespace xs::proto {

namespace {
// In FIN.
constexpr std::uint32_t kCopyShort = 1, kStreamLong = 2;
}  // namespace

std::uint64_t claimed_token(util::Bytes frame) noexcept {
  if (frame.size() < kPrefixSize || util::load<std::uint16_t>(frame.data() + 2) != kMagic) return 0;
  return util::load<std::uint64_t>(frame.data() + 8);
}

void encode(const Rts& body, std::byte* to) noexcept {
  encode(body.envelope, to);
  util::store(to + 16, body.length);
  util::store(to + 24, body.send_id);
  util::store(to + 32, body.address);
}

void encode(const Cts& body, std::byte* to) noexcept {
  util::store(to, body.send_id);
  util::store(to + 8, body.receive_id);
  util::store(to + 16, body.bulk_tag);
  util::store(to + 24, body.length);
  util::store(to + 32, body.mode);
  util::store(to + 36, body.attempt);
  util::store(to + 40, body.lane);
  util::store<std::uint32_t>(to + 44, 0);
}

void encode(const DataHead& body, std::byte* to) noexcept {
  util::store(to, body.receive_id);
  util::store(to + 8, body.offset);
}

void encode(const Fin& body, std::byte* to) noexcept {
  util::store(to, body.send_id);
  util::store(to + 8, body.status);
  util::store(to + 12, (body.copy_short ? kCopyShort : 0) | (body.stream_long ? kStreamLong : 0));
}

void encode(const Sent& body, std::byte* to) noexcept {
  util::store(to, body.receive_id);
  util::store(to + 8, body.attempt);
  util::store(to + 12, body.status);
}

void encode(const Goodbye& body, std::byte* to) noexcept { util::store(to, body.taken); }

void encode(const Offer& body, std::byte* to) noexcept {
  util::store(to, body.epoch);
  std::memcpy(to + 8, body.share.data(), body.share.size());
  util::store(to + 40, body.pages);
  util::store(to + 44, body.wished);
}

void encode(const Mapped& body, std::byte* to) noexcept { util::store(to, body.epoch); }

void encode(const Left& body, std::byte* to) noexcept {
  util::store(to, body.epoch);
  util::store<std::uint32_t>(to + 8, body.answer ? 1 : 0);
  util::store(to + 12, body.reason);
}

std::optional<Rts> decode_rts(util::Bytes body) noexcept {
  if (body.size() != Rts::kSize) return std::nullopt;
  const std::byte* from = body.data();
  return Rts{.envelope = {.tag = util::load<std::uint64_t>(from),
                          .data = util::load<std::uint64_t>(from + 8)},
             .length = util::load<std::uint64_t>(from + 16),
             .send_id = util::load<std::uint64_t>(from + 24),
             .address = util::load<std::uint64_t>(from + 32)};
}

std::optional<Cts> decode_cts(util::Bytes body) noexcept {
  if (body.size() != Cts::kSize) return std::nullopt;
  const std::byte* from = body.data();
  const Cts cts{.send_id = util::load<std::uint64_t>(from),
                .receive_id = util::load<std::uint64_t>(from + 8),
                .bulk_tag = util::load<std::uint64_t>(from + 16),
                .length = util::load<std::uint64_t>(from + 24),
                .mode = util::load<BulkMode>(from + 32),
                .attempt = util::load<std::uint32_t>(from + 36),
                .lane = util::load<std::uint32_t>(from + 40)};
  if (util::load<std::uint32_t>(from + 44) != 0) return std::nullopt;
  if (cts.mode != BulkMode::kStream && cts.mode != BulkMode::kBulk) return std::nullopt;
  return cts;
}

std::optional<DataHead> decode_data(util::Bytes body) noexcept {
  if (body.size() < DataHead::kSize) return std::nullopt;
  const DataHead head{.receive_id = util::load<std::uint64_t>(body.data()),
                      .offset = util::load<std::uint64_t>(body.data() + 8)};
  const std::uint64_t bytes = body.size() - DataHead::kSize;
  if (head.offset > std::numeric_limits<std::uint64_t>::max() - bytes) return std::nullopt;
  return head;
}

std::optional<Fin> decode_fin(util::Bytes body) noexcept {
  if (body.size() != Fin::kSize) return std::nullopt;
  const auto advice = util::load<std::uint32_t>(body.data() + 12);
  if ((advice & ~(kCopyShort | kStreamLong)) != 0) return std::nullopt;
  const Fin fin{.send_id = util::load<std::uint64_t>(body.data()),
                .status = util::load<std::uint32_t>(body.data() + 8),
                .copy_short = (advice & kCopyShort) != 0,
                .stream_long = (advice & kStreamLong) != 0};
  if (fin.status > kLargestStatus) return std::nullopt;
  return fin;
}

std::optional<Sent> decode_sent(util::Bytes body) noexcept {
  if (body.size() != Sent::kSize) return std::nullopt;
  const Sent sent{.receive_id = util::load<std::uint64_t>(body.data()),
                  .attempt = util::load<std::uint32_t>(body.data() + 8),
                  .status = util::load<std::uint32_t>(body.data() + 12)};
  if (sent.status > kLargestStatus) return std::nullopt;
  return sent;
}

std::optional<Goodbye> decode_goodbye(util::Bytes body) noexcept {
  if (body.size() != Goodbye::kSize) return std::nullopt;
  const Goodbye goodbye{util::load<std::uint64_t>(body.data())};
  return goodbye.taken != 0 ? std::optional(goodbye) : std::nullopt;
}

std::optional<Offer> decode_offer(util::Bytes body) noexcept {
  if (body.size() != Offer::kSize) return std::nullopt;
  Offer offer{.epoch = util::load<std::uint64_t>(body.data()),
              .share = {},
              .pages = util::load<std::uint32_t>(body.data() + 40),
              .wished = util::load<std::uint32_t>(body.data() + 44)};
  std::memcpy(offer.share.data(), body.data() + 8, offer.share.size());
  if (offer.epoch == 0 || offer.pages == 0 || offer.wished == 0) return std::nullopt;
  return offer;
}

std::optional<Mapped> decode_mapped(util::Bytes body) noexcept {
  if (body.size() != Mapped::kSize) return std::nullopt;
  const Mapped mapped{util::load<std::uint64_t>(body.data())};
  return mapped.epoch != 0 ? std::optional(mapped) : std::nullopt;
}

std::optional<Left> decode_left(util::Bytes body) noexcept {
  if (body.size() != Left::kSize) return std::nullopt;
  const auto flags = util::load<std::uint32_t>(body.data() + 8);
  const Left left{.epoch = util::load<std::uint64_t>(body.data()),
                  .answer = flags != 0,
                  .reason = util::load<std::uint32_t>(body.data() + 12)};
  return left.epoch != 0 && flags <= 1 ? std::optional(left) : std::nullopt;
}

}  // namespace xs::proto
