// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A thread of ours in somebody else's process.
#pragma once
#include <functional>
#include <thread>

#include "abi/wait.hpp"

namespace xs::abi {

// It takes no signals, ends with its owner, and with libfabric; a forked child has none.
class OwnThread {
 public:
  // At most 15 characters of a name. Throws bad_alloc and std::system_error.
  OwnThread(const char* name, std::function<void()> run);
  ~OwnThread();
  OwnThread(const OwnThread&) = delete;
  OwnThread& operator=(const OwnThread&) = delete;

  // Of this process: libfabric goes, and our code with it, whatever is still open.
  static void end_all() noexcept;

  // For the thread itself: readable when it is to end.
  int end() const noexcept { return end_.descriptor(); }
  bool ends_within(int milliseconds) const noexcept;

 private:
  void stop() noexcept;

  Bell end_;
  const int process_;  // whose thread it is
  std::function<void()> run_;
  std::thread thread_;
  OwnThread* next_ = nullptr;  // of those that end_all() ends
};

}  // namespace xs::abi
