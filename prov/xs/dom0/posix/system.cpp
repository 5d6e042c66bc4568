// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/posix/system.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>

namespace xs::dom0 {

using util::Error;
using util::Result;

namespace {

// What the command of a process is called, or nothing.
std::string name_of(const std::string& process) {
  std::ifstream file("/proc/" + process + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

bool is_program(const std::string& path) noexcept {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

class PosixSystem final : public System {
 public:
  PosixSystem();
  PosixSystem(const PosixSystem&) = delete;
  PosixSystem& operator=(const PosixSystem&) = delete;
  ~PosixSystem() override;
  bool stands() const noexcept { return asks_ >= 0 && ends_ >= 0; }

  bool has(const std::string& program) override;
  Result<Ended> run(const std::vector<std::string>& words) override;
  int asked_to_end() override;
  int descriptor() const override { return asks_; }
  std::uint64_t now() override;
  std::uint32_t pid() override { return static_cast<std::uint32_t>(getpid()); }
  bool is_one_of_us(std::uint32_t pid) override;
  std::uint64_t random() override;

 private:
  void block_signals() noexcept;
  Result<pid_t> spawn(const std::vector<std::string>& words) const;
  void hear_of_signals(pid_t child) noexcept;

  sigset_t before_{};                 // the mask of our signals
  struct sigaction child_before_ {};  // what is done about them
  struct sigaction pipe_before_ {};
  int asks_ = -1;  // readable when somebody asks us to end
  int ends_ = -1;  // when a child ends
  int asked_ = 0;
};

PosixSystem::PosixSystem() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;  // a child is to be waited for
  sigaction(SIGCHLD, &action, &child_before_);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, &pipe_before_);
  block_signals();
}

// What is ignored (nohup) stays so.
void PosixSystem::block_signals() noexcept {
  sigset_t asks, ends, all;
  sigemptyset(&asks);
  sigemptyset(&ends);
  sigaddset(&ends, SIGCHLD);
  all = ends;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    sigaddset(&asks, signal);
    sigaddset(&all, signal);
  }
  sigprocmask(SIG_BLOCK, &all, &before_);
  asks_ = signalfd(-1, &asks, SFD_CLOEXEC | SFD_NONBLOCK);
  ends_ = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
}

// What came late has been heard: it is not to end us now.
PosixSystem::~PosixSystem() {
  asked_to_end();
  if (asks_ >= 0) close(asks_);
  if (ends_ >= 0) close(ends_);
  sigaction(SIGCHLD, &child_before_, nullptr);
  sigaction(SIGPIPE, &pipe_before_, nullptr);
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

bool PosixSystem::has(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::string left = path ? path : "/bin:/usr/bin";
  for (std::size_t begin = 0; begin <= left.size();) {
    const std::size_t end = std::min(left.find(':', begin), left.size());
    const std::string directory = left.substr(begin, end - begin);
    if (is_program((directory.empty() ? "." : directory) + '/' + program)) return true;
    begin = end + 1;
  }
  return false;
}

// With the signals as they were before us.
Result<pid_t> PosixSystem::spawn(const std::vector<std::string>& words) const {
  std::vector<char*> list;
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  posix_spawnattr_t how;
  if (const int error = posix_spawnattr_init(&how)) return Error{error, "no memory"};
  sigset_t as_before;
  sigemptyset(&as_before);
  if (pipe_before_.sa_handler != SIG_IGN) sigaddset(&as_before, SIGPIPE);
  posix_spawnattr_setsigdefault(&how, &as_before);
  posix_spawnattr_setsigmask(&how, &before_);
  posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t child = 0;
  const int error = posix_spawnp(&child, list[0], nullptr, &how, list.data(), environ);
  posix_spawnattr_destroy(&how);
  if (error) return Error{error, "the program can't be run"};
  return child;
}

Result<Ended> PosixSystem::run(const std::vector<std::string>& words) {
  auto child = spawn(words);
  if (!child) return child.error();
  for (;;) {
    int status = 0;
    const pid_t ended = waitpid(*child, &status, WNOHANG);
    if (ended < 0 && errno != EINTR) return Error{errno, "the program can't be waited for"};
    if (ended > 0)
      return WIFSIGNALED(status) ? Ended{0, WTERMSIG(status)} : Ended{WEXITSTATUS(status), 0};
    std::array<struct pollfd, 2> waits{{{asks_, POLLIN, 0}, {ends_, POLLIN, 0}}};
    poll(waits.data(), waits.size(), -1);
    hear_of_signals(*child);
  }
}

// What a terminal sends goes to its whole group, the child among them; what another process sends
// (a code that is not positive) has come to us alone.
void PosixSystem::hear_of_signals(pid_t child) noexcept {
  struct signalfd_siginfo info {};
  while (read(ends_, &info, sizeof info) == sizeof info) {
  }
  while (read(asks_, &info, sizeof info) == sizeof info) {
    asked_ = static_cast<int>(info.ssi_signo);
    if (child > 0 && info.ssi_code <= 0) kill(child, asked_);
  }
}

int PosixSystem::asked_to_end() {
  hear_of_signals(0);
  return asked_;
}

std::uint64_t PosixSystem::now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

bool PosixSystem::is_one_of_us(std::uint32_t pid) {
  return pid != this->pid() && pid != 0 && name_of(std::to_string(pid)) == name_of("self");
}

std::uint64_t PosixSystem::random() {
  std::uint64_t number = 0;
  while (number == 0)
    if (getrandom(&number, sizeof number, 0) != sizeof number) number = 0;
  return number;
}

}  // namespace

Result<std::unique_ptr<System>> open_system() {
  auto system = std::make_unique<PosixSystem>();
  if (!system->stands()) return Error{errno, "no descriptor for signals"};
  return std::unique_ptr<System>(std::move(system));
}

}  // namespace xs::dom0
