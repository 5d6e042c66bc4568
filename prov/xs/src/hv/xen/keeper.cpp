// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/xen/keeper.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "hv/unique_fd.hpp"

namespace xs::hv {

namespace {

constexpr int kKept = 3;  // what the first one is there, beside three of /dev/null

using Copies = std::array<UniqueFd, 2>;

// Nothing of ours goes with them: an output that stayed open would keep whoever reads ours.
class Actions {
 public:
  explicit Actions(const Copies& copies) noexcept
      : error_(posix_spawn_file_actions_init(&actions_)) {
    made_ = error_ == 0;
    int at = kKept;
    for (const UniqueFd& copy : copies)
      note(posix_spawn_file_actions_adddup2(&actions_, copy.get(), at++));
    for (int fd = 0; fd < kKept; ++fd)
      note(posix_spawn_file_actions_addopen(&actions_, fd, "/dev/null", O_RDWR, 0));
    note(posix_spawn_file_actions_addclosefrom_np(&actions_, at));
  }
  ~Actions() {
    if (made_) posix_spawn_file_actions_destroy(&actions_);
  }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  int error() const noexcept { return error_; }
  const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

 private:
  void note(int error) noexcept {
    if (error_ == 0) error_ = error;
  }
  posix_spawn_file_actions_t actions_;
  int error_;
  bool made_ = false;
};

// Signals as a shell has them, and a session of its own, so that none of the job's reaches it.
int start(const Actions& actions, pid_t& pid) noexcept {
  posix_spawnattr_t attributes;
  if (const int error = posix_spawnattr_init(&attributes)) return error;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  // The shell ends at once, so that its child is init's, and no wait() of the application's finds
  // it.
  static char name[] = "sh", option[] = "-c",
              script[] = "command -v sleep && { sleep 2147483647 & }";
  char* const words[] = {name, option, script, nullptr};
  static char path[] = "PATH=/usr/bin:/bin";
  char* const environment[] = {path, nullptr};
  const int error = posix_spawn(&pid, "/bin/sh", actions.get(), &attributes, words, environment);
  posix_spawnattr_destroy(&attributes);
  return error;
}

}  // namespace

bool keep_for_ever(const std::array<int, 2>& descriptors) noexcept {
  // Copies above those that the child opens, in case ours is one of them.
  Copies copies;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    copies[i] = UniqueFd(fcntl(descriptors[i], F_DUPFD_CLOEXEC, kKept + copies.size()));
    if (!copies[i]) return false;
  }
  int error = 0;
  pid_t pid = 0;
  {
    const Actions actions(copies);
    error = actions.error();
    if (error == 0) error = start(actions, pid);
  }
  int status = 0;
  if (error == 0) {
    // ECHILD: the application has been quicker, or ignores its children.
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (status != 0) error = ECANCELED;
  }
  errno = error;
  return error == 0;
}

}  // namespace xs::hv
