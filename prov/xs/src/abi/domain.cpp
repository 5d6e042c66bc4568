// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/domain.hpp"

#include <exception>
#include <memory>
#include <system_error>
#include <utility>

#include "abi/env.hpp"
#include "abi/eq.hpp"
#include "abi/errno.hpp"
#include "abi/fabric.hpp"
#include "abi/info.hpp"
#include "abi/mr.hpp"
#include "abi/ops.hpp"
#include "util/log.hpp"

namespace xs::abi {

void Gate::wake_sleepers() noexcept { waits_->leaving(); }
void Gate::start_deferred() noexcept { deferred_->run(); }

void Domain::follow_life() noexcept try {
  const int lives = core.neighbours() ? core.neighbours()->life_descriptor() : -1;
  if (lives < 0) return;
  if (!util::Door::prepare_visits()) gate.lock_always();
  life = std::make_unique<LifeCycle>(*this, lives);
} catch (const std::exception& why) {
  util::log(util::Level::kWarn, "moves are followed only while the application makes progress: %s",
            why.what());
}

int Domain::progress_alone() try {
  gate.lock_always();
  const Guard guard(gate);
  if (alone) return 0;
  if (const int rc = open_waits()) return rc;
  alone = std::make_unique<AutoProgress>(*this);
  return 0;
} catch (const std::system_error& why) {
  util::log(util::Level::kWarn, "no thread makes progress: %s", why.what());
  return -why.code().value();
}

int Domain::open_waits() {
  if (waits) return 0;
  auto made = std::make_unique<Waits>(*this);
  if (const int rc = made->open()) return rc;
  waits = std::move(made);
  gate.set_waits(*waits);
  core.inner().want_waits();
  if (core.neighbours() && !waits->add(core.neighbours()->descriptor())) return -FI_ENOMEM;
  core.rings().limits.sleeps = true;
  for (core::Endpoint* endpoint : endpoints) endpoint->set_waits(*waits);
  return 0;
}

namespace {

int close(struct fid* fid) noexcept {
  auto& domain = object_of<Domain>(fid);
  {
    const Guard guard(domain.gate);
    if (domain.children > 0) return -FI_EBUSY;
  }
  if (domain.eq) domain.eq->remove_user();
  Fabric& fabric = domain.fabric;
  delete &domain;
  fabric.remove_child();
  return 0;
}

int bind(struct fid* fid, struct fid* other, std::uint64_t flags) noexcept {
  auto& domain = object_of<Domain>(fid);
  if (other->fclass != FI_CLASS_EQ) return -FI_EINVAL;
  if (flags != 0) return -FI_EBADFLAGS;
  const Guard guard(domain.gate);
  if (domain.eq) return -FI_EINVAL;
  domain.eq = &object_of<Eq>(other);
  domain.eq->add_user();
  return 0;
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  ops.bind = bind;
  ops.control = control_domain;
  ops.ops_open = open_ops;
  return ops;
}();

struct fi_ops_domain domain_ops = [] {
  auto ops = no_ops<struct fi_ops_domain>();
  ops.av_open = open_av;
  ops.cq_open = open_cq;
  ops.endpoint = open_endpoint;
  ops.cntr_open = open_cntr;
  ops.poll_open = open_poll;
  ops.query_atomic = query_atomic;
  ops.stx_ctx = open_stx;
  ops.srx_ctx = open_srx;
  return ops;
}();

}  // namespace

int open_domain(struct fid_fabric* fid, struct fi_info* info, struct fid_domain** out,
                void* context) noexcept {
  if (!info || !info->domain_attr || !out) return -FI_EINVAL;
  return control([&] {
    auto& fabric = object_of<Fabric>(fid);
    auto config = read_variables();
    if (!config) return to_errno(config.error());
    auto inner = open_inner(*config, *info);
    if (!inner) return to_errno(inner.error());
    const bool alone = makes_progress_alone(*info->domain_attr);
    // The event queue of connections is no object of a domain: any thread may read it.
    const bool locked = alone || info->domain_attr->threading != FI_THREAD_DOMAIN ||
                        (info->ep_attr && info->ep_attr->type == FI_EP_MSG);
    auto domain = std::make_unique<Domain>(fabric, locked, memory_modes(*info->domain_attr),
                                           std::move(*config), std::move(*inner));
    if (const int error = domain->core.refusal()) return -error;
    domain->fid = {.fclass = FI_CLASS_DOMAIN, .context = context, .ops = &fid_ops};
    domain->ops = &domain_ops;
    domain->mr = &memory_ops;
    if (alone)
      if (const int rc = domain->progress_alone()) return rc;
    domain->follow_life();
    fabric.add_child();
    *out = domain.release();
    return 0;
  });
}

}  // namespace xs::abi
