// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/grants.hpp"

#include <cstdint>
#include <map>

#include "util/bytes.hpp"

namespace xs::dom0 {

namespace {

// An entry: flags 0 (2), reader 2 (2), frame 4 (4). As xen/grant_table.h has it.
constexpr std::uint16_t kTypeMask = 3, kPermitAccess = 1;
constexpr std::uint16_t kReadOnly = 1u << 2, kReading = 1u << 3, kWriting = 1u << 4;

}  // namespace

std::vector<Grants::To> count_grants(std::span<const std::byte> table) {
  std::map<std::uint32_t, Grants::To> by_reader;
  for (; table.size() >= kGrantSize; table = table.subspan(kGrantSize)) {
    const auto flags = util::load<std::uint16_t>(table.data());
    const auto reader = util::load<std::uint16_t>(table.data() + 2);
    if ((flags & kTypeMask) != kPermitAccess) continue;
    Grants::To& to = by_reader[reader];
    to.reader = reader;
    ++to.pages;
    if (flags & kReadOnly) ++to.read_only;
    if (flags & (kReading | kWriting)) ++to.mapped;
  }
  std::vector<Grants::To> all;
  for (const auto& [reader, to] : by_reader) all.push_back(to);
  return all;
}

}  // namespace xs::dom0
