// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "alloc/traced.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

namespace xs::test {

namespace {

constexpr int kPause = SIGUSR1;
constexpr int kSystemCall = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD
constexpr unsigned kMostSeconds = 120;

[[noreturn]] void become(const std::string& test, int fd, bool traced) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::string filter = "--gtest_filter=" + test;
  const char* const arguments[] = {"xs-alloc", filter.c_str(), "--gtest_also_run_disabled_tests",
                                   "--gtest_brief=1", nullptr};
  dup2(fd, Traced::kChildFd);
  alarm(kMostSeconds);  // it survives the exec
  if (traced && ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(EXIT_FAILURE);
  execv("/proc/self/exe", const_cast<char* const*>(arguments));
  _exit(EXIT_FAILURE);
}

}  // namespace

Traced::Traced(const std::string& disabled_test, int fd, bool traced) : pid_(fork()) {
  if (pid_ == 0) become(disabled_test, fd, traced);
  if (pid_ < 0) throw std::runtime_error("fork");
}

Traced::~Traced() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

// Untraced as well, so that a child can be run by hand.
void Traced::pause_here() {
  signal(kPause, SIG_IGN);
  raise(kPause);
}

bool Traced::wait_for_stop(int& signal) {
  if (waitpid(pid_, &status_, __WALL) != pid_) return false;
  if (!WIFSTOPPED(status_)) {
    pid_ = -1;
    return false;
  }
  signal = WSTOPSIG(status_);
  return true;
}

// A call stops twice, where it begins and where it ends. Those of pause_here() are within the
// counts: a small constant.
std::vector<std::size_t> Traced::count_calls(std::size_t stretches) {
  std::vector<std::size_t> counts;
  std::size_t stops = 0;
  int signal = 0;
  bool first = true, counting = false;
  while (wait_for_stop(signal)) {
    int deliver = 0;
    if (first) {
      first = false;
      ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    } else if (signal == kSystemCall) {
      ++stops;
    } else if (signal == kPause) {
      if (counting) counts.push_back(stops / 2);
      counting = true;
      stops = 0;
    } else {
      deliver = signal;
    }
    if (counts.size() == stretches) {
      ptrace(PTRACE_DETACH, pid_, nullptr, nullptr);
      return counts;
    }
    ptrace(counting ? PTRACE_SYSCALL : PTRACE_CONT, pid_, nullptr, deliver);
  }
  return counts;
}

bool Traced::ended_well() {
  if (pid_ > 0) {
    waitpid(pid_, &status_, 0);
    pid_ = -1;
  }
  return WIFEXITED(status_) && WEXITSTATUS(status_) == EXIT_SUCCESS;
}

}  // namespace xs::test
