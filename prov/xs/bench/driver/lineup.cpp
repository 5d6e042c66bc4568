// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "driver/lineup.hpp"

#include <algorithm>
#include <ostream>

#include "common/failure.hpp"

namespace xs::bench {
namespace {

// The order in which xs looks for what it builds on.
const std::vector<std::string> kInnerOrder = {"tcp", "net", "tcp;ofi_rxm", "sockets"};

}  // namespace

Lineup::Lineup(const Options& options, const Suite& suite, const Casting& casting,
               const Listener& listener, std::ostream& notes)
    : options_(options), suite_(suite), casting_(casting), listener_(listener), notes_(notes) {}

std::vector<Pair> Lineup::gather() {
  gather_providers(Group::kFabric);
  if (!options_.second_libfabric.empty()) gather_providers(Group::kSecond);
  if (options_.asleep) gather_sleepers();
  if (options_.idle > 0 && &suite_ == &kMessages) gather_idle();
  // Of one machine, and messages alone.
  if (!options_.far.empty() || &suite_ != &kMessages) return std::move(pairs_);
  if (options_.has_peer("mpi")) gather_mpi();
  add(casting_.floor());
  return std::move(pairs_);
}

Lineup::Entrance Lineup::add(Contestant contestant) {
  Pair pair(std::move(contestant), listener_, options_.out + "/workers.log");
  try {
    pair.start();
    pairs_.push_back(std::move(pair));
    return Entrance::kIn;
  } catch (const Failure& failure) {
    notes_ << "skip " << pair.entry().name << ": " << failure.what() << std::endl;
    const bool declined = dynamic_cast<const Declined*>(&failure) != nullptr;
    return declined ? Entrance::kDeclined : Entrance::kMissing;
  }
}

void Lineup::gather_providers(Group group) {
  const Entrance subject = add(casting_.provider(group, Role::kSubject, options_.subject));
  const auto order = options_.inner.empty() ? kInnerOrder : std::vector{options_.inner};
  std::vector<std::string> tried;
  for (const std::string& name : order) {
    tried.push_back(name);
    const Entrance entrance = add(casting_.provider(group, Role::kInner, name));
    if (entrance == Entrance::kIn && group == Group::kFabric) inner_ = name;
    // One that declines is what the subject builds on, nevertheless.
    if (entrance != Entrance::kMissing) break;
  }
  for (const std::string& name : options_.peers) {
    if (name == "mpi" || std::find(tried.begin(), tried.end(), name) != tried.end()) continue;
    add(casting_.provider(group, Role::kPeer, name));
  }
  if (group == Group::kFabric) subject_is_there_ = subject == Entrance::kIn;
}

void Lineup::gather_sleepers() {
  if (subject_is_there_) add(casting_.provider(Group::kAsleep, Role::kSubject, options_.subject));
  if (!inner_.empty()) add(casting_.provider(Group::kAsleep, Role::kInner, inner_));
}

// What else wants to look at every neighbour's memory is shm, so it is beside it.
void Lineup::gather_idle() {
  if (subject_is_there_) add(casting_.provider(Group::kIdle, Role::kSubject, options_.subject));
  if (options_.has_peer("shm") && options_.subject != "shm")
    add(casting_.provider(Group::kIdle, Role::kPeer, "shm"));
}

void Lineup::gather_mpi() {
  if (options_.mpi_program.empty()) {
    notes_ << "skip mpi: its program wasn't built" << std::endl;
    return;
  }
  if (subject_is_there_) add(casting_.mpi_over_provider(Role::kSubject, options_.subject));
  if (!inner_.empty()) add(casting_.mpi_over_provider(Role::kInner, inner_));
  for (const char* btl : {"vader", "tcp"}) add(casting_.mpi_over_btl(btl));
}

}  // namespace xs::bench
