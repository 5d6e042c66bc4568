// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/guests.hpp"

#include <algorithm>
#include <cstdio>

namespace xs::sim {

namespace {

constexpr unsigned kVms = 4;
constexpr unsigned kRanks = 16;  // in each
constexpr unsigned kAll = kVms * kRanks;
constexpr unsigned kCalmEvery = 500;  // ms between two messages from a process to another one
constexpr std::size_t kCalmBytes = 64;
constexpr unsigned kBusyMessages = 2;  // in each ms, from a process to each of its busy peers
constexpr std::size_t kBusyBytes = 200;
constexpr std::size_t kStreamBytes = 4000;

unsigned vm_of(unsigned rank) { return rank / kRanks; }
proto::Address address_of(unsigned rank) {
  return Rank::address_of(vm_of(rank) + 1, rank % kRanks);
}

}  // namespace

Guests::Guests(std::size_t limit) : network_({}, 1, *this), ranks_(kAll) {
  for (unsigned vm = 1; vm <= kVms; ++vm) xen_.quota(vm).pages = limit;
}

std::string Guests::run() {
  alone();
  everybody();
  pauses();
  crashes();
  end();
  return wrong_;
}

// One process in each VM takes what it can get.
void Guests::alone() {
  for (unsigned vm = 0; vm < kVms; ++vm) start(vm, 0);
  pass(3000, false, kStreamBytes);
  show("4 processes alone");
  judge_quotas("alone");
  judge_busy("alone");
}

// The others come, and everybody talks to everybody; with two each it talks much.
void Guests::everybody() {
  for (unsigned number = 1; number < kRanks; ++number) {
    for (unsigned vm = 0; vm < kVms; ++vm) start(vm, number);
    pass(20, true, 0);
  }
  pass(8000, true, kBusyBytes);
  show("64 processes");
  judge_quotas("with all");
  judge_busy("with all");
}

// Half of them are killed, and others come in their place.
void Guests::crashes() {
  for (unsigned i = 0; i < kAll; i += 2) {
    lost_ += ranks_[i]->sent();
    ranks_[i]->kill();
    ranks_[i].reset();
  }
  pass(500, true, kBusyBytes);
  for (unsigned i = 0; i < kAll; i += 2) start(vm_of(i), i % kRanks);
  pass(8000, true, kBusyBytes);
  show("32 of them new");
  judge_quotas("after crashes");
  judge_busy("after crashes");
}

// Nothing stays behind.
void Guests::end() {
  for_each([&](Rank& rank) {
    if (rank.counters().exhausted > 0) fail("something was lacking", "");
  });
  ranks_.clear();
  for (unsigned vm = 1; vm <= kVms; ++vm) {
    const auto left = xen_.used(vm);
    if (left.pages > 0) fail("pages stay behind: ", std::to_string(left.pages));
    if (left.watches > 0) fail("watches stay behind: ", std::to_string(left.watches));
  }
}

void Guests::start(unsigned vm, unsigned number) {
  auto& place = ranks_[vm * kRanks + number];
  place = std::make_unique<Rank>(network_, xen_, vm + 1, number, ++lives_);
  if (!place->works()) fail("a process can't begin", "");
}

// Neighbours in a circle of VMs.
bool Guests::are_busy(unsigned a, unsigned b) const {
  const unsigned apart = (vm_of(a) + kVms - vm_of(b)) % kVms;
  return a % kRanks == b % kRanks && (apart == 1 || apart == kVms - 1);
}

void Guests::pass(unsigned milliseconds, bool calm, std::size_t busy_bytes) {
  for (unsigned i = 0; i < milliseconds && wrong_.empty(); ++i, ++time_) {
    if (calm) send_calm(time_);
    if (busy_bytes > 0) send_busy(busy_bytes);
    network_.set_time(network_.now() + util::kMillisecond);
    for_each([](Rank& rank) { rank.step(); });
    judge_pause();
  }
}

void Guests::send_calm(unsigned millisecond) {
  for (unsigned a = 0; a < kAll; ++a)
    for (unsigned b = (millisecond + 7 * a) % kCalmEvery; b < kAll; b += kCalmEvery)
      if (a != b && ranks_[a] && ranks_[b]) ranks_[a]->send(address_of(b), kCalmBytes);
}

void Guests::send_busy(std::size_t bytes) {
  for (unsigned a = 0; a < kAll; ++a)
    for (unsigned b = a % kRanks; b < kAll; b += kRanks)
      for (unsigned i = 0; i < kBusyMessages; ++i)
        if (are_busy(a, b) && ranks_[a] && ranks_[b]) ranks_[a]->send(address_of(b), bytes);
}

void Guests::judge_quotas(const char* when) {
  for (unsigned vm = 1; vm <= kVms; ++vm) {
    const auto& most = xen_.quota(vm);
    const auto& peak = xen_.peak(vm);
    if (peak.pages > most.pages || peak.nodes > most.nodes || peak.watches > most.watches ||
        peak.names > most.names || peak.value > most.value)
      fail("a quota was exceeded ", when);
  }
  for_each([&](Rank& rank) {
    if (rank.in_use() > rank.pages()) fail("a process has more than its part ", when);
    if (rank.failed() > 0) fail("an operation failed ", when);
  });
}

void Guests::judge_busy(const char* when) {
  std::uint32_t least = ~0u, most = 0;
  for (unsigned a = 0; a < kAll; ++a)
    for (unsigned b = 0; b < kAll; ++b) {
      if (!ranks_[a] || !ranks_[b] || !are_busy(a, b)) continue;
      const std::uint32_t pages = ranks_[a]->ring_to(address_of(b));
      least = std::min(least, pages);
      most = std::max(most, pages);
    }
  std::printf("  busy pairs have regions of %u to %u pages\n", least, most);
  if (least == 0) fail("a busy pair has no ring ", when);
}

void Guests::show(const char* when) {
  std::printf("%s:\n", when);
  for (unsigned vm = 1; vm <= kVms; ++vm) {
    Rank::RingCount all;
    std::uint64_t joined = 0, left = 0;
    for_each([&](Rank& rank) {
      if (rank.vm() != vm) return;
      const Rank::RingCount own = rank.rings();
      all.rings += own.rings;
      all.pages += own.pages;
      all.largest = std::max(all.largest, own.largest);
      joined += rank.paths().joined;
      left += rank.paths().left;
    });
    const auto now = xen_.used(vm);
    const auto& peak = xen_.peak(vm);
    std::printf(
        "  VM %u: %zu pages granted (at most %zu), %zu nodes, %zu watches, %zu names, %zu bytes in "
        "a node; %u rings of %zu pages, the largest of %u; %lu joined, %lu left\n",
        vm, now.pages, peak.pages, peak.nodes, peak.watches, peak.names, peak.value, all.rings,
        all.pages, all.largest, joined, left);
  }
}

}  // namespace xs::sim
