// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the probe says: one line for each thing that it tried, and totals.
#pragma once
#include <cstdio>
#include <cstring>
#include <string>

namespace xs::probe {

inline std::string error_name(int error) {
  if (error == 0) return "success";
  const char* name = strerrorname_np(error);
  return name ? name : std::to_string(error);
}

class Report {
 public:
  // A promise that hv/xen stands on.
  bool expect(bool good, const std::string& what) {
    ++(good ? passed_ : failed_);
    std::printf("%s %s\n", good ? "ok  " : "FAIL", what.c_str());
    std::fflush(stdout);
    return good;
  }
  void expect_error(int got, int wanted, const std::string& what) {
    expect(got == wanted, what + ": " + error_name(got) +
                              (got == wanted ? "" : ", expected " + error_name(wanted)));
  }
  // Something measured, right or wrong for nobody.
  void note(const std::string& what) {
    std::printf("note %s\n", what.c_str());
    std::fflush(stdout);
  }
  int finish() const {
    std::printf("%d passed, %d failed\n", passed_, failed_);
    return failed_ == 0 && passed_ > 0 ? 0 : 1;
  }

 private:
  int passed_ = 0, failed_ = 0;
};

}  // namespace xs::probe
