// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// fi_cntr(3).
#include "abi/cntr.hpp"

#include <sched.h>

#include <memory>

#include "abi/errno.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

int Cntr::open_wait() {
  if (wait_object == FI_WAIT_NONE) return 0;
  if (const int rc = domain.open_waits()) return rc;
  wait.emplace(*domain.waits, counter);
  if (wait_object == FI_WAIT_MUTEX_COND) wait->make_condition();
  return wait->open();
}

// Makes progress and looks. nullopt: the wait goes on.
std::optional<int> Cntr::look(const Sleeper& self, bool late) noexcept {
  if (!counter.ends(self)) domain.progress();
  if (counter.reached(self.threshold)) {
    counter.tell_value();
    return 0;
  }
  if (counter.ends(self)) {
    counter.tell_errors();
    return -FI_EAVAIL;
  }
  return late ? std::optional(-FI_ETIMEDOUT) : std::nullopt;
}

Sleeper Cntr::sleeper(std::uint64_t threshold) noexcept {
  const Guard guard(domain.gate);
  return {.threshold = threshold, .errors = counter.known_errors()};
}

int Cntr::wait_for(std::uint64_t threshold, int timeout) noexcept {
  const Deadline deadline(timeout);
  Sleeper self = sleeper(threshold);
  if (!wait) return poll_for(self, deadline);
  return wait->wait_for(domain.gate, self, deadline, [&](bool late) { return look(self, late); });
}

// Who has nothing to sleep on looks again and again.
int Cntr::poll_for(const Sleeper& self, const Deadline& deadline) noexcept {
  for (;; sched_yield()) {
    const bool late = deadline.passed();
    const Guard guard(domain.gate);
    if (const auto answer = look(self, late)) return *answer;
  }
}

int Cntr::try_wait() noexcept {
  if (!wait) return -FI_EINVAL;
  const Guard guard(domain.gate);
  return wait->try_wait() ? 0 : -FI_EAGAIN;
}

namespace {

int close(struct fid* fid) noexcept {
  auto& cntr = object_of<Cntr>(fid);
  const Guard guard(cntr.domain.gate);
  if (cntr.users > 0) return -FI_EBUSY;
  --cntr.domain.children;
  delete &cntr;
  return 0;
}

int control_cntr(struct fid* fid, int command, void* arg) noexcept {
  const auto& cntr = object_of<Cntr>(fid);
  return wait_control(command, arg, cntr.wait_object, cntr.wait ? &*cntr.wait : nullptr);
}

// Reading makes progress, whatever it finds: who waits so reads again and again.
std::uint64_t read(struct fid_cntr* fid) noexcept {
  auto& cntr = object_of<Cntr>(fid);
  const Guard guard(cntr.domain.gate);
  cntr.domain.progress();
  return cntr.counter.tell_value();
}

std::uint64_t readerr(struct fid_cntr* fid) noexcept {
  auto& cntr = object_of<Cntr>(fid);
  const Guard guard(cntr.domain.gate);
  cntr.domain.progress();
  return cntr.counter.tell_errors();
}

// The application's own arithmetic; whoever waits for what it comes to wakes as we leave the gate.
template <void (core::Counter::*change)(std::uint64_t) noexcept>
int apply(struct fid_cntr* fid, std::uint64_t number) noexcept {
  auto& cntr = object_of<Cntr>(fid);
  const Guard guard(cntr.domain.gate);
  (cntr.counter.core.*change)(number);
  cntr.counter.forget_change();
  return 0;
}

int wait(struct fid_cntr* fid, std::uint64_t threshold, int timeout) noexcept {
  return object_of<Cntr>(fid).wait_for(threshold, timeout);
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  ops.control = control_cntr;
  return ops;
}();

struct fi_ops_cntr counter_ops = [] {
  auto ops = no_ops<struct fi_ops_cntr>();
  ops.read = read;
  ops.readerr = readerr;
  ops.add = apply<&core::Counter::add>;
  ops.adderr = apply<&core::Counter::add_errors>;
  ops.set = apply<&core::Counter::set>;
  ops.seterr = apply<&core::Counter::set_errors>;
  ops.wait = wait;
  return ops;
}();

int check(const struct fi_cntr_attr& attr) noexcept {
  if (attr.flags) return -FI_EBADFLAGS;
  // libfabric 2.4 can also count bytes.
  if (raw(attr.events) != FI_CNTR_EVENTS_COMP) return -FI_ENOSYS;
  return is_waitable(raw(attr.wait_obj)) ? 0 : -FI_ENOSYS;
}

}  // namespace

int open_cntr(struct fid_domain* fid, struct fi_cntr_attr* attr, struct fid_cntr** out,
              void* context) noexcept {
  if (!attr || !out) return -FI_EINVAL;
  if (const int rc = check(*attr)) return rc;
  return control([&] {
    auto& domain = object_of<Domain>(fid);
    if (attr->wait_obj == FI_WAIT_MUTEX_COND)
      if (const int rc = domain.progress_alone()) return rc;
    const Guard guard(domain.gate);
    auto cntr = std::make_unique<Cntr>(domain, attr->wait_obj);
    cntr->fid = {.fclass = FI_CLASS_CNTR, .context = context, .ops = &fid_ops};
    cntr->ops = &counter_ops;
    if (const int rc = cntr->open_wait()) return rc;
    ++domain.children;
    *out = cntr.release();
    return 0;
  });
}

}  // namespace xs::abi
