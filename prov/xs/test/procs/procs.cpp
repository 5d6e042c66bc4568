// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "procs/procs.hpp"

#include <regex.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>

#include "procs/failure.hpp"

namespace xs::test {

namespace {

// The provider of the build that this program is of.
std::string provider_path() {
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  for (const auto& place : {here / ".libs", here})
    if (exists(place / "libxs-fi.so")) return place;
  throw Failure("no libxs-fi.so beside this program");
}

// What libfabric itself and its other providers log is not ours to judge, nor what xs tells the
// curious (FI_LOG_LEVEL=info xs-procs ...); a sanitizer's report is.
bool matters(const std::string& line) {
  if (!line.starts_with("libfabric:")) return !line.empty();
  return line.find(":xs:") != std::string::npos && line.find("<warn>") != std::string::npos;
}

// Not std::regex: gcc 12 with -fsanitize=address warns about the inside of it.
bool found(const std::string& pattern, const std::string& line) {
  regex_t compiled;
  if (regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0)
    throw Failure("bad pattern " + pattern);
  const bool is_there = regexec(&compiled, line.c_str(), 0, nullptr, 0) == 0;
  regfree(&compiled);
  return is_there;
}

}  // namespace

Procs::~Procs() = default;

Process& Procs::start(const std::string& name, const Host& host, const Process::Body& body,
                      const Environment& environment) {
  const char* level = std::getenv("FI_LOG_LEVEL");
  Environment all{{"FI_PROVIDER", "xs"},
                  {"FI_PROVIDER_PATH", provider_path()},
                  {"FI_LOG_LEVEL", level ? level : "warn"},
                  {"FI_LOG_PROV", "xs"},
                  {"FI_XS_QUIET", std::to_string(kQuiet.count())}};
  for (const auto& [variable, value] : environment) all[variable] = value;
  processes_.push_back(std::make_unique<Process>(name, host, all, body));
  return *processes_.back();
}

void Procs::expect_log(const std::string& text, bool must) {
  expected_.push_back({text, must, false});
}

bool Procs::expected(const std::string& line) {
  bool any = false;
  for (Expected& one : expected_) {
    if (!found(one.text, line)) continue;
    one.seen = true;
    any = true;
  }
  return any;
}

void Procs::check_log(const Process& process) {
  std::istringstream lines(process.log());
  for (std::string line; std::getline(lines, line);) {
    if (!matters(line) || expected(line)) continue;
    ADD_FAILURE() << process.name() << " logged unexpectedly: " << line;
    return;  // the log is shown whole
  }
}

void Procs::TearDown() {
  for (const auto& process : processes_) check_log(*process);
  for (const Expected& one : expected_)
    if (one.must && !one.seen) ADD_FAILURE() << "no log says: " << one.text;
  if (!HasFailure()) return;
  for (const auto& process : processes_)
    std::cout << process->report() << "--- log of " << process->name() << "\n"
              << process->log() << "---\n";
}

}  // namespace xs::test
