// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/own_thread.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <mutex>
#include <system_error>
#include <utility>

namespace xs::abi {

namespace {

std::mutex list_mutex;
OwnThread* first = nullptr;

// Signals are the application's.
class NoSignals {
 public:
  NoSignals() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

OwnThread::OwnThread(const char* name, std::function<void()> run)
    : process_(getpid()), run_(std::move(run)) {
  if (const int rc = end_.open()) throw std::system_error(-rc, std::generic_category());
  const NoSignals inherited;
  thread_ = std::thread([this] { run_(); });
  pthread_setname_np(thread_.native_handle(), name);
  const std::lock_guard lock(list_mutex);
  next_ = first;
  first = this;
}

OwnThread::~OwnThread() {
  {
    const std::lock_guard lock(list_mutex);
    OwnThread** at = &first;
    while (*at != this) at = &(*at)->next_;
    *at = next_;
  }
  stop();
}

void OwnThread::end_all() noexcept {
  const std::lock_guard lock(list_mutex);
  for (OwnThread* each = first; each; each = each->next_) each->stop();
}

void OwnThread::stop() noexcept {
  if (!thread_.joinable()) return;
  if (getpid() != process_) return thread_.detach();
  end_.ring();
  thread_.join();
}

bool OwnThread::ends_within(int milliseconds) const noexcept {
  struct pollfd look = {.fd = end(), .events = POLLIN, .revents = 0};
  return poll(&look, 1, milliseconds) > 0;
}

}  // namespace xs::abi
