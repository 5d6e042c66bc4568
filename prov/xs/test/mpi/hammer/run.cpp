// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "run.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace hammer {
namespace {

constexpr std::uint64_t kMostPrinted = 8;

}  // namespace

void Tally::start(std::string phase, int rank) {
  phase_ = std::move(phase);
  rank_ = rank;
  messages_ = 0;
  bytes_ = 0;
  mismatches_ = 0;
}

// Of several threads one may miss another one's: who measures has one.
void Tally::note_time() {
  const Clock::time_point now = Clock::now();
  longest_ = std::max(longest_.load(), now - last_.exchange(now));
}

std::chrono::milliseconds Tally::take_longest_silence() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      longest_.exchange(Clock::duration::zero()));
}

void Tally::mismatch(const std::string& text) {
  if (++mismatches_ <= kMostPrinted) {
    std::fprintf(stderr, "MISMATCH phase %s, rank %d: %s\n", phase_.c_str(), rank_, text.c_str());
  }
}

void Saboteur::touch(std::span<std::byte> payload) {
  if (armed_ && !payload.empty() && armed_.exchange(false)) {
    payload[payload.size() / 2] ^= std::byte{0x10};
  }
}

}  // namespace hammer
