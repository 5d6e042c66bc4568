// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Which domains run xs, and what they share with each other. What guests say of themselves is
// bounded here, compared with what others say, and not believed beyond that: it is to be shown.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dom0/ctl/machine.hpp"
#include "util/result.hpp"

namespace xs::dom0 {

// Of one domain; those beyond are counted and not looked at.
inline constexpr std::size_t kMostProcesses = 256;
inline constexpr std::size_t kMostLinks = 256;   // of one process
inline constexpr std::size_t kLongestName = 64;  // bytes, of a domain

// One process' end of a pair, as its note has it.
struct Link {
  std::uint64_t peer = 0;                // incarnation, high half
  std::optional<std::uint32_t> domain;   // that the peer's note was found in
  std::optional<std::uint32_t> pid;      // the peer's
  bool open = false;                     // both have met each other
  std::optional<std::uint32_t> granted;  // pages, by this side
  std::optional<std::uint32_t> taken;    // pages, by the other side
  // Both have granted something over it.
  bool has_rings() const noexcept {
    return open && granted.value_or(0) > 0 && taken.value_or(0) > 0;
  }
};

struct Process {
  std::uint64_t id = 0;  // incarnation, high half
  std::optional<std::uint32_t> pid;
  std::uint64_t generation = 0;
  std::vector<Link> links;
  std::vector<std::uint32_t> lives;  // domains that it has, or had, peers in
};

struct DomainSeen {
  Domain domain;
  std::optional<std::string> name;
  std::vector<Process> processes;
  std::size_t strange = 0;  // nodes that are no notes, or too much to be looked at
  std::optional<Grants> grants;
};

// A domain that is dead and can't go because others have its pages mapped.
struct Holder {
  std::uint32_t domain = 0;
  std::uint32_t mapped = 0;              // pages; 0: the grant table does not tell
  std::vector<std::uint64_t> processes;  // whose notes still name the zombie
};
struct Zombie {
  std::uint32_t id = 0;
  std::uint64_t pages = 0;
  std::vector<Holder> holders;
};

struct Survey {
  std::vector<DomainSeen> domains;
  std::vector<Zombie> zombies;

  const DomainSeen* find(std::uint32_t domain) const noexcept;
};

// An error: the machine did not answer.
util::Result<Survey> survey(Machine& machine);

}  // namespace xs::dom0
