// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Moves of virtual machines full of processes, announced in the store (docs/migration.md).
#include "sim/guests.hpp"

namespace xs::sim {

namespace {
constexpr std::uint64_t kSerial = 0x2a;
constexpr unsigned kPatience = 1000;  // ms, until all have answered
constexpr unsigned kAfterwards = 4000;
constexpr std::size_t kBytes = 200;
}  // namespace

// One is asked and left where it is; two are asked at once, of which one moves.
void Guests::pauses() {
  announce(1, true);
  await_quiet(1);
  pass(200, true, kBytes);
  announce(1, false);
  pass(kAfterwards, true, kBytes);
  judge_busy("after a pause");
  announce(2, true);
  announce(3, true);
  await_quiet(2);
  await_quiet(3);
  xen_.move(2, 2);
  announce(3, false);
  pass(kAfterwards, true, kBytes);
  show("after announced moves");
  judge_quotas("after announced moves");
  judge_busy("after announced moves");
}

void Guests::announce(unsigned vm, bool pause) {
  const std::string node = "/local/domain/" + std::to_string(vm) + "/data/xs-here/quiesce";
  if (pause)
    xen_.put(node, "2a xs-sim");
  else
    xen_.remove(node);
}

void Guests::await_quiet(unsigned vm) {
  const auto all_quiet = [&] {
    bool all = true;
    for_each(
        [&](const Rank& rank) { all = all && (rank.vm() != vm || rank.quiesced() == kSerial); });
    return all;
  };
  for (unsigned i = 0; i < kPatience && !all_quiet() && wrong_.empty(); ++i) pass(1, true, kBytes);
  if (!all_quiet()) fail("somebody does not answer in VM ", std::to_string(vm));
  if (xen_.used(vm).pages > 0) fail("pages of a VM that is quiet are granted", "");
}

// M1, whenever it is looked at.
void Guests::judge_pause() {
  for_each([&](const Rank& rank) {
    if (rank.quiesced() == 0) return;
    if (rank.in_use() > 0 || rank.calls()->mapped() > 0 || rank.restless())
      fail("a process says that it holds nothing, and does", "");
  });
}

}  // namespace xs::sim
