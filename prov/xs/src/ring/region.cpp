// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "ring/region.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <type_traits>

#include "util/fence.hpp"

namespace xs::ring {
namespace {

constexpr std::uint64_t kMagic = 0x00676e6972207378;  // "xs ring"
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kConsumerSleeps = 1;
constexpr std::uint32_t kProducerSleeps = 2;

struct Header {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t cells;
  std::uint64_t epoch;
  std::uint32_t flags;
  std::uint32_t zero;
  std::array<std::byte, 16> nonce;
  std::uint32_t process;
  std::uint32_t zero_too;
  std::uint64_t witness;
};
static_assert(sizeof(Header) == kConsumedAt && std::has_unique_object_representations_v<Header>);

bool is_aligned(const std::byte* base) noexcept {
  return reinterpret_cast<std::uintptr_t>(base) % kCellSize == 0;
}

// `header` is a private copy.
bool is_sound(const Header& header, std::uint32_t cells, std::uint64_t epoch) noexcept {
  return header.magic == kMagic && header.version == kVersion && header.cells == cells &&
         header.epoch == epoch && (header.flags & ~(kConsumerSleeps | kProducerSleeps)) == 0 &&
         header.zero == 0 && header.zero_too == 0;
}

}  // namespace

util::Result<OwnRegion> OwnRegion::prepare(std::span<std::byte> memory,
                                           const Terms& terms) noexcept {
  const std::uint32_t cells = cells_in(memory.size());
  if (cells == 0 || !is_aligned(memory.data())) {
    return util::Error{EINVAL, "memory that holds no ring"};
  }
  std::fill(memory.begin(), memory.end(), std::byte{0});
  const Header header{.magic = kMagic,
                      .version = kVersion,
                      .cells = cells,
                      .epoch = terms.epoch,
                      .flags = (terms.consumer_sleeps ? kConsumerSleeps : 0) |
                               (terms.producer_sleeps ? kProducerSleeps : 0),
                      .zero = 0,
                      .nonce = terms.nonce,
                      .process = terms.process,
                      .zero_too = 0,
                      .witness = terms.witness};
  std::memcpy(memory.data(), &header, sizeof header);
  return OwnRegion(memory.data(), cells, terms);
}

util::Result<PeerRegion> PeerRegion::read(util::Bytes mapping, std::uint64_t epoch) noexcept {
  const std::uint32_t cells = cells_in(mapping.size());
  if (cells == 0 || !is_aligned(mapping.data())) {
    return util::Error{EINVAL, "a mapping that holds no ring"};
  }
  Header header;
  std::memcpy(&header, mapping.data(), sizeof header);
  util::fence_after_copy();
  if (header.magic == kAllOnes) return util::Error{ESTALE, "the peer's ring is lost"};
  if (!is_sound(header, cells, epoch)) {
    return util::Error{EINVAL, "the peer's ring has another header than agreed"};
  }
  return PeerRegion(mapping.data(), cells,
                    Terms{.epoch = header.epoch,
                          .nonce = header.nonce,
                          .consumer_sleeps = (header.flags & kConsumerSleeps) != 0,
                          .producer_sleeps = (header.flags & kProducerSleeps) != 0,
                          .process = header.process,
                          .witness = header.witness});
}

}  // namespace xs::ring
