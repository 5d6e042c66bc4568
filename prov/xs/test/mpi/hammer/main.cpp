// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The main program of xs-hammer and xs-windows: phases (phase_list.cpp) in which every payload is
// checked. See options.cpp for its usage.
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "../payload.hpp"
#include "options.hpp"
#include "phases.hpp"

namespace hammer {
namespace {

using Clock = std::chrono::steady_clock;

bool wanted(const Options& options, std::string_view name) {
  if (options.phases.empty()) {
    return name != "threads" || options.threads > 0;
  }
  return std::find(options.phases.begin(), options.phases.end(), name) != options.phases.end();
}

/// What one phase came to on all ranks.
struct Outcome {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::uint64_t mismatches = 0;
  bool all_checked = false;  ///< every rank has checked something

  bool good() const { return mismatches == 0 && all_checked; }
};

Outcome gather_outcome(const Tally& tally) {
  std::array<std::uint64_t, 3> sums = {tally.messages(), tally.bytes(), tally.mismatches()};
  std::uint64_t least = tally.messages();
  MPI_Allreduce(MPI_IN_PLACE, sums.data(), sums.size(), MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
  MPI_Allreduce(MPI_IN_PLACE, &least, 1, MPI_UINT64_T, MPI_MIN, MPI_COMM_WORLD);
  // A wrong sum must not hide what this rank has seen itself.
  return {sums[0], sums[1], std::max(sums[2], tally.mismatches()),
          least > 0 && tally.messages() > 0};
}

void print_outcome(const char* name, const Outcome& outcome, double seconds) {
  std::printf("%s %-12s %8llu messages  %9.1f MiB  %llu mismatches%s  %.2f s\n",
              outcome.good() ? "ok  " : "FAIL", name,
              static_cast<unsigned long long>(outcome.messages),
              static_cast<double>(outcome.bytes) / (1U << 20U),
              static_cast<unsigned long long>(outcome.mismatches),
              outcome.all_checked ? "" : ", a rank checked nothing", seconds);
  std::fflush(stdout);
}

/// What each rank has waited most for a message in this phase. In milliseconds, by its own clock.
void print_silences(Run& run, const char* name) {
  const long long own = run.tally.take_longest_silence().count();
  std::vector<long long> all(static_cast<std::size_t>(run.ranks));
  MPI_Gather(&own, 1, MPI_LONG_LONG, all.data(), 1, MPI_LONG_LONG, 0, MPI_COMM_WORLD);
  if (run.rank != 0) {
    return;
  }
  std::printf("     %-12s at most without a message:", name);
  for (const long long each : all) {
    std::printf(" %lld ms", each);
  }
  std::printf("\n");
}

/// True if all ranks found everything right.
bool run_phase(Run& run, const PhaseEntry& phase, std::uint64_t seed, const Options& options) {
  run.watchdog.enter(phase.name, run.rank);
  run.tally.start(phase.name, run.rank);
  if (options.corrupt && run.rank == 0) {
    run.saboteur.arm();
  }
  const Clock::time_point start = Clock::now();
  for (int round = 0; round < options.rounds; ++round) {
    phase.body(run, payload::key_of(seed, &phase - all_phases().data(), round), round);
  }
  const Outcome outcome = gather_outcome(run.tally);
  if (run.rank == 0) {
    print_outcome(phase.name, outcome, std::chrono::duration<double>(Clock::now() - start).count());
  }
  if (!options.file.empty()) {
    print_silences(run, phase.name);
  }
  return outcome.good();
}

/// Rank 0's word: its own seed, or the one asked for.
std::uint64_t agree_on_seed(const Options& options) {
  std::uint64_t seed = options.seed ? *options.seed : std::random_device{}();
  MPI_Bcast(&seed, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
  return seed;
}

/// Rank 0's clock, or its file, decides for all whether there is another cycle.
bool another_cycle(const Options& options, Clock::time_point start) {
  const bool in_time = Clock::now() - start < std::chrono::seconds(options.seconds);
  const bool has_file = !options.file.empty() && access(options.file.c_str(), F_OK) == 0;
  int more = in_time || has_file ? 1 : 0;
  MPI_Bcast(&more, 1, MPI_INT, 0, MPI_COMM_WORLD);
  return more != 0;
}

bool run_all(Run& run, const Options& options) {
  const Clock::time_point start = Clock::now();
  std::uint64_t seed = agree_on_seed(options);
  bool good = true;
  do {
    if (run.rank == 0) {
      std::printf("%s: --seed %llu --rounds %d, %d ranks, %d threads\n", program_name(),
                  static_cast<unsigned long long>(seed), options.rounds, run.ranks, run.threads);
    }
    for (const PhaseEntry& phase : all_phases()) {
      if (wanted(options, phase.name)) {
        good = run_phase(run, phase, seed, options) && good;
      }
    }
    ++seed;
  } while (another_cycle(options, start));
  return good;
}

}  // namespace

}  // namespace hammer

int main(int argc, char** argv) {
  const hammer::Options options = hammer::parse_options(argc, argv);
  hammer::Watchdog watchdog{std::chrono::seconds(options.limit)};
  watchdog.enter("MPI_Init", -1);
  const int wanted = options.threads > 0 ? MPI_THREAD_MULTIPLE : MPI_THREAD_SINGLE;
  int provided = 0;
  MPI_Init_thread(&argc, &argv, wanted, &provided);
  hammer::Run run{.watchdog = watchdog, .tally = {}, .saboteur = {}, .threads = options.threads};
  MPI_Comm_rank(MPI_COMM_WORLD, &run.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &run.ranks);
  if (provided < wanted) {
    std::fprintf(stderr, "%s: this MPI library offers no MPI_THREAD_MULTIPLE\n",
                 hammer::program_name());
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  watchdog.enter("first broadcast", run.rank);
  const bool good = hammer::run_all(run, options);
  watchdog.enter("MPI_Finalize", run.rank);
  MPI_Finalize();
  return good ? 0 : 1;
}
