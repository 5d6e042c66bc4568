// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// This program again as another process, which runs one disabled test, and whose system calls can
// be counted.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace xs::test {

class Traced {
 public:
  // fd: what the child has as kChildFd. traced: the child's system calls are counted.
  Traced(const std::string& disabled_test, int fd, bool traced);
  ~Traced();  // killed if it is still there
  Traced(const Traced&) = delete;
  Traced& operator=(const Traced&) = delete;

  // Of a traced child: how many system calls it makes from each pause_here() to the next one, for
  // so many stretches; fewer if it ends before. It is traced no more afterwards.
  std::vector<std::size_t> count_calls(std::size_t stretches);
  // Waits for its end.
  bool ended_well();

  static constexpr int kChildFd = 3;
  // In the child.
  static void pause_here();

 private:
  bool wait_for_stop(int& signal);

  pid_t pid_;
  int status_ = -1;
};

}  // namespace xs::test
