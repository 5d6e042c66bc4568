// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xs-sim: endpoints over the fake inner provider, in simulated time.
//
//   xs-sim --seeds COUNT [--from N] [--stop] [--fine | --no-rings | --tight] [--no-pauses]
//   [--no-remote] [--no-reads] [--no-fences] [--wakeful]
//       the regression seeds, then COUNT from N (1) on; perhaps only to the first that fails
//   xs-sim --seed N [--trace] [--fine | --no-rings | --tight] [--no-pauses] [--no-remote]
//   [--no-reads] [--no-fences] [--wakeful]
//       one run again, perhaps with a line for all that happens
// --no-rings: nobody shares memory. --fine: it may be lost between any two instructions; a seed is
// another run then in another build. --wakeful: who would sleep looks now and then instead.
// --tight: what may be shared is little, and changes; in some runs much goes through small rings.
// --no-pauses: no move is announced. --no-remote: nobody reaches for others' memory. --no-reads:
// nobody reads a neighbour's payloads out of its memory. --no-fences: nothing waits for all before
// it.
//   xs-sim --guests
//       64 processes in 4 virtual machines (sim/guests.hpp)
//   xs-sim --connections --seeds COUNT [--from N] [--stop] | --connections --seed N [--trace]
//       processes that listen, connect, talk and part (sim/connections.hpp)
//
// A failing seed is printed with its reason. Some hundred seeds fail if what rings are to be tested
// by did not happen. The last line is `N passed, N failed`.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "regress/sim/seeds.hpp"
#include "sim/connections.hpp"
#include "sim/guests.hpp"
#include "sim/world.hpp"

namespace {

using xs::sim::Mode;
using xs::sim::Tally;
using xs::sim::World;

struct Options {
  std::optional<std::uint64_t> seed;
  std::uint64_t seeds = 0;
  std::uint64_t from = 1;
  bool stop = false;
  bool guests = false;
  bool connections = false;
  Mode mode;
};

bool flag_of(std::string_view word, Options& options) {
  if (word == "--trace") return options.mode.tracing = true;
  if (word == "--stop") return options.stop = true;
  if (word == "--guests") return options.guests = true;
  if (word == "--connections") return options.connections = true;
  if (word == "--fine") return options.mode.fine = true;
  if (word == "--tight") return options.mode.tight = true;
  if (word == "--wakeful") return options.mode.wakeful = true;
  if (word == "--no-pauses") {
    options.mode.pauses = false;
    return true;
  }
  if (word == "--no-remote") {
    options.mode.remote = false;
    return true;
  }
  if (word == "--no-fences") {
    options.mode.fences = false;
    return true;
  }
  if (word == "--no-reads") {
    options.mode.reads = false;
    return true;
  }
  if (word != "--no-rings") return false;
  options.mode.rings = false;
  return true;
}

std::optional<Options> options_of(int count, char** words) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (flag_of(word, options)) continue;
    if (++i == count) return std::nullopt;
    const std::uint64_t number = std::strtoull(words[i], nullptr, 10);
    if (word == "--seed")
      options.seed = number;
    else if (word == "--seeds")
      options.seeds = number;
    else if (word == "--from")
      options.from = number;
    else
      return std::nullopt;
  }
  if (!options.seed && options.seeds == 0 && !options.guests) return std::nullopt;
  return options;
}

class Runs {
  // Runs in which everything that can happen happens to somebody.
  static constexpr std::uint64_t kEnough = 300;
  static constexpr std::uint64_t kMany = 9000;  // and what is rare, too

 public:
  Runs(const Mode& mode, bool stop) : mode_(mode), stop_(stop) {}

  void run(std::uint64_t seed, const Mode& mode) {
    if (stop_ && failed_ > 0) return;
    World world(seed, mode);
    const std::string reason = world.run(tally_);
    ++(reason.empty() ? passed_ : failed_);
    if (reason.empty()) return;
    std::printf("seed %lu: %s\n", seed, reason.c_str());
    std::fflush(stdout);
  }

  int report() const {
    std::printf("%lu messages, %lu received, %lu steps, %lu faults, %lu deaths, %lu replayed\n",
                tally_.messages, tally_.deliveries, tally_.steps, tally_.faults, tally_.deaths,
                tally_.replayed);
    std::printf(
        "%lu received by rings; %lu joins, %lu of them again, %lu leaves, %lu of them faults; "
        "left for larger ones %lu times, for want of room %lu\n",
        tally_.ring_messages, tally_.joins, tally_.rejoins, tally_.leaves, tally_.ring_faults,
        tally_.grows, tally_.vacates);
    std::printf(
        "%lu writes, %lu reads and %lu additions in others' memory, %lu that came to nothing\n",
        tally_.written, tally_.read, tally_.added, tally_.refused);
    std::printf("%lu operations were fenced, %lu of them behind others that were under way\n",
                tally_.fenced, tally_.held);
    std::printf(
        "%lu links, %lu shares, %lu mappings, %lu bells; %lu links lost, %lu mappings lost "
        "(%lu while read), %lu moves, %lu refusals\n",
        tally_.hv.opened, tally_.hv.shared, tally_.hv.mapped, tally_.hv.rung, tally_.hv.lost,
        tally_.hv.turned, tally_.hv.sprung, tally_.moves, tally_.hv.refused);
    std::printf(
        "%lu pauses; %lu ended by a word, %lu by a move, %lu by one that did not wait; %lu saves\n",
        tally_.pauses, tally_.resumes, tally_.quiet_moves, tally_.forced_moves, tally_.saves);
    std::printf("%lu payloads read out of a neighbour's memory; %lu too late, %lu not to the end\n",
                tally_.hv.read, tally_.hv.late, tally_.hv.unread);
    std::printf("%lu stops; what had waited was taken %lu ms after them at most\n", tally_.stops,
                tally_.longest_return / xs::util::kMillisecond);
    const bool enough = mode_.rings && passed_ >= kEnough;
    const bool idle =
        enough && !(tally_.saw_everything_of_rings() &&
                    (tally_.saw_everything_of_pauses() || !mode_.pauses) &&
                    (tally_.saw_everything_of_room() || !mode_.tight) &&
                    (tally_.saw_everything_of_memory() || !mode_.remote) &&
                    (tally_.saw_everything_of_fences() || !mode_.fences) &&
                    (tally_.saw_everything_of_reads(passed_ >= kMany) || !mode_.reads) &&
                    tally_.stops > 0 && tally_.longest_return > 0);
    if (idle) std::printf("something that this is to be tested by was never seen\n");
    std::printf("%lu passed, %lu failed\n", passed_, failed_ + (idle ? 1 : 0));
    return failed_ == 0 && !idle ? 0 : 1;
  }

 private:
  Mode mode_;
  bool stop_;
  Tally tally_;
  std::uint64_t passed_ = 0;
  std::uint64_t failed_ = 0;
};

// The run in which it was found.
Mode as_it_was(const xs::sim::RegressionSeed& seed, const Options& options) {
  Mode mode = options.mode;
  mode.rings = seed.rings;
  mode.wakeful = !seed.sleepers;
  mode.pauses = seed.pauses;
  mode.remote = seed.remote;
  mode.reads = seed.reads;
  mode.fences = seed.fences;
  return mode;
}

// With what a VM may grant by default, and with half of it.
int run_guests() {
  int passed = 0, failed = 0;
  for (const std::size_t limit : {1024u, 512u}) {
    std::printf("%zu pages a VM\n", limit);
    const std::string reason = xs::sim::Guests(limit).run();
    if (!reason.empty()) std::printf("something is wrong: %s\n", reason.c_str());
    ++(reason.empty() ? passed : failed);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}

int run_connections(const Options& options) {
  constexpr std::uint64_t kEnough = 300;  // runs in which everything happens to somebody
  xs::sim::ConnectTally tally;
  std::uint64_t passed = 0, failed = 0;
  const auto run = [&](std::uint64_t seed) {
    if (options.stop && failed > 0) return;
    const std::string reason = xs::sim::Connections(seed, options.mode.tracing).run(tally);
    ++(reason.empty() ? passed : failed);
    if (!reason.empty()) std::printf("seed %lu: %s\n", seed, reason.c_str());
    std::fflush(stdout);
  };
  if (options.seed) {
    run(*options.seed);
  } else {
    for (const auto& each : xs::sim::kConnectionSeeds) run(each.seed);
    for (std::uint64_t i = 0; i < options.seeds; ++i) run(options.from + i);
  }
  const auto& all = tally.attempts;
  std::printf("%lu attempts; sides: %lu connected, %lu in vain, %lu disconnected\n", all.attempts,
              all.connected, all.failed, all.over);
  std::printf("%lu messages, %lu of them by rings; %lu joins, %lu moves, %lu faults, %lu deaths\n",
              all.heard, tally.by_ring, tally.joined, tally.moves, tally.faults, tally.deaths);
  const bool idle = passed >= kEnough && !tally.saw_everything();
  if (idle) std::printf("something that this is to be tested by was never seen\n");
  std::printf("%lu passed, %lu failed\n", passed, failed + (idle ? 1 : 0));
  return failed > 0 || idle;
}

}  // namespace

int main(int count, char** words) {
  const auto options = options_of(count, words);
  if (!options) {
    std::fprintf(stderr,
                 "usage: xs-sim --seeds COUNT [--from N] [--stop] | --seed N [--trace]"
                 " [--fine | --no-rings | --tight] [--no-pauses] [--no-remote] [--no-reads]"
                 " [--no-fences] [--wakeful] | --guests | --connections --seeds COUNT |"
                 " --connections --seed N [--trace]\n");
    return 2;
  }
  if (options->guests) return run_guests();
  if (options->connections) return run_connections(*options);
  Runs runs(options->mode, options->stop);
  if (options->seed) {
    runs.run(*options->seed, options->mode);
    return runs.report();
  }
  for (const auto& each : xs::sim::kRegressionSeeds) runs.run(each.seed, as_it_was(each, *options));
  for (std::uint64_t i = 0; i < options->seeds; ++i) runs.run(options->from + i, options->mode);
  return runs.report();
}
