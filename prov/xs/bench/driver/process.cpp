// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "driver/process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "common/failure.hpp"

namespace xs::bench {
namespace {

using namespace std::chrono_literals;

void send_output_to(const std::string& log) {
  const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (fd < 0) return;
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
  close(fd);
}

// The driver has one thread, so its child may use the whole of libc before exec.
[[noreturn]] void become(const Command& command, const std::string& log) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  send_output_to(log);
  for (const auto& [name, value] : command.variables) {
    if (value)
      setenv(name.c_str(), value->c_str(), 1);
    else
      unsetenv(name.c_str());
  }
  std::vector<char*> arguments;
  for (const std::string& argument : command.arguments)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  std::fprintf(stderr, "%s: %s\n", arguments[0], std::strerror(errno));
  _exit(127);
}

}  // namespace

Process::Process(const Command& command, const std::string& log) : pid_(fork()) {
  if (pid_ < 0) fail("fork", errno);
  if (pid_ == 0) become(command, log);
}

// First politely: mpirun has processes of its own to end.
Process::~Process() {
  if (pid_ < 0) return;
  kill(pid_, SIGTERM);
  if (ended(3s)) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool Process::ended(std::chrono::milliseconds patience) {
  for (auto waited = 0ms; pid_ >= 0; waited += 5ms) {
    const pid_t pid = waitpid(pid_, nullptr, WNOHANG);
    if (pid == pid_ || (pid < 0 && errno == ECHILD)) pid_ = -1;
    if (pid_ < 0 || waited >= patience) break;
    std::this_thread::sleep_for(5ms);
  }
  return pid_ < 0;
}

}  // namespace xs::bench
