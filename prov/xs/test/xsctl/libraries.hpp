// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// In place of libxenctrl, libxenforeignmemory and libxenstore: this program is not linked with
// them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
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
  std::map<std::string, std::uint32_t> owners;  // of nodes that were given to somebody alone
  std::vector<std::string> events;              // of watches, not yet read
  int disturbed = 0;                            // transactions that somebody else is faster than
  int refusing = 0;                             // what the store says to changes and watches, or 0
  std::function<void(const std::string&)> on_change = [](const std::string&) {};  // of a node

  // Counted.
  std::size_t asked = 0;  // for domains
  long open = 0, mapped = 0, transactions = 0;
  std::vector<std::byte> memory;
};
extern FakeLibraries libraries;

// A node of another one's that is written or, if there is no value, removed: watches fire.
void change_node(const std::string& path, const std::optional<std::string>& value);

}  // namespace xs::test
