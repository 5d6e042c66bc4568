// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What is said while a domain is moved: lines that begin with the phase.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dom0/ctl/move.hpp"

namespace xs::dom0 {

class Phases {
 public:
  Phases(System& system, Console console) noexcept : system_(system), console_(console) {}
  void begin(const char* phase);
  // If it isn't what was said last.
  void say(const std::string& text);
  // With the time that the phase has taken.
  void end(const std::string& text);
  // Lines, the first of which is ours, of what went wrong.
  void complain(const std::string& text);
  // The exit status for it. `domain` is what the words of the command named.
  int complain(const util::Error& error, const std::string& domain = "");
  // The times of all phases that have ended.
  void sum_up();

 private:
  System& system_;
  Console console_;
  std::string phase_;
  std::string said_;
  std::uint64_t begun_ = 0;
  std::vector<std::pair<std::string, std::uint64_t>> taken_;
};

}  // namespace xs::dom0
