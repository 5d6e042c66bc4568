// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A domain that a command is about, and what is to be found out about it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "dom0/ctl/machine.hpp"
#include "util/result.hpp"

namespace xs::dom0 {

struct Guest {
  Domain domain;
  std::string name;
};
// "domain 5 u1", fit for a terminal.
std::string describe(const Guest& guest);
Guest guest_of(Machine& machine, const Domain& domain);
std::string describe_domain(Machine& machine, std::uint32_t id);

// By its number or its name. ESRCH, EEXIST (the name), EBUSY (it is dying) and EPERM (dom0) tell
// why there is none to be moved.
util::Result<Guest> find_guest(Machine& machine, const std::string& word);

// The domain of that number, or nothing.
util::Result<std::optional<Domain>> find_domain(Machine& machine, std::uint32_t id);
// Another one that the same virtual machine lives in now.
util::Result<std::optional<Domain>> find_successor(Machine& machine, const Domain& before);

// What the grant tables say, as far as they are to be had, of this domain and the others: who has
// pages of whom mapped. Dom0 aside, whose back ends have.
struct Mapped {
  std::string lines;    // one for each
  std::string unknown;  // one for each domain whose table isn't to be had
  bool is_nothing() const noexcept { return lines.empty() && unknown.empty(); }
  std::string text() const;
};
Mapped what_is_mapped(Machine& machine, std::uint32_t domain);

}  // namespace xs::dom0
