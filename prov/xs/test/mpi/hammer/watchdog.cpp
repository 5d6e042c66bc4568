// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "watchdog.hpp"

#include <mpi.h>
#include <unistd.h>

#include <sstream>
#include <utility>

namespace hammer {
namespace {

constexpr std::size_t kMostListed = 24;
constexpr int kExitHang = 3;

/// The other ranks' watchdogs bark at nearly the same time; mpirun kills them once the first has
/// exited.
constexpr std::chrono::seconds kGrace{2};

void describe(std::ostream& out, const Operation& operation) {
  out << "  " << operation.what;
  if (operation.peer == MPI_ANY_SOURCE) {
    out << " peer=any";
  } else if (operation.peer >= 0) {
    out << " peer=" << operation.peer;
  }
  if (operation.tag == MPI_ANY_TAG) {
    out << " tag=any";
  } else if (operation.tag >= 0) {
    out << " tag=" << operation.tag;
  }
  out << " size=" << operation.size << '\n';
}

}  // namespace

Watchdog::Watchdog(std::chrono::seconds limit)
    : limit_(limit),
      deadline_(std::chrono::steady_clock::now() + limit),
      thread_([this] { watch(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Watchdog::enter(std::string phase, int rank) {
  {
    const std::lock_guard lock(mutex_);
    phase_ = std::move(phase);
    rank_ = rank;
    deadline_ = std::chrono::steady_clock::now() + limit_;
  }
  changed_.notify_one();
}

std::uint64_t Watchdog::begin(const Operation& operation) {
  const std::lock_guard lock(mutex_);
  outstanding_.emplace(next_ticket_, operation);
  return next_ticket_++;
}

void Watchdog::end(std::uint64_t ticket) {
  const std::lock_guard lock(mutex_);
  outstanding_.erase(ticket);
}

void Watchdog::watch() {
  std::unique_lock lock(mutex_);
  while (!stop_ && std::chrono::steady_clock::now() < deadline_) {
    changed_.wait_until(lock, deadline_);
  }
  if (stop_) {
    return;
  }
  const std::string text = report();
  lock.unlock();
  const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
  std::this_thread::sleep_for(kGrace);
  _exit(written < 0 ? 1 : kExitHang);
}

std::string Watchdog::report() const {
  std::ostringstream out;
  out << "HANG phase " << phase_ << ", rank " << rank_ << ": not finished after " << limit_.count()
      << " s, " << outstanding_.size() << " operations outstanding\n";
  std::size_t listed = 0;
  for (const auto& [ticket, operation] : outstanding_) {
    if (++listed > kMostListed) {
      out << "  ... and " << outstanding_.size() - kMostListed << " younger ones\n";
      break;
    }
    describe(out, operation);
  }
  return out.str();
}

}  // namespace hammer
