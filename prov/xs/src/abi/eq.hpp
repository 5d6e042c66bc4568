// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <pthread.h>
#include <rdma/fabric.h>
#include <rdma/fi_eq.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace xs::abi {

struct Fabric;

// Event queue. Any thread may use it at any time; its lock is the innermost.
struct Eq : fid_eq {
  using Foreign = struct fid_eq;

  Eq(Fabric& owner, const struct fi_eq_attr& attr);
  ~Eq();
  Eq(const Eq&) = delete;
  Eq& operator=(const Eq&) = delete;

  // 0, or the errno that kept the wait object from being made.
  int open_wait_object() noexcept;

  // Objects that report here keep it open.
  void add_user() noexcept;
  void remove_user() noexcept;
  bool in_use() noexcept;

  // -FI_EAGAIN: full (an application's own events only), -FI_ENOMEM.
  ssize_t write(std::uint32_t event, const void* body, std::size_t size, bool bounded) noexcept;
  int write_error(const struct fi_eq_err_entry& error) noexcept;
  // An event of which one, unread, stands for all of its number and fid: the newer entry takes the
  // older one's place in the queue.
  void write_latest(std::uint32_t event, const struct fi_eq_entry& entry) noexcept;
  ssize_t read(std::uint32_t* event, void* buffer, std::size_t size, bool peek) noexcept;
  ssize_t read_error(struct fi_eq_err_entry* entry, bool peek) noexcept;
  // timeout in milliseconds; negative: for ever.
  ssize_t wait_read(std::uint32_t* event, void* buffer, std::size_t size, int timeout,
                    bool peek) noexcept;
  int try_wait() noexcept;
  int control(int command, void* arg) noexcept;

  Fabric& fabric;
  const bool writable;

 private:
  struct Event {
    std::uint32_t number;
    std::vector<std::byte> body;
    bool is_error;
    struct fi_eq_err_entry error;
  };
  int push(Event&& event, bool bounded) noexcept;
  void pop() noexcept;
  void wake() noexcept;
  ssize_t read_locked(std::uint32_t* event, void* buffer, std::size_t size, bool peek) noexcept;

  const std::size_t capacity_;
  const enum fi_wait_obj wait_object_;
  std::mutex mutex_;
  std::deque<Event> events_;
  std::size_t users_ = 0;
  // Readable exactly while an event waits; FI_WAIT_FD only.
  int descriptor_ = -1;
  // What sleepers sleep on: apart from mutex_, because FI_WAIT_MUTEX_COND hands both to the
  // application.
  pthread_mutex_t sleep_mutex_;
  pthread_cond_t sleep_cond_;
};

int open_eq(struct fid_fabric* fabric, struct fi_eq_attr* attr, struct fid_eq** eq,
            void* context) noexcept;

}  // namespace xs::abi
