// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <pthread.h>
#include <rdma/fabric.h>
#include <rdma/fi_eq.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "abi/wait.hpp"

namespace xs::abi {

class EventSource;
struct Domain;
struct Fabric;

// Event queue. Any thread may use it at any time; its lock is the innermost. Of its sources it is
// the outermost: whoever adds or removes one is inside no gate.
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
  // err_data of the entry is copied.
  int write_error(const struct fi_eq_err_entry& error) noexcept;
  // An event of a connection; `info` is the reader's, and ours until he reads it.
  int write_connection(std::uint32_t event, struct fid* of, struct fi_info* info, const void* data,
                       std::size_t size) noexcept;
  // That object is being closed: its events go.
  void forget(const struct fid* of) noexcept;
  // From now on this domain makes progress when the queue is read, until as many remove_source()s.
  // 0 or a negative errno.
  int add_source(Domain& domain) noexcept;
  void remove_source(Domain& domain) noexcept;
  bool has_events() noexcept;
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
    const struct fid* of = nullptr;  // where it may be forgotten
    struct fi_info* info = nullptr;  // freed with the event, unless that is read
  };
  int push(Event&& event, bool bounded) noexcept;
  void pop() noexcept;
  void wake() noexcept;
  // Who sleeps has something to look at that is no event.
  void ring() noexcept;
  // The bell tells of events alone from now on, if there are any.
  void quiet_bell() noexcept;
  void quiet_bell_locked() noexcept;
  ssize_t read_locked(std::uint32_t* event, void* buffer, std::size_t size, bool peek) noexcept;
  int open_descriptor() noexcept;
  int watch(EventSource& source);
  bool arm_sources() noexcept;
  void progress() noexcept;
  bool has_sources() noexcept;
  void note_sources() noexcept;
  void sleep_for_sources(const Deadline& deadline) noexcept;
  void sleep_for_writers(const Deadline& deadline) noexcept;

  const std::size_t capacity_;
  const enum fi_wait_obj wait_object_;
  std::mutex mutex_;
  std::deque<Event> events_;
  std::size_t users_ = 0;
  std::vector<std::byte> last_error_data_;  // that the reader of an error was pointed to
  // Readable exactly while an event waits. It and the set with it: for FI_WAIT_FD, and with
  // sources.
  int bell_ = -1;
  int descriptor_ = -1;  // the epoll set: the bell, and the descriptors of sources
  std::mutex sources_mutex_;
  std::vector<std::unique_ptr<EventSource>> sources_;
  bool sourced_ = false;  // there are some; under mutex_, for who holds sleep_mutex_
  // What sleepers sleep on: apart from mutex_, because FI_WAIT_MUTEX_COND hands both to the
  // application.
  pthread_mutex_t sleep_mutex_;
  pthread_cond_t sleep_cond_;
};

int open_eq(struct fid_fabric* fabric, struct fi_eq_attr* attr, struct fid_eq** eq,
            void* context) noexcept;

}  // namespace xs::abi
