// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who a process is and where it lives, as it tells its peers over the fabric.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace xs::hv {

// 128 bits that nobody else has.
struct Id {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const Id&) const = default;
};

inline constexpr std::size_t kCardSize = 64;
// Of a machine that is no domain of Xen's, or is not used as one. Dom0 is one.
inline constexpr std::uint32_t kNoDomid = 0xffffffff;

// A claim and no proof: it saves attempts that must fail. No secret is in it.
struct Card {
  Id host;                         // digest of what all processes of one machine have in common
  Id process;                      // this incarnation of this process
  std::uint32_t domid = kNoDomid;  // hv/xen: repeats across hosts
  std::uint64_t generation = 0;    // grows whenever the process has moved; never 0 in a real card
  // How often, in this generation, it has begun or ceased to wait for its VM's move: so odd while
  // it does, and then it holds nothing of other VMs and does not want to.
  std::uint32_t pauses = 0;

  bool paused() const noexcept { return pauses % 2 != 0; }
  // Another life is another process, another place, or another generation: what was shared with it
  // is worth nothing. A pause is none.
  bool same_life(const Card& other) const noexcept {
    return host == other.host && process == other.process && domid == other.domid &&
           generation == other.generation;
  }
  bool operator==(const Card&) const = default;
};

std::array<std::byte, kCardSize> encode(const Card& card) noexcept;
// Nothing if it is of another version, or no card at all: such a peer has no local path.
std::optional<Card> decode_card(const std::array<std::byte, kCardSize>& bytes) noexcept;

}  // namespace xs::hv
