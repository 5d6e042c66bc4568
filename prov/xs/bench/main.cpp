// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xs-bench: the driver, and the workers that it starts from the same program.
#include <rdma/fabric.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "common/channel.hpp"
#include "common/cores.hpp"
#include "common/failure.hpp"
#include "driver/beginnings.hpp"
#include "driver/contestant.hpp"
#include "driver/lineup.hpp"
#include "driver/options.hpp"
#include "driver/tournament.hpp"
#include "report/comparison.hpp"
#include "report/plot.hpp"
#include "report/text.hpp"
#include "worker/fabric_side.hpp"
#include "worker/floor_side.hpp"
#include "worker/remote_side.hpp"
#include "worker/side.hpp"

namespace xs::bench {
namespace {

/// A directory for the control socket, which goes with this object.
class PrivateDirectory {
 public:
  PrivateDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "xs-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) fail("mkdtemp " + name, errno);
    path_ = name;
  }
  ~PrivateDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::unique_ptr<Side> make_side(unsigned number, const std::vector<std::string>& what) {
  if (what.at(0) == "floor") return make_floor_side(number);
  const bool asleep = what.at(0) == "asleep";
  const Suite* const suite = suite_named(what.at(1));
  if (suite == nullptr) throw Failure("unknown suite " + what.at(1));
  const auto idle = static_cast<unsigned>(std::stoul(what.at(3)));
  if (suite == &kMessages) return make_fabric_side(number, what.at(2), asleep, idle);
  return make_remote_side(number, *suite, what.at(2), asleep);
}

/// worker CONTROL CPUS SIDE floor | worker CONTROL CPUS SIDE awake|asleep SUITE PROVIDER IDLE
int work(const std::vector<std::string>& arguments) {
  die_with_parent();
  const Channel channel = Channel::connect_to(arguments.at(0));
  const unsigned number = arguments.at(2) == "0" ? 0 : 1;
  try {
    CpuPair cpus{};
    if (std::sscanf(arguments.at(1).c_str(), "%d,%d", &cpus[0], &cpus[1]) == 2)
      pin_to(cpus[number]);
    const auto side = make_side(number, {arguments.begin() + 3, arguments.end()});
    serve(channel, number, *side);
  } catch (const std::exception& failure) {
    report_failure(channel, number, failure);
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

// How much the figures are worth is for the reader to judge.
std::string conditions(const Options& options) {
  double load = 0;
  getloadavg(&load, 1);
  std::ostringstream text;
  text << "libfabric " << FI_MAJOR(fi_version()) << '.' << FI_MINOR(fi_version()) << ", "
       << options.rounds << " rounds of " << options.budget * 1e3
       << " ms per measurement; load average at the start " << load << " on "
       << std::thread::hardware_concurrency() << " CPUs\n";
  return text.str();
}

/// What one suite of a run has given.
struct Result {
  Samples samples;
  std::vector<Comparison> comparisons;
};

void write_all_tables(std::ostream& out, const std::string& heading,
                      const std::vector<Result>& results,
                      const std::vector<Beginning>& beginnings) {
  out << heading;
  for (const Result& result : results) write_tables(out, result.samples, result.comparisons);
  if (!beginnings.empty()) write_beginnings(out, beginnings);
}

void write_all_ratios(std::ostream& out, const std::vector<Result>& results) {
  for (const Result& result : results) write_ratios(out, result.comparisons);
}

void write_results(const Options& options, const std::string& heading,
                   const std::vector<Result>& results, const std::vector<Beginning>& beginnings) {
  const std::filesystem::path out = options.out;
  std::ofstream tables(out / "tables.txt");
  std::ofstream ratios(out / "ratios.txt");
  std::ofstream csv(out / "samples.csv");
  write_all_tables(tables, heading, results, beginnings);
  write_all_ratios(ratios, results);
  write_csv_heading(csv);
  for (const Result& result : results) write_csv(csv, result.samples);
  write_all_tables(std::cout, heading, results, beginnings);
  std::cout << '\n';
  write_all_ratios(std::cout, results);
  std::string files = "tables.txt ratios.txt samples.csv";
  for (const Result& result : results) {
    const Suite& suite = result.samples.suite();
    if (result.comparisons.empty()) {
      std::cout << "no ratios of " << suite.name << ": " << options.subject
                << " was not measured\n";
    } else if (&suite == &kMessages) {
      std::ofstream plot(out / "ratios.svg");
      write_plot(plot, result.comparisons);
      files += " ratios.svg";
    }
  }
  std::cout << "\nin " << options.out << ": " << files << '\n';
}

int drive(const std::vector<std::string>& arguments) {
  const auto options = parse_options(arguments);
  if (!options) {
    std::cout << kUsage;
    return EXIT_SUCCESS;
  }
  std::filesystem::create_directories(options->out);
  const std::string heading = conditions(*options);
  const PrivateDirectory directory;
  const Listener listener(options->far.empty() ? directory.path() + "/control" : options->near);
  const auto cpus = options->far.empty() ? choose_cores() : std::nullopt;
  if (!cpus && options->far.empty())
    std::cerr << "only one core: both sides share it, figures mean little" << std::endl;
  std::vector<Result> results;
  std::vector<Beginning> beginnings;
  std::chrono::duration<double> limit(options->limit);
  for (const Suite* const suite : options->suites) {
    std::cerr << suite->name << std::endl;
    const Casting casting(*options, *suite, listener.place(), cpus);
    auto pairs = Lineup(*options, *suite, casting, listener, std::cerr).gather();
    if (suite == &kMessages && options->beginnings > 0)
      beginnings = measure_beginnings(*options, pairs, std::cerr);
    const auto begin = std::chrono::steady_clock::now();
    const Samples samples = Tournament(*options, *suite, std::move(pairs), limit, std::cerr).play();
    limit -= std::chrono::steady_clock::now() - begin;
    results.push_back({samples, compare(samples)});
  }
  write_results(*options, heading, results, beginnings);
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace xs::bench

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (!arguments.empty() && arguments[0] == "worker") {
      arguments.erase(arguments.begin());
      return xs::bench::work(arguments);
    }
    return xs::bench::drive(arguments);
  } catch (const std::exception& failure) {
    std::cerr << "xs-bench: " << failure.what() << std::endl;
    return EXIT_FAILURE;
  }
}
