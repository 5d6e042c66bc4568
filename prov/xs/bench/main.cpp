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

/// worker CONTROL CPUS SIDE floor | worker CONTROL CPUS SIDE fabric|asleep PROVIDER
int work(const std::vector<std::string>& arguments) {
  die_with_parent();
  const Channel channel = Channel::connect_to(arguments.at(0));
  const unsigned number = arguments.at(2) == "0" ? 0 : 1;
  try {
    CpuPair cpus{};
    if (std::sscanf(arguments.at(1).c_str(), "%d,%d", &cpus[0], &cpus[1]) == 2)
      pin_to(cpus[number]);
    const auto side = arguments.at(3) == "floor"
                          ? make_floor_side(number)
                          : make_fabric_side(number, arguments.at(4), arguments.at(3) == "asleep");
    serve(channel, number, *side);
  } catch (const std::exception& failure) {
    report_failure(channel, number, failure.what());
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

void write_results(const Options& options, const std::string& heading, const Samples& samples,
                   const std::vector<Beginning>& beginnings) {
  const std::vector<Comparison> comparisons = compare(samples);
  const std::filesystem::path out = options.out;
  std::ofstream tables(out / "tables.txt");
  std::ofstream ratios(out / "ratios.txt");
  std::ofstream csv(out / "samples.csv");
  tables << heading;
  std::cout << heading;
  write_tables(tables, samples, comparisons);
  if (options.beginnings > 0) write_beginnings(tables, beginnings);
  write_ratios(ratios, comparisons);
  write_csv_heading(csv);
  write_csv(csv, samples);
  write_tables(std::cout, samples, comparisons);
  if (options.beginnings > 0) write_beginnings(std::cout, beginnings);
  std::cout << '\n';
  write_ratios(std::cout, comparisons);
  std::string files = "tables.txt ratios.txt samples.csv";
  if (!comparisons.empty()) {
    std::ofstream plot(out / "ratios.svg");
    write_plot(plot, comparisons);
    files += " ratios.svg";
  } else {
    std::cout << "no ratios: " << options.subject << " was not measured\n";
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
  const Casting casting(*options, listener.place(), cpus);
  auto pairs = Lineup(*options, casting, listener, std::cerr).gather();
  const auto beginnings = measure_beginnings(*options, pairs, std::cerr);
  const std::chrono::duration<double> limit(options->limit);
  Tournament tournament(*options, kMessages, std::move(pairs), limit, std::cerr);
  write_results(*options, heading, tournament.play(), beginnings);
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
