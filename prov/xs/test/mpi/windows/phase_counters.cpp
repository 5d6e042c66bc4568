// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Single words that all ranks change: who drew which number tells whether each change was one.
#include <algorithm>
#include <numeric>

#include "../payload.hpp"
#include "phases.hpp"

namespace windows {
namespace {

constexpr int kTurns = 25;

template <typename Word>
struct TypeOf;
template <>
struct TypeOf<std::uint64_t> {
  static MPI_Datatype type() { return MPI_UINT64_T; }
};
template <>
struct TypeOf<std::uint32_t> {
  static MPI_Datatype type() { return MPI_UINT32_T; }
};

template <typename Word>
Word fetch(const Window& window, const Locked& locked, int target, Word operand, MPI_Op op) {
  Word before = 0;
  MPI_Fetch_and_op(&operand, &before, TypeOf<Word>::type(), target, 0, op, window.handle());
  locked.flush(target);
  return before;
}

/// All ranks' words, in ascending order.
template <typename Word>
std::vector<Word> gather(const Run& run, const std::vector<Word>& own) {
  const auto count = static_cast<int>(own.size());
  std::vector<Word> all(own.size() * static_cast<std::size_t>(run.ranks));
  MPI_Allgather(own.data(), count, TypeOf<Word>::type(), all.data(), count, TypeOf<Word>::type(),
                MPI_COMM_WORLD);
  std::sort(all.begin(), all.end());
  return all;
}

/// Draws numbers, with everybody else, at one rank; each from 0 on is drawn once.
template <typename Word>
void draw_tickets(Run& run, int target, Memory memory) {
  const Window window(run, sizeof(Word), memory);
  std::vector<Word> drawn;
  {
    const Locked locked(run, window, Locked::kAll);
    for (int turn = 0; turn < kTurns; ++turn) {
      Word one = 1;
      run.saboteur.touch(std::as_writable_bytes(std::span(&one, 1)));
      drawn.push_back(fetch<Word>(window, locked, target, one, MPI_SUM));
    }
  }
  const std::vector<Word> all = gather(run, drawn);
  std::vector<Word> wanted(all.size());
  std::iota(wanted.begin(), wanted.end(), Word{0});
  run.tally.checked(drawn.size() * sizeof(Word));
  if (all != wanted) {
    run.tally.mismatch("numbers drawn at rank " + std::to_string(target) + ": one is missing");
  }
}

/// Counts a word up by compare and swap until it was our turn so often.
template <typename Word>
void count_by_swaps(Run& run, int target, Memory memory) {
  const Window window(run, sizeof(Word), memory);
  Word final = 0;
  {
    const Locked locked(run, window, Locked::kAll);
    Word seen = 0;
    for (int turn = 0; turn < kTurns;) {
      Word next = seen + 1;
      if (turn == kTurns / 2) {
        run.saboteur.touch(std::as_writable_bytes(std::span(&next, 1)));
      }
      Word before = 0;
      MPI_Compare_and_swap(&next, &seen, &before, TypeOf<Word>::type(), target, 0, window.handle());
      locked.flush(target);
      if (before == seen) {
        ++turn;
        seen = next;
      } else {
        seen = before;
      }
    }
    barrier(run);
    final = fetch<Word>(window, locked, target, 0, MPI_NO_OP);
  }
  expect_equal(run, final, static_cast<std::uint64_t>(run.ranks) * kTurns, "counted by swaps");
}

/// Everybody leaves names and takes what was there before: in the end each name was taken once, or
/// is still there.
void exchange_names(Run& run, std::uint64_t salt, int target, Memory memory) {
  const Window window(run, sizeof(std::uint64_t), memory);
  std::vector<std::uint64_t> left;
  std::vector<std::uint64_t> taken;
  {
    const Locked locked(run, window, Locked::kAll);
    for (int turn = 0; turn < kTurns; ++turn) {
      left.push_back(payload::key_of(salt, run.rank, turn));
      taken.push_back(fetch<std::uint64_t>(window, locked, target, left.back(), MPI_REPLACE));
    }
    barrier(run);
    // The last one, once.
    left.push_back(0);
    taken.push_back(run.rank == target ? fetch<std::uint64_t>(window, locked, target, 0, MPI_NO_OP)
                                       : 0);
  }
  // Each rank but the target has given one zero too many, and the window's own was taken, too.
  std::vector<std::uint64_t> all_taken = gather(run, taken);
  run.tally.checked(taken.size() * sizeof(std::uint64_t));
  if (all_taken != gather(run, left)) {
    run.tally.mismatch("names at rank " + std::to_string(target) + ": one is lost or doubled");
  }
}

}  // namespace

void phase_tickets(Run& run, std::uint64_t /*salt*/, int round) {
  for (int target = 0; target < run.ranks; ++target) {
    draw_tickets<std::uint64_t>(run, target, memory_of(round));
    draw_tickets<std::uint32_t>(run, target, memory_of(round));
  }
}

void phase_swap(Run& run, std::uint64_t salt, int round) {
  for (int target = 0; target < run.ranks; ++target) {
    count_by_swaps<std::uint64_t>(run, target, memory_of(round));
    count_by_swaps<std::uint32_t>(run, target, memory_of(round));
    exchange_names(run, payload::key_of(salt, target), target, memory_of(round));
  }
}

}  // namespace windows
