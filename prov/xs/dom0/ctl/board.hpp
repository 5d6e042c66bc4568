// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The notes of all processes of this host, as they change: read once, then watched.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "dom0/ctl/machine.hpp"
#include "hv/xen/note.hpp"
#include "util/result.hpp"

namespace xs::dom0 {

// By the high half of a process' incarnation, which is its node's name.
using Notes = std::map<std::uint64_t, hv::WholeNote>;

class Board {
 public:
  explicit Board(Machine& machine) noexcept : machine_(machine) {}
  util::Result<bool> begin();
  // Like Machine::wait(). Whether something may have changed.
  util::Result<bool> wait(std::uint64_t milliseconds, int descriptor);
  // For domains that are new here.
  util::Result<bool> look_for_domains();

  // Nodes that are no notes are left out.
  const Notes& of(std::uint32_t domain) const noexcept;
  const std::map<std::uint32_t, Notes>& all() const noexcept { return notes_; }

 private:
  util::Result<bool> hear(const std::string& path);
  util::Result<bool> read_all(std::uint32_t domain);
  util::Result<bool> read_one(std::uint32_t domain, const std::string& node);

  Machine& machine_;
  std::map<std::uint32_t, Notes> notes_;  // of each domain that is watched
  std::set<std::uint32_t> fresh_;         // whose watch has not fired for its being set
};

// The 16 hex digits that hv/xen names its nodes by, and nothing else.
std::optional<std::uint64_t> parse_node(std::string_view name) noexcept;

}  // namespace xs::dom0
