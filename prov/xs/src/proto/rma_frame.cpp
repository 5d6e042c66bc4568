// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "proto/rma_frame.hpp"

#include <limits>

#include "proto/frame.hpp"

namespace xs::proto {

namespace {
std::uint64_t word(util::Bytes body, std::size_t at) noexcept {
  return util::load<std::uint64_t>(body.data() + at);
}
bool fits(std::uint64_t offset, std::uint64_t bytes) noexcept {
  return offset <= std::numeric_limits<std::uint64_t>::max() - bytes;
}
}  // namespace

void encode(const Write& body, std::byte* to) noexcept {
  util::store(to, body.id);
  util::store(to + 8, body.key);
  util::store(to + 16, body.address);
  util::store(to + 24, body.length);
  util::store(to + 32, body.data);
}

void encode(const PartHead& body, std::byte* to) noexcept {
  util::store(to, body.id);
  util::store(to + 8, body.offset);
}

void encode(const Read& body, std::byte* to) noexcept {
  util::store(to, body.id);
  util::store(to + 8, body.key);
  util::store(to + 16, body.address);
  util::store(to + 24, body.length);
}

void encode(const Atomic& body, std::byte* to) noexcept {
  util::store(to, body.id);
  util::store(to + 8, body.key);
  util::store(to + 16, body.address);
  util::store(to + 24, body.operation);
  util::store(to + 25, body.datatype);
  util::store(to + 26, body.form);
  util::store<std::uint8_t>(to + 27, 0);
  util::store(to + 28, body.count);
  util::store(to + 32, body.length);
  util::store<std::uint32_t>(to + 36, 0);
}

void encode(const Done& body, std::byte* to) noexcept {
  util::store(to, body.id);
  util::store(to + 8, body.status);
  util::store<std::uint32_t>(to + 12, 0);
}

std::optional<Write> decode_write(util::Bytes body) noexcept {
  if (body.size() < Write::kSize) return std::nullopt;
  const Write write{.id = word(body, 0),
                    .key = word(body, 8),
                    .address = word(body, 16),
                    .length = word(body, 24),
                    .data = word(body, 32)};
  return body.size() - Write::kSize <= write.length ? std::optional(write) : std::nullopt;
}

std::optional<PartHead> decode_part(util::Bytes body) noexcept {
  if (body.size() < PartHead::kSize) return std::nullopt;
  const PartHead head{.id = word(body, 0), .offset = word(body, 8)};
  return fits(head.offset, body.size() - PartHead::kSize) ? std::optional(head) : std::nullopt;
}

std::optional<Read> decode_read(util::Bytes body) noexcept {
  if (body.size() != Read::kSize) return std::nullopt;
  return Read{.id = word(body, 0),
              .key = word(body, 8),
              .address = word(body, 16),
              .length = word(body, 24)};
}

std::optional<Atomic> decode_atomic(util::Bytes body) noexcept {
  if (body.size() < Atomic::kSize) return std::nullopt;
  const std::byte* from = body.data();
  const Atomic atomic{.id = word(body, 0),
                      .key = word(body, 8),
                      .address = word(body, 16),
                      .operation = util::load<std::uint8_t>(from + 24),
                      .datatype = util::load<std::uint8_t>(from + 25),
                      .form = util::load<AtomicForm>(from + 26),
                      .count = util::load<std::uint32_t>(from + 28),
                      .length = util::load<std::uint32_t>(from + 32)};
  if (util::load<std::uint8_t>(from + 27) != 0 || util::load<std::uint32_t>(from + 36) != 0)
    return std::nullopt;
  if (atomic.form < AtomicForm::kUpdate || atomic.form > AtomicForm::kCompare) return std::nullopt;
  if (atomic.length > kLargestOperands || body.size() - Atomic::kSize > atomic.length)
    return std::nullopt;
  return atomic;
}

std::optional<Done> decode_done(util::Bytes body) noexcept {
  if (body.size() != Done::kSize || util::load<std::uint32_t>(body.data() + 12) != 0)
    return std::nullopt;
  const Done done{.id = word(body, 0), .status = util::load<std::uint32_t>(body.data() + 8)};
  return done.status <= kLargestStatus ? std::optional(done) : std::nullopt;
}

}  // namespace xs::proto
