// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/cq.hpp"

#include <algorithm>
#include <memory>

#include "abi/errno.hpp"
#include "abi/ops.hpp"
#include "abi/text.hpp"

namespace xs::abi {

namespace {

constexpr std::size_t kDefaultSize = 1024;     // entries
constexpr unsigned kReadsPerPass = 64;         // that found something
constexpr std::size_t kLargestSize = 1 << 24;  // entries

}  // namespace

Cq::Cq(Domain& owner, const struct fi_cq_attr& attr)
    : fid_cq{},
      domain(owner),
      core(attr.format, attr.size ? attr.size : kDefaultSize),
      wait_object(attr.wait_obj),
      wait_condition(attr.wait_obj == FI_WAIT_NONE ? FI_CQ_COND_NONE : attr.wait_cond) {}

int Cq::open_wait() {
  if (wait_object == FI_WAIT_NONE) return 0;
  if (const int rc = domain.open_waits()) return rc;
  wait.emplace(*domain.waits, awaited);
  if (wait_object == FI_WAIT_MUTEX_COND) wait->make_condition();
  return wait->open();
}

// What comes now is written where it is read to, if it has no source to tell.
[[gnu::always_inline]] inline ssize_t Cq::read_new(void* buffer, std::size_t count,
                                                   fi_addr_t* source) noexcept {
  if (!source) core.lend(buffer, count);
  domain.progress();
  const std::size_t came = core.take_back();
  if (came > 0) return static_cast<ssize_t>(came);
  return core.empty() ? -FI_EAGAIN : core.read(buffer, count, source);
}

[[gnu::noinline]] ssize_t Cq::read_inside(void* buffer, std::size_t count,
                                          fi_addr_t* source) noexcept {
  const Guard guard(domain.gate);
  if (core.empty()) {
    const ssize_t rc = read_new(buffer, count, source);
    if (rc > 0 && core.empty()) gave_all_.give();
    return rc;
  }
  const ssize_t rc = take(buffer, count, source);
  // Who always finds something, messages to himself say, must not starve the rest.
  if (++reads_ % kReadsPerPass == 0) domain.progress();
  return rc;
}

// A peek that finds nothing leaves its error here at once: without progress beside errors, who
// peeks in a loop would never find anything.
[[gnu::noinline]] ssize_t Cq::take(void* buffer, std::size_t count, fi_addr_t* source) noexcept {
  const ssize_t rc = core.read(buffer, count, source);
  if (rc == -FI_EAVAIL) domain.progress();
  return rc;
}

ssize_t Cq::wait_read(void* buffer, std::size_t count, fi_addr_t* source, std::size_t threshold,
                      int timeout) noexcept {
  using Answer = std::optional<ssize_t>;
  Sleeper self{threshold};
  return wait->wait_for(domain.gate, self, Deadline(timeout), [&](bool late) -> Answer {
    if (!core.has(threshold)) domain.progress();
    const bool signaled = wait->take_signal();
    if (!late && !signaled && !core.has(threshold)) return std::nullopt;
    const ssize_t rc = take(buffer, count, source);
    if (rc != -FI_EAGAIN) return rc;
    if (signaled) return -FI_ECANCELED;
    return late ? Answer(rc) : std::nullopt;
  });
}

int Cq::try_wait() noexcept {
  if (!wait) return -FI_EINVAL;
  const Guard guard(domain.gate);
  return wait->try_wait() ? 0 : -FI_EAGAIN;
}

namespace {

int close(struct fid* fid) noexcept {
  auto& cq = object_of<Cq>(fid);
  const Guard guard(cq.domain.gate);
  if (cq.users > 0) return -FI_EBUSY;
  --cq.domain.children;
  delete &cq;
  return 0;
}

int control_cq(struct fid* fid, int command, void* arg) noexcept {
  const auto& cq = object_of<Cq>(fid);
  return wait_control(command, arg, cq.wait_object, cq.wait ? &*cq.wait : nullptr);
}

ssize_t read(struct fid_cq* fid, void* buffer, std::size_t count) noexcept {
  return object_of<Cq>(fid).read(buffer, count, nullptr);
}

ssize_t readfrom(struct fid_cq* fid, void* buffer, std::size_t count, fi_addr_t* source) noexcept {
  return object_of<Cq>(fid).read(buffer, count, source);
}

ssize_t readerr(struct fid_cq* fid, struct fi_cq_err_entry* entry, std::uint64_t flags) noexcept {
  auto& cq = object_of<Cq>(fid);
  const Guard guard(cq.domain.gate);
  return cq.core.read_error(entry, flags);
}

ssize_t sreadfrom(struct fid_cq* fid, void* buffer, std::size_t count, fi_addr_t* source,
                  const void* condition, int timeout) noexcept {
  auto& cq = object_of<Cq>(fid);
  if (!cq.wait) return -FI_EINVAL;
  std::size_t threshold = 1;
  if (cq.wait_condition == FI_CQ_COND_THRESHOLD && condition)
    threshold = std::clamp<std::size_t>(*static_cast<const std::size_t*>(condition), 1,
                                        std::max<std::size_t>(count, 1));
  return cq.wait_read(buffer, count, source, threshold, timeout);
}

ssize_t sread(struct fid_cq* fid, void* buffer, std::size_t count, const void* condition,
              int timeout) noexcept {
  return sreadfrom(fid, buffer, count, nullptr, condition, timeout);
}

int signal(struct fid_cq* fid) noexcept {
  auto& cq = object_of<Cq>(fid);
  if (!cq.wait) return -FI_EINVAL;
  cq.wait->signal();
  return 0;
}

const char* strerror(struct fid_cq*, int error, const void*, char* buffer,
                     std::size_t size) noexcept {
  return error_text(error, buffer, size);
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  ops.control = control_cq;
  return ops;
}();

struct fi_ops_cq cq_ops = [] {
  auto ops = no_ops<struct fi_ops_cq>();
  ops.read = read;
  ops.readfrom = readfrom;
  ops.readerr = readerr;
  ops.sread = sread;
  ops.sreadfrom = sreadfrom;
  ops.signal = signal;
  ops.strerror = strerror;
  return ops;
}();

int check(const struct fi_cq_attr& attr) noexcept {
  if (raw(attr.format) > FI_CQ_FORMAT_TAGGED) return -FI_EINVAL;
  if (attr.size > kLargestSize) return -FI_EINVAL;
  if (attr.flags & ~FI_AFFINITY) return -FI_EBADFLAGS;
  if (!is_waitable(raw(attr.wait_obj))) return -FI_ENOSYS;
  if (attr.wait_obj == FI_WAIT_NONE) return 0;
  return raw(attr.wait_cond) > FI_CQ_COND_THRESHOLD ? -FI_EINVAL : 0;
}

}  // namespace

int open_cq(struct fid_domain* fid, struct fi_cq_attr* attr, struct fid_cq** out,
            void* context) noexcept {
  if (!attr || !out) return -FI_EINVAL;
  if (const int rc = check(*attr)) return rc;
  return control([&] {
    auto& domain = object_of<Domain>(fid);
    if (attr->wait_obj == FI_WAIT_MUTEX_COND)
      if (const int rc = domain.progress_alone()) return rc;
    const Guard guard(domain.gate);
    auto cq = std::make_unique<Cq>(domain, *attr);
    cq->fid = {.fclass = FI_CLASS_CQ, .context = context, .ops = &fid_ops};
    cq->ops = &cq_ops;
    if (const int rc = cq->open_wait()) return rc;
    ++domain.children;
    *out = cq.release();
    return 0;
  });
}

}  // namespace xs::abi
