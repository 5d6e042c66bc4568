// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/eq.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <utility>

#include "abi/errno.hpp"
#include "abi/event_source.hpp"
#include "abi/fabric.hpp"
#include "abi/ops.hpp"
#include "abi/text.hpp"
#include "abi/wait.hpp"

namespace xs::abi {

namespace {

constexpr std::size_t kDefaultSize = 256;
constexpr std::uint64_t kReadFlags = FI_PEEK;

}  // namespace

Eq::Eq(Fabric& owner, const struct fi_eq_attr& attr)
    : fid_eq{},
      fabric(owner),
      writable((attr.flags & FI_WRITE) != 0),
      capacity_(attr.size ? attr.size : kDefaultSize),
      wait_object_(attr.wait_obj),
      sleep_mutex_(PTHREAD_MUTEX_INITIALIZER),
      sleep_cond_(PTHREAD_COND_INITIALIZER) {}

Eq::~Eq() {
  for (const Event& event : events_) fi_freeinfo(event.info);
  if (descriptor_ >= 0) ::close(descriptor_);
  if (bell_ >= 0) ::close(bell_);
  pthread_cond_destroy(&sleep_cond_);
  pthread_mutex_destroy(&sleep_mutex_);
}

int Eq::open_wait_object() noexcept {
  if (wait_object_ != FI_WAIT_FD && wait_object_ != FI_WAIT_POLLFD) return 0;
  return open_descriptor();
}

namespace {
bool add_to(int epoll, int descriptor) noexcept {
  struct epoll_event event {};
  event.events = EPOLLIN;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}
}  // namespace

int Eq::open_descriptor() noexcept {
  const std::lock_guard lock(mutex_);
  if (descriptor_ >= 0) return 0;
  if (bell_ < 0) bell_ = eventfd(events_.empty() ? 0 : 1, EFD_CLOEXEC | EFD_NONBLOCK);
  if (bell_ < 0) return -errno;
  const int set = epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) return -errno;
  if (!add_to(set, bell_)) {
    const int rc = -errno;
    ::close(set);
    return rc;
  }
  descriptor_ = set;
  return 0;
}

void Eq::add_user() noexcept {
  const std::lock_guard lock(mutex_);
  ++users_;
}

void Eq::remove_user() noexcept {
  const std::lock_guard lock(mutex_);
  --users_;
}

bool Eq::in_use() noexcept {
  const std::lock_guard lock(mutex_);
  return users_ > 0;
}

int Eq::push(Event&& event, bool bounded) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (bounded && events_.size() >= capacity_) return -FI_EAGAIN;
    const int rc = abi::control([&] {
      events_.push_back(std::move(event));
      return 0;
    });
    if (rc) return rc;
    if (bell_ >= 0 && events_.size() == 1) eventfd_write(bell_, 1);
  }
  wake();
  return 0;
}

void Eq::pop() noexcept {
  events_.pop_front();
  quiet_bell_locked();
}

void Eq::quiet_bell_locked() noexcept {
  eventfd_t count;
  if (bell_ >= 0 && events_.empty()) eventfd_read(bell_, &count);
}

void Eq::quiet_bell() noexcept {
  const std::lock_guard lock(mutex_);
  quiet_bell_locked();
}

void Eq::wake() noexcept {
  pthread_mutex_lock(&sleep_mutex_);
  pthread_cond_broadcast(&sleep_cond_);
  pthread_mutex_unlock(&sleep_mutex_);
}

ssize_t Eq::write(std::uint32_t number, const void* body, std::size_t size, bool bounded) noexcept {
  const int rc = abi::control([&] {
    const auto* bytes = static_cast<const std::byte*>(body);
    return push({number, {bytes, bytes + size}, false, {}}, bounded);
  });
  return rc ? rc : static_cast<ssize_t>(size);
}

int Eq::write_error(const struct fi_eq_err_entry& error) noexcept {
  return abi::control([&] {
    const auto* bytes = static_cast<const std::byte*>(error.err_data);
    return push({0, {bytes, bytes + error.err_data_size}, true, error, error.fid}, false);
  });
}

int Eq::write_connection(std::uint32_t number, struct fid* of, struct fi_info* info,
                         const void* data, std::size_t size) noexcept {
  return abi::control([&] {
    const struct fi_eq_cm_entry entry { of, info };
    std::vector<std::byte> body(sizeof entry + size);
    std::memcpy(body.data(), &entry, sizeof entry);
    if (size > 0) std::memcpy(body.data() + sizeof entry, data, size);
    return push({number, std::move(body), false, {}, of, info}, false);
  });
}

void Eq::forget(const struct fid* of) noexcept {
  const std::lock_guard lock(mutex_);
  const bool any = !events_.empty();
  std::erase_if(events_, [of](const Event& event) {
    if (event.of != of) return false;
    fi_freeinfo(event.info);
    return true;
  });
  eventfd_t count;
  if (bell_ >= 0 && any && events_.empty()) eventfd_read(bell_, &count);
}

bool Eq::has_events() noexcept {
  const std::lock_guard lock(mutex_);
  return !events_.empty();
}

void Eq::write_latest(std::uint32_t number, const struct fi_eq_entry& entry) noexcept {
  {
    const std::lock_guard lock(mutex_);
    for (Event& event : events_) {
      struct fi_eq_entry before;
      if (event.is_error || event.number != number || event.body.size() != sizeof before) continue;
      std::memcpy(&before, event.body.data(), sizeof before);
      if (before.fid != entry.fid) continue;
      std::memcpy(event.body.data(), &entry, sizeof entry);
      return;
    }
  }
  // Nobody else writes entries of that fid: its domain is entered by one thread at a time.
  write(number, &entry, sizeof entry, false);
}

ssize_t Eq::read_locked(std::uint32_t* event, void* buffer, std::size_t size, bool peek) noexcept {
  if (events_.empty()) return -FI_EAGAIN;
  const Event& first = events_.front();
  if (first.is_error) return -FI_EAVAIL;
  if (size < first.body.size()) return -FI_ETOOSMALL;
  const auto length = static_cast<ssize_t>(first.body.size());
  if (event) *event = first.number;
  std::copy(first.body.begin(), first.body.end(), static_cast<std::byte*>(buffer));
  if (!peek) pop();  // its info is the reader's
  return length;
}

ssize_t Eq::read(std::uint32_t* event, void* buffer, std::size_t size, bool peek) noexcept {
  progress();
  const std::lock_guard lock(mutex_);
  return read_locked(event, buffer, size, peek);
}

ssize_t Eq::read_error(struct fi_eq_err_entry* entry, bool peek) noexcept {
  const std::lock_guard lock(mutex_);
  if (events_.empty() || !events_.front().is_error) return -FI_EAGAIN;
  Event& first = events_.front();
  const struct fi_eq_err_entry& error = first.error;
  entry->fid = error.fid;
  entry->context = error.context;
  entry->data = error.data;
  entry->err = error.err;
  entry->prov_errno = error.prov_errno;
  if (first.body.empty()) {
    entry->err_data_size = 0;  // err_data is the caller's and may be garbage: there is none to give
  } else if (entry->err_data && entry->err_data_size > 0) {
    entry->err_data_size = std::min(entry->err_data_size, first.body.size());
    std::memcpy(entry->err_data, first.body.data(), entry->err_data_size);
  } else {
    if (!peek) last_error_data_.swap(first.body);
    std::vector<std::byte>& data = peek ? first.body : last_error_data_;
    entry->err_data = data.data();
    entry->err_data_size = data.size();
  }
  if (!peek) pop();
  return sizeof *entry;
}

int Eq::control(int command, void* arg) noexcept {
  if (!arg) return -FI_EINVAL;
  if (command == FI_GETWAITOBJ) {
    *static_cast<enum fi_wait_obj*>(arg) = wait_object_;
    return 0;
  }
  if (command != FI_GETWAIT) return -FI_ENOSYS;
  if (wait_object_ != FI_WAIT_MUTEX_COND) return give_descriptor(wait_object_, descriptor_, arg);
  *static_cast<struct fi_mutex_cond*>(arg) = {&sleep_mutex_, &sleep_cond_};
  return 0;
}

namespace {

int close(struct fid* fid) noexcept {
  auto& eq = object_of<Eq>(fid);
  if (eq.in_use()) return -FI_EBUSY;
  Fabric& fabric = eq.fabric;
  delete &eq;
  fabric.remove_child();
  return 0;
}

int control_eq(struct fid* fid, int command, void* arg) noexcept {
  return object_of<Eq>(fid).control(command, arg);
}

ssize_t read(struct fid_eq* fid, std::uint32_t* event, void* buffer, std::size_t size,
             std::uint64_t flags) noexcept {
  if (flags & ~kReadFlags) return -FI_EBADFLAGS;
  return object_of<Eq>(fid).read(event, buffer, size, (flags & FI_PEEK) != 0);
}

ssize_t readerr(struct fid_eq* fid, struct fi_eq_err_entry* entry, std::uint64_t flags) noexcept {
  if (flags & ~kReadFlags) return -FI_EBADFLAGS;
  return object_of<Eq>(fid).read_error(entry, (flags & FI_PEEK) != 0);
}

ssize_t write(struct fid_eq* fid, std::uint32_t event, const void* body, std::size_t size,
              std::uint64_t flags) noexcept {
  auto& eq = object_of<Eq>(fid);
  if (flags) return -FI_EBADFLAGS;
  if (!eq.writable) return -FI_EINVAL;
  return eq.write(event, body, size, true);
}

ssize_t sread(struct fid_eq* fid, std::uint32_t* event, void* buffer, std::size_t size, int timeout,
              std::uint64_t flags) noexcept {
  if (flags & ~kReadFlags) return -FI_EBADFLAGS;
  return object_of<Eq>(fid).wait_read(event, buffer, size, timeout, (flags & FI_PEEK) != 0);
}

const char* strerror(struct fid_eq*, int error, const void*, char* buffer,
                     std::size_t size) noexcept {
  return error_text(error, buffer, size);
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  ops.control = control_eq;
  return ops;
}();

struct fi_ops_eq eq_ops = [] {
  auto ops = no_ops<struct fi_ops_eq>();
  ops.read = read;
  ops.readerr = readerr;
  ops.write = write;
  ops.sread = sread;
  ops.strerror = strerror;
  return ops;
}();

// FI_WAIT_YIELD is the application's wish, no duty of ours.
bool has_wait_object(std::uint32_t kind) noexcept {
  return kind == FI_WAIT_NONE || kind == FI_WAIT_UNSPEC || kind == FI_WAIT_FD ||
         kind == FI_WAIT_POLLFD || kind == FI_WAIT_MUTEX_COND || kind == FI_WAIT_YIELD;
}

}  // namespace

int open_eq(struct fid_fabric* fid, struct fi_eq_attr* attr, struct fid_eq** out,
            void* context) noexcept {
  if (!attr || !out) return -FI_EINVAL;
  if (!has_wait_object(raw(attr->wait_obj))) return -FI_ENOSYS;
  if (attr->flags & ~(FI_WRITE | FI_AFFINITY)) return -FI_EBADFLAGS;
  return control([&] {
    auto& fabric = object_of<Fabric>(fid);
    auto eq = std::make_unique<Eq>(fabric, *attr);
    if (const int rc = eq->open_wait_object()) return rc;
    eq->fid = {.fclass = FI_CLASS_EQ, .context = context, .ops = &fid_ops};
    eq->ops = &eq_ops;
    fabric.add_child();
    *out = eq.release();
    return 0;
  });
}

}  // namespace xs::abi
