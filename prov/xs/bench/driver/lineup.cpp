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

Lineup::Lineup(const Options& options, const Casting& casting, const Listener& listener,
               std::ostream& notes)
    : options_(options), casting_(casting), listener_(listener), notes_(notes) {}

std::vector<Pair> Lineup::gather() {
  gather_providers(Group::kFabric);
  if (!options_.second_libfabric.empty()) gather_providers(Group::kSecond);
  if (options_.asleep) gather_sleepers();
  // Of one machine.
  if (!options_.far.empty()) return std::move(pairs_);
  if (options_.has_peer("mpi")) gather_mpi();
  add(casting_.floor());
  return std::move(pairs_);
}

std::optional<Pair> Lineup::start(Contestant contestant) const {
  Pair pair(std::move(contestant), listener_, options_.out + "/workers.log");
  try {
    pair.start();
    return pair;
  } catch (const Failure& failure) {
    notes_ << "skip " << pair.entry().name << ": " << failure.what() << std::endl;
    return std::nullopt;
  }
}

bool Lineup::add(Contestant contestant) {
  auto pair = start(std::move(contestant));
  if (pair) pairs_.push_back(std::move(*pair));
  return pair.has_value();
}

void Lineup::gather_providers(Group group) {
  const bool has_subject = add(casting_.provider(group, Role::kSubject, options_.subject));
  const auto order = options_.inner.empty() ? kInnerOrder : std::vector{options_.inner};
  std::vector<std::string> tried;
  for (const std::string& name : order) {
    tried.push_back(name);
    if (!add(casting_.provider(group, Role::kInner, name))) continue;
    if (group == Group::kFabric) inner_ = name;
    break;
  }
  for (const std::string& name : options_.peers) {
    if (name == "mpi" || std::find(tried.begin(), tried.end(), name) != tried.end()) continue;
    add(casting_.provider(group, Role::kPeer, name));
  }
  if (group == Group::kFabric) subject_is_there_ = has_subject;
}

void Lineup::gather_sleepers() {
  if (subject_is_there_) add(casting_.provider(Group::kAsleep, Role::kSubject, options_.subject));
  if (!inner_.empty()) add(casting_.provider(Group::kAsleep, Role::kInner, inner_));
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
