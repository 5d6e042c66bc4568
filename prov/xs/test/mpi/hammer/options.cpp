// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "options.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "phases.hpp"

namespace hammer {
namespace {

constexpr const char* kUsage =
    "usage: mpirun -n N PROGRAM [options]\n"
    "  --phases a,b     only these phases\n"
    "  --rounds N       rounds of each phase (4; the variants of a phase repeat every 4 rounds)\n"
    "  --seconds S      repeat all phases with new seeds until S seconds are over\n"
    "  --while FILE     and as long as rank 0 sees that file; tells what each rank waited most\n"
    "  --seed N         seed of every size, tag, order and payload (random)\n"
    "  --threads N      MPI_THREAD_MULTIPLE, with N threads in the phase 'threads'\n"
    "  --limit S        seconds after which a phase counts as hung (60)\n"
    "  --corrupt        flip one byte of one sent payload in each phase: every phase must then "
    "fail\n"
    "  --list           print the phases\n"
    "exit status: 0 all payloads right, 1 mismatch, 2 usage, 3 hang\n";

[[noreturn]] void refuse(std::string_view why, std::string_view what) {
  std::fprintf(stderr, "%s: %.*s: %.*s\n%s", program_name(), static_cast<int>(why.size()),
               why.data(), static_cast<int>(what.size()), what.data(), kUsage);
  std::exit(2);
}

[[noreturn]] void list_phases() {
  for (const PhaseEntry& phase : all_phases()) {
    std::printf("%-12s %s\n", phase.name, phase.about);
  }
  std::exit(0);
}

template <typename Number>
Number number(std::string_view text, Number least) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least) {
    refuse("not a usable number", text);
  }
  return value;
}

std::vector<std::string> phase_names(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find(','));
    const auto known = all_phases();
    if (std::none_of(known.begin(), known.end(),
                     [&](const PhaseEntry& phase) { return name == phase.name; })) {
      refuse("no such phase", name);
    }
    names.emplace_back(name);
    text.remove_prefix(std::min(text.size(), name.size() + 1));
  }
  return names;
}

/// True if `flag` takes a value, which is then stored.
bool store(Options& options, std::string_view flag, std::string_view value) {
  if (flag == "--phases") {
    options.phases = phase_names(value);
  } else if (flag == "--rounds") {
    options.rounds = number<int>(value, 1);
  } else if (flag == "--seconds") {
    options.seconds = number<int>(value, 1);
  } else if (flag == "--while") {
    options.file = value;
  } else if (flag == "--seed") {
    options.seed = number<std::uint64_t>(value, 0);
  } else if (flag == "--threads") {
    options.threads = number<int>(value, 1);
  } else if (flag == "--limit") {
    options.limit = number<int>(value, 1);
  } else {
    return false;
  }
  return true;
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--help") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    } else if (flag == "--list") {
      list_phases();
    } else if (flag == "--corrupt") {
      options.corrupt = true;
    } else if (i + 1 == argc || !store(options, flag, argv[i + 1])) {
      refuse("unknown option, or its value is missing", flag);
    } else {
      ++i;
    }
  }
  const auto& asked = options.phases;
  if (options.threads == 0 && std::find(asked.begin(), asked.end(), "threads") != asked.end()) {
    refuse("phase needs --threads", "threads");
  }
  return options;
}

}  // namespace hammer
