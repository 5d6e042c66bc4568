// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "core/counter.hpp"
#include "core/gather.hpp"
#include "core/id_table.hpp"
#include "util/random.hpp"

namespace xs::core {

class RmaTarget;

// What peers may do with it.
enum Right : std::uint8_t { kReadable = 1, kWritable = 2 };

// Memory that peers may reach under a key. Owned by who registered it.
struct Registration {
  UserMemory memory;
  std::uint8_t rights = 0;  // Right
  std::uint64_t key = 0;
  std::uint64_t base = 0;    // the address that the first byte has for peers
  std::uint64_t number = 0;  // unlike any other's of this domain, closed ones included
  Counter* reads = nullptr;  // that peers have done here, besides what endpoints count; may be null
  Counter* writes = nullptr;        // the same
  const RmaTarget* only = nullptr;  // the endpoint that peers must come by; null: any

  void arrived(bool is_read) noexcept {
    if (Counter* const counter = is_read ? reads : writes) counter->ended(0);
  }

  // Where it stands for peers, and whether all of it lies inside: the one check of what a peer
  // asks for. offset: from the first byte, valid if true.
  bool holds(std::uint64_t address, std::uint64_t length, std::size_t& offset) const noexcept {
    if (address < base) return false;
    const std::uint64_t from = address - base;
    if (from > memory.size() || length > memory.size() - from) return false;
    offset = static_cast<std::size_t>(from);
    return true;
  }
};

// How a domain names its registrations: mr_mode.
struct MemoryModes {
  bool own_keys = false;           // FI_MR_PROV_KEY: the user's keys are not used
  bool virtual_addresses = false;  // FI_MR_VIRT_ADDR: else the first byte has address 0
};

// The registrations of one domain. Thread rule: the domain's.
class Registrations {
 public:
  Registrations(MemoryModes modes, util::Random& random) noexcept
      : modes_(modes), random_(random) {}

  // Fills in key, base and number; `key` is what the user asks for. 0, or a positive errno: kNoKey
  // if the key is in use, ENOMEM.
  int add(Registration& added) noexcept;
  void remove(Registration& gone) noexcept;

  Registration* under(std::uint64_t key) const noexcept {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : found->second;
  }
  // nullptr once that one is removed.
  Registration* numbered(std::uint64_t number) const noexcept { return numbers_.find(number); }

 private:
  MemoryModes modes_;
  util::Random& random_;
  std::unordered_map<std::uint64_t, Registration*> by_key_;
  IdTable<Registration> numbers_;
};

// What an endpoint lets its peers reach.
struct Exposed {
  Registrations* memory = nullptr;  // null: nothing
  std::uint8_t rights = 0;          // Right: no more, whatever a registration allows
};

}  // namespace xs::core
