// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <stdexcept>
#include <string>

namespace xs::test {

// What ends a test case at once; the text names where and what. Thrown in the driver and in the
// processes that it runs; gtest, or the process' channel, carries it to the reader.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The same with errno's text.
Failure system_failure(const std::string& what);

// Throws it if `result` is negative; gives the result.
template <typename Number>
Number checked(Number result, const char* what) {
  if (result < 0) throw system_failure(what);
  return result;
}

}  // namespace xs::test
