// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "procs/mover.hpp"

#include <thread>

namespace xs::test {

namespace {

using Random = std::minstd_rand;

template <std::size_t kCount>
std::string one_of(const char* const (&words)[kCount], Random& random) {
  return words[random() % kCount];
}

// A line of a VM's file.
std::string somewhere(Fate fate, Random& random) {
  std::string line = one_of({"A", "B"}, random);
  if (fate == Fate::kFrozen) line += " sees=frozen seen=frozen";
  if (fate == Fate::kAny)
    line += one_of({"", " sees=frozen", " seen=frozen", " sees=frozen seen=frozen"}, random);
  return line + one_of({"", "", " told=2", " told=20"}, random) +
         one_of({"", "", " lost=5", " lost=100"}, random);
}

}  // namespace

Environment Migrations::environment(int vm) const {
  return {{"FI_XS_SIM_HOST", vms_[vm].option()}, {"FI_XS_STATS", statistics().string()}};
}

std::uint64_t sum_of(const std::filesystem::path& statistics, const std::string& path,
                     const std::string& field) {
  std::uint64_t out = 0;
  for (const auto& each : std::filesystem::directory_iterator(statistics.parent_path())) {
    if (each.path().stem() != statistics.filename()) continue;
    std::ifstream in(each.path());
    for (std::string line; std::getline(in, line);) {
      const std::size_t at = line.find(' ' + field + '=');
      if (line.find(" path=" + path + ' ') != std::string::npos && at != std::string::npos)
        out += std::stoull(line.substr(at + field.size() + 2));
    }
  }
  return out;
}

void Migrations::keep_moving(Worker& me) const {
  std::random_device seed;
  Random random(seed());
  for (std::uint64_t moves = 1; !me.heard(); ++moves) {
    const SimulatedVm& vm = vms_[random() % 2];
    const std::string line = somewhere(fate_, random);
    if (fate_ == Fate::kAnnounced) {
      vm.write("A pause");
      std::this_thread::sleep_for(milliseconds(random() % 2 << random() % 6));
    }
    if (random() % 2)
      vm.write(line);
    else
      vm.replace(line);
    me.board().sent = moves;
    std::this_thread::sleep_for(milliseconds(1 << random() % rests_));
  }
}

void Migrations::bring_together() const {
  for (const SimulatedVm& vm : vms_) vm.write("A");
}

}  // namespace xs::test
