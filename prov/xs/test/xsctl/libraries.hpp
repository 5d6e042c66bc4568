// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// In place of libxenctrl, libxenforeignmemory and libxenstore: this program is not linked with
// them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

extern "C" {
#include <xenctrl.h>
}

namespace xs::test {

struct FakeLibraries {
  bool is_xen = true;
  int privcmd = 0;  // what opening fails with, or 0
  int store = 0;    // the same
  int asking = 0;   // what Xen says to whoever wants to know its domains, or 0
  std::vector<xc_domaininfo_t> domains;
  std::map<std::uint32_t, int> versions;  // of grant tables
  std::map<std::uint32_t, std::vector<grant_entry_v1_t>> tables;
  std::map<std::string, std::string> nodes;

  // Counted.
  std::size_t asked = 0;  // for domains
  long open = 0, mapped = 0;
  std::vector<std::byte> memory;
};
extern FakeLibraries libraries;

}  // namespace xs::test
