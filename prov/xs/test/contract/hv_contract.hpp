// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What every backend of hv must do (docs/hv.md). The tests are in hv_contract_*.cpp; a file that
// has a backend to show instantiates HvContract for it, and HvMoves.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "contract/hv_party.hpp"
#include "hv/simulated_vm.hpp"

namespace xs::test {

struct HvSubject {
  std::string name;  // becomes part of the test's name: letters, digits and _
  // A new party that could share memory with all others of the same simulated host.
  std::function<std::unique_ptr<HvParty>(const std::string& simulated_host)> make;
  bool has_bell;      // else the fabric rings
  bool here = false;  // parties live in this process: what one costs, all do
};

// Two parties, and the number that each has for its link with the other.
struct HvPair {
  unsigned a = 0, b = 0;
};

class HvContract : public testing::TestWithParam<HvSubject> {
 protected:
  HvParty& party(const std::string& simulated_host = "");
  // Lets everybody who lives move on until the condition holds; false after 10 seconds.
  bool until(const std::function<bool()>& condition);
  // Lets everybody move on until nobody has anything to do.
  void settle();
  void end(HvParty& party);

  // Both meet, and both are told that the link is open.
  HvPair introduce(HvParty& a, HvParty& b);
  // A bell may come after the opening.
  void await_bell(HvParty& party, unsigned pair);
  // Nothing wakes it now, but for what happens once in a second, if that.
  static bool rests(HvParty& party);
  // Pages of `from`, seen by `to`.
  struct Seen {
    unsigned share, mapping;
  };
  Seen show(HvParty& from, unsigned from_pair, HvParty& to, unsigned to_pair, std::size_t pages);

  std::vector<std::unique_ptr<HvParty>> parties_;
  std::vector<HvParty*> living_;
};

// With parties in virtual machines that move: `make` understands @FILE (docs/hv.md, Simulated
// hosts).
class HvMoves : public HvContract {
 protected:
  // Writes the line, and waits until these, all of the VM's, were told.
  void move(const SimulatedVm& vm, const std::string& line, const std::vector<HvParty*>& parties);
  void expect_lost(HvParty& party, unsigned pair, hv::Loss why);
};

}  // namespace xs::test
