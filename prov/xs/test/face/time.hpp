// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What tests of sleepers measure with.
#pragma once
#include <poll.h>
#include <sys/resource.h>

#include <chrono>
#include <thread>

namespace xs::abi::test {

inline constexpr int kSoon = 20'000;  // milliseconds: what takes longer never happens

// Time for a thread to fall asleep. Whether it has changes no result: it makes the test sharp.
inline void let_sleep() { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }

// Of the calling thread.
inline std::chrono::milliseconds processor_time() {
  struct rusage used {};
  getrusage(RUSAGE_THREAD, &used);
  const auto in = [](const struct timeval& t) {
    return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
  };
  return std::chrono::duration_cast<std::chrono::milliseconds>(in(used.ru_utime) +
                                                               in(used.ru_stime));
}

inline bool is_readable(int descriptor, int timeout) {
  struct pollfd look = {.fd = descriptor, .events = POLLIN, .revents = 0};
  return poll(&look, 1, timeout) == 1;
}

}  // namespace xs::abi::test
