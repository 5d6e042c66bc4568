// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/memory.hpp"

#include <cerrno>
#include <new>

#include "core/cq.hpp"

namespace xs::core {

int Registrations::add(Registration& added) noexcept try {
  if (modes_.own_keys) {
    do added.key = random_.next();
    while (by_key_.contains(added.key));
  }
  if (by_key_.contains(added.key)) return kNoKey;
  added.base = modes_.virtual_addresses ? reinterpret_cast<std::uint64_t>(added.memory.first()) : 0;
  added.number = numbers_.add(added);
  if (added.number == 0) return ENOMEM;
  try {
    by_key_.emplace(added.key, &added);
  } catch (const std::bad_alloc&) {
    numbers_.remove(added.number);
    return ENOMEM;
  }
  return 0;
} catch (const std::bad_alloc&) {
  return ENOMEM;
}

void Registrations::remove(Registration& gone) noexcept {
  by_key_.erase(gone.key);
  numbers_.remove(gone.number);
}

}  // namespace xs::core
