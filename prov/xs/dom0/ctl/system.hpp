// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What xsctl asks of the operating system of dom0, so that tests can stand in for it.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "util/result.hpp"

namespace xs::dom0 {

// How a program ended.
struct Ended {
  int status = 0;  // its exit status
  int signal = 0;  // or the signal that it was killed by
};

class System {
 public:
  virtual ~System() = default;
  // PATH has a program of that name.
  virtual bool has(const std::string& program) = 0;
  // Until it has ended. Who asks us to end meanwhile asks it.
  virtual util::Result<Ended> run(const std::vector<std::string>& words) = 0;
  // The signal by which somebody has asked us to end, or 0.
  virtual int asked_to_end() = 0;
  // Readable when that is news.
  virtual int descriptor() const = 0;
  // Milliseconds, from some moment on.
  virtual std::uint64_t now() = 0;
  virtual std::uint32_t pid() = 0;
  // Whether this is a process of our program, and not ourselves.
  virtual bool is_one_of_us(std::uint32_t pid) = 0;
  virtual std::uint64_t random() = 0;
};

using OpenSystem = std::function<util::Result<std::unique_ptr<System>>()>;

}  // namespace xs::dom0
