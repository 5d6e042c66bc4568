// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <stdexcept>
#include <string>
#include <system_error>

namespace xs::bench {

/// Anything that ends a worker or the whole run; what() is for the reader.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A provider that is there doesn't offer what a suite needs.
class Declined : public Failure {
 public:
  using Failure::Failure;
};

/// Throws a Failure "<what>: <text of the errno value>".
[[noreturn]] inline void fail(const std::string& what, int error) {
  throw Failure(what + ": " + std::generic_category().message(error));
}

}  // namespace xs::bench
