// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What every case has: hosts, processes on them, and a look at what they logged.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "procs/network.hpp"
#include "procs/node.hpp"
#include "procs/process.hpp"

namespace xs::test {

// A quiet interval that keeps the cases short.
inline constexpr milliseconds kQuiet(50);

class Procs : public testing::Test {
 protected:
  explicit Procs(int hosts = 2) : network_(hosts) {}
  ~Procs() override;
  void TearDown() override;

  const Host& host(int index) const { return network_.host(index); }
  Process& start(const std::string& name, const Host& host, const Process::Body& body,
                 const Environment& environment = {});
  // A line with this (a POSIX extended regular expression) may stand in a log, and, if `must`, does
  // in one. Others of xs fail the case.
  void expect_log(const std::string& text, bool must = true);

 private:
  struct Expected {
    std::string text;
    bool must;
    bool seen;
  };

  void check_log(const Process& process);
  bool expected(const std::string& line);

  Network network_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<Expected> expected_;
};

}  // namespace xs::test
