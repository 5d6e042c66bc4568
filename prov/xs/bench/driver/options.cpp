// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "driver/options.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <map>
#include <sstream>

#include "common/failure.hpp"

namespace xs::bench {
namespace {

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream stream(list);
  for (std::string word; std::getline(stream, word, ',');)
    if (!word.empty()) words.push_back(word);
  return words;
}

double positive(const std::string& option, const std::string& text) {
  std::istringstream stream(text);
  double value = 0;
  if (!(stream >> value) || !stream.eof() || !(value > 0))
    throw Failure(option + " takes a number above 0, not '" + text + "'");
  return value;
}

// A typing error mustn't open endpoints until the machine has no memory left.
unsigned idle_peers_of(const std::string& text) {
  constexpr double kMost = 4096;
  const double count = positive("--idle", text);
  if (count < 1 || count > kMost || count != std::floor(count))
    throw Failure("--idle takes a number of peers, 1 to 4096, not '" + text + "'");
  return static_cast<unsigned>(count);
}

std::vector<const Suite*> suites_of(const std::string& list) {
  std::vector<const Suite*> suites;
  for (const std::string& name : split(list)) {
    const Suite* const suite = suite_named(name);
    if (suite == nullptr) throw Failure("--operations knows no " + name);
    suites.push_back(suite);
  }
  if (suites.empty()) throw Failure("--operations takes at least one");
  return suites;
}

using Setter = std::function<void(Options&, const std::string&)>;

const std::map<std::string, Setter>& setters() {
  static const std::map<std::string, Setter> table = {
      {"--subject", [](Options& o, const std::string& v) { o.subject = v; }},
      {"--operations", [](Options& o, const std::string& v) { o.suites = suites_of(v); }},
      {"--peers", [](Options& o, const std::string& v) { o.peers = split(v); }},
      {"--inner", [](Options& o, const std::string& v) { o.inner = v; }},
      {"--plugin-dir", [](Options& o, const std::string& v) { o.plugin_dir = v; }},
      {"--second-libfabric", [](Options& o, const std::string& v) { o.second_libfabric = v; }},
      {"--mpi-program", [](Options& o, const std::string& v) { o.mpi_program = v; }},
      {"--far", [](Options& o, const std::string& v) { o.far = v; }},
      {"--near", [](Options& o, const std::string& v) { o.near = v; }},
      {"--idle", [](Options& o, const std::string& v) { o.idle = idle_peers_of(v); }},
      {"--beginnings",
       [](Options& o, const std::string& v) {
         o.beginnings = static_cast<unsigned>(std::max(1.0, positive("--beginnings", v)));
       }},
      {"--out", [](Options& o, const std::string& v) { o.out = v; }},
      {"--rounds",
       [](Options& o, const std::string& v) {
         o.rounds = static_cast<unsigned>(std::max(1.0, positive("--rounds", v)));
       }},
      {"--largest",
       [](Options& o, const std::string& v) {
         o.largest = static_cast<std::size_t>(positive("--largest", v));
       }},
      {"--window",
       [](Options& o, const std::string& v) {
         const auto memory = static_cast<std::size_t>(positive("--window", v));
         o.window_memory = std::min(memory, kWindowBytes);
       }},
      {"--budget",
       [](Options& o, const std::string& v) { o.budget = positive("--budget", v) / 1e3; }},
      {"--limit", [](Options& o, const std::string& v) { o.limit = positive("--limit", v); }},
      {"--deadline",
       [](Options& o, const std::string& v) { o.deadline = positive("--deadline", v); }},
  };
  return table;
}

}  // namespace

const char* const kUsage =
    "  --quick                    15 rounds of 3 ms, at most 60 s\n"
    "  --peers LIST               some of shm,sm2,net,tcp,tcp;ofi_rxm,sockets,mpi (default: all)\n"
    "  --operations LIST          some of messages,rma,atomics (default: all)\n"
    "  --inner NAME               build xs on this provider (sets FI_XS_FALLBACK)\n"
    "  --plugin-dir DIR           where libxs-fi.so is\n"
    "  --second-libfabric PREFIX  measure the providers of this libfabric as well\n"
    "  --far COMMAND              one side of each pair runs on another machine, started by "
    "COMMAND,\n"
    "                             as in 'ssh HOST'; neither MPI nor the floor is measured\n"
    "  --near ADDRESS             this machine's IPv4 address, where that side finds the driver\n"
    "  --asleep                   also xs and the inner provider between processes that sleep\n"
    "  --idle N                   also xs and shm beside N peers per side that are connected and "
    "silent\n"
    "  --beginnings N             also the first message of N fresh pairs of each\n"
    "  --out DIR                  where the results go\n"
    "  --subject NAME             compare this provider instead of xs\n"
    "  --rounds N                 rounds, 40\n"
    "  --largest BYTES            of a message, 4194304\n"
    "  --window BYTES             in flight in a stream, 64 messages and 16777216 at most\n"
    "  --budget MS                milliseconds per measurement, 10\n"
    "  --deadline S               seconds after which a measurement is 'too slow', 2\n"
    "  --limit S                  seconds after which no further measurement begins, 600\n"
    "  --mpi-program PATH         the program for mpirun\n";

bool Options::has_peer(const std::string& name) const {
  return std::find(peers.begin(), peers.end(), name) != peers.end();
}

std::optional<Options> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  if (const char* inner = std::getenv("FI_XS_FALLBACK")) options.inner = inner;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (name == "-h" || name == "--help") return std::nullopt;
    if (name == "--quick") {
      options.rounds = 15;
      options.budget = 0.003;
      options.limit = 60;
      continue;
    }
    if (name == "--asleep") {
      options.asleep = true;
      continue;
    }
    const auto setter = setters().find(name);
    if (setter == setters().end()) throw Failure("unknown option " + name);
    if (i + 1 == arguments.size()) throw Failure(name + " takes a value");
    setter->second(options, arguments[++i]);
  }
  if (options.far.empty() != options.near.empty()) throw Failure("--far and --near go together");
  return options;
}

}  // namespace xs::bench
