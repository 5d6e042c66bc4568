// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/card.hpp"

#include "util/bytes.hpp"

namespace xs::hv {

namespace {

using util::load;
using util::store;

// offset: version 0 (4), domid 4 (4), host 8 (16), process 24 (16), generation 40 (8), pauses 48
// (4), zero 52 (12).
constexpr std::uint32_t kVersion = 3;  // 2: no pauses; 1: a domid of 0 was none, in dom0 too

void store_id(std::byte* to, const Id& id) noexcept {
  store(to, id.high);
  store(to + 8, id.low);
}

Id load_id(const std::byte* from) noexcept {
  return {load<std::uint64_t>(from), load<std::uint64_t>(from + 8)};
}

}  // namespace

std::array<std::byte, kCardSize> encode(const Card& card) noexcept {
  std::array<std::byte, kCardSize> bytes{};
  store(&bytes[0], kVersion);
  store(&bytes[4], card.domid);
  store_id(&bytes[8], card.host);
  store_id(&bytes[24], card.process);
  store(&bytes[40], card.generation);
  store(&bytes[48], card.pauses);
  return bytes;
}

std::optional<Card> decode_card(const std::array<std::byte, kCardSize>& bytes) noexcept {
  const bool known = load<std::uint32_t>(&bytes[0]) == kVersion &&
                     load<std::uint32_t>(&bytes[52]) == 0 && load<std::uint64_t>(&bytes[56]) == 0;
  Card card{.host = load_id(&bytes[8]),
            .process = load_id(&bytes[24]),
            .domid = load<std::uint32_t>(&bytes[4]),
            .generation = load<std::uint64_t>(&bytes[40]),
            .pauses = load<std::uint32_t>(&bytes[48])};
  if (!known || card.process == Id{} || card.generation == 0) return std::nullopt;
  return card;
}

}  // namespace xs::hv
