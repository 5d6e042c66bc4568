// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <gtest/gtest.h>

#include <cstdio>

#include "explore.hpp"

namespace xs::model {

// Explores and prints how much there was to see, with a trace to the fault if one was found.
template <class Model>
Report explored(const Model& model) {
  const Report report = explore(model);
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  std::printf("    %s.%s: %s\n", test->test_suite_name(), test->name(), report.text().c_str());
  return report;
}

}  // namespace xs::model
