// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The life of an endpoint: open, bind, enable, name, options, close.
#include "abi/ep.hpp"

#include <rdma/fi_cm.h>
#include <rdma/fi_collective.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "abi/eq.hpp"
#include "abi/info.hpp"
#include "abi/mr.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

using core::Counted;

Ep::Ep(Domain& owner, const struct fi_info& info) noexcept
    : fid_ep{},
      domain(owner),
      inject_size(std::min(info.tx_attr->inject_size, core::kInjectLimit)),
      largest_message(info.ep_attr->max_msg_size),
      caps(info.caps),
      send_op_flags(info.tx_attr->op_flags),
      receive_op_flags(info.rx_attr->op_flags) {
  set_defaults();
}

core::Counters Ep::core_counters() const noexcept {
  core::Counters all;
  for (std::size_t i = 0; i < counters.size(); ++i)
    if (counters[i]) all.set(static_cast<Counted>(i), counters[i]->counter.core);
  return all;
}

core::AddressBook* Ep::book() const noexcept {
  if (connection) return &connection->core.book();
  return av ? &av->book : nullptr;
}

int Ep::set_source(const core::Address& address) {
  const core::Address& usual = domain.core.inner().source();
  if (address.family != usual.family) return -FI_EINVAL;
  inner.reset();
  if (address == usual) return 0;
  auto own = open_inner_at(domain.core.config(), address);
  if (!own) return to_errno(own.error());
  inner = std::move(*own);
  return 0;
}

int Ep::enable() noexcept {
  if (core) return -FI_EOPBADSTATE;
  const bool hears_of_sends = send_queue || counter_of(Counted::kSend) ||
                              counter_of(Counted::kRead) || counter_of(Counted::kWrite);
  if ((caps & (FI_SEND | kRemoteInitiator)) && !hears_of_sends) return -FI_ENOCQ;
  if ((caps & FI_RECV) && !receive_queue && !counter_of(Counted::kReceive)) return -FI_ENOCQ;
  if (!book()) return -FI_ENOAV;
  if (srx && srx->av && srx->av != av) return -FI_EINVAL;  // numbers of peers mean the same to all
  core::InnerProvider& provider = inner ? *inner : domain.core.inner();
  if (domain.waits) provider.want_waits();
  auto opened =
      core::Endpoint::open({.config = domain.core.config(),
                            .inner = provider,
                            .clock = domain.core.clock(),
                            .random = domain.core.random(),
                            .send_queue = send_queue ? &send_queue->core : nullptr,
                            .receive_queue = receive_queue ? &receive_queue->core : nullptr,
                            .counters = core_counters(),
                            .book = book(),
                            .neighbours = domain.core.neighbours(),
                            .rings = domain.core.neighbours() ? &domain.core.rings() : nullptr,
                            .observer = &domain.path_events,
                            .exposed = {&domain.memory, rights_of(caps)},
                            .shared = srx ? &srx->core : nullptr,
                            .shared_flags = selective_receive ? 0u : core::kOpCompletion,
                            .gatekeeper = connection ? &connection->core : nullptr,
                            .directed = (caps & FI_DIRECTED_RECV) != 0,
                            .source = (caps & FI_SOURCE) != 0});
  if (!opened) return to_errno(opened.error());
  return control([&] {
    domain.endpoints.reserve(domain.endpoints.size() + 1);
    book()->attach(**opened);
    core = std::move(*opened);
    if (srx && av) srx->begin_use(*av);
    if (core->sends_quickly()) quick_below = std::min(inject_size, largest_message) + 1;
    core->set_min_multi_receive(min_multi_receive);
    if (domain.waits) core->set_waits(*domain.waits);
    domain.endpoints.push_back(core.get());
    return 0;
  });
}

namespace {

// Says goodbye. The other endpoints of the domain go on meanwhile: one of them may be the peer that
// has to acknowledge.
void part(Ep& ep) noexcept {
  ep.core->close(ep.domain.endpoints);
  std::erase(ep.domain.endpoints, ep.core.get());
  ep.book()->detach(*ep.core);
  ep.core.reset();
  if (ep.srx && ep.av) ep.srx->end_use();
}

void release_eq(Ep& ep) noexcept {
  auto& eqs = ep.domain.endpoint_eqs;
  if (!ep.connection) eqs.erase(std::find(eqs.begin(), eqs.end(), ep.eq));
  ep.eq->remove_user();
}

int close(struct fid* fid) noexcept {
  auto& ep = object_of<Ep>(fid);
  if (ep.connection && !ep.connection->before_close()) return -FI_EBUSY;
  const Guard guard(ep.domain.gate);
  if (ep.busy()) return -FI_EBUSY;
  if (ep.domain.deferred) ep.domain.deferred->forget(ep);
  if (ep.core) part(ep);
  if (ep.send_queue) --ep.send_queue->users;
  if (ep.receive_queue) --ep.receive_queue->users;
  for (Cntr* cntr : ep.counters)
    if (cntr) --cntr->users;
  if (ep.stx) --ep.stx->users;
  if (ep.srx) --ep.srx->users;
  if (ep.av) --ep.av->users;
  if (ep.eq) {
    if (ep.connection) ep.eq->forget(&ep.fid);
    release_eq(ep);
  }
  --ep.domain.children;
  delete &ep;
  return 0;
}

}  // namespace

// Writes what fits, and always the whole size.
int give_address(const core::Address& address, void* to, std::size_t* size) noexcept {
  struct sockaddr_storage room;
  const std::size_t whole = address.to_sockaddr(room);
  const std::size_t fits = std::min(*size, whole);
  if (fits > 0) std::memcpy(to, &room, fits);
  *size = whole;
  return fits < whole ? -FI_ETOOSMALL : 0;
}

int exchange_op_flags(const OpFlags& all, bool set, std::uint64_t& word) noexcept {
  const std::uint64_t direction = word & (FI_TRANSMIT | FI_RECV);
  if (direction != FI_TRANSMIT && direction != FI_RECV) return -FI_EINVAL;
  std::uint64_t& flags = direction == FI_RECV ? all.receive : all.send;
  if (!set) {
    word = flags;
    return 0;
  }
  const std::uint64_t wanted = word & ~direction;
  const std::uint64_t usual = direction == FI_RECV ? kReceiveOpFlags : kSendOpFlags;
  if (wanted & ~(usual | all.more)) return -FI_EBADFLAGS;
  flags = wanted;
  return 0;
}

namespace {

int op_flags(Ep& ep, bool set, std::uint64_t& word) noexcept {
  const int rc = exchange_op_flags({ep.send_op_flags, ep.receive_op_flags}, set, word);
  ep.set_defaults();
  return rc;
}

int control_ep(struct fid* fid, int command, void* arg) noexcept {
  auto& ep = object_of<Ep>(fid);
  const Guard guard(ep.domain.gate);
  switch (command) {
    case FI_ENABLE:
      return ep.enable();
    case FI_ALIAS:
      return open_alias(ep, static_cast<const struct fi_alias*>(arg));
    case FI_GETOPSFLAG:
    case FI_SETOPSFLAG:
      if (!arg) return -FI_EINVAL;
      return op_flags(ep, command == FI_SETOPSFLAG, *static_cast<std::uint64_t*>(arg));
    default:
      return -FI_ENOSYS;
  }
}

ssize_t cancel(struct fid* fid, void* context) noexcept {
  auto& ep = object_of<Ep>(fid);
  const Guard guard(ep.domain.gate);
  if (!ep.core) return -FI_EOPBADSTATE;
  return to_errno(ep.core->cancel(context));
}

int getopt(struct fid* fid, int level, int name, void* value, std::size_t* size) noexcept {
  auto& ep = object_of<Ep>(fid);
  if (ep.connection && level == FI_OPT_ENDPOINT && name == FI_OPT_CM_DATA_SIZE)
    return give_data_size(value, size);
  return get_min_multi_receive(level, name, value, size, [&] {
    const Guard guard(ep.domain.gate);
    return ep.min_multi_receive;
  });
}

int setopt(struct fid* fid, int level, int name, const void* value, std::size_t size) noexcept {
  auto& ep = object_of<Ep>(fid);
  return set_min_multi_receive(level, name, value, size, [&](std::size_t bytes) {
    const Guard guard(ep.domain.gate);
    ep.min_multi_receive = bytes;
    if (ep.core) ep.core->set_min_multi_receive(bytes);
  });
}

ssize_t rx_size_left(struct fid_ep* fid) noexcept {
  auto& ep = object_of<Ep>(fid);
  const Guard guard(ep.domain.gate);
  if (!ep.core) return -FI_EOPBADSTATE;
  const std::size_t posted = ep.core->receiver().posted();
  return static_cast<ssize_t>(kReceiveSize - std::min(posted, kReceiveSize));
}

ssize_t tx_size_left(struct fid_ep* fid) noexcept {
  auto& ep = object_of<Ep>(fid);
  const Guard guard(ep.domain.gate);
  if (!ep.core) return -FI_EOPBADSTATE;
  const std::size_t under_way = ep.core->sends_under_way();
  return static_cast<ssize_t>(core::kSendLimit - std::min(under_way, core::kSendLimit));
}

int getname(struct fid* fid, void* to, std::size_t* size) noexcept {
  auto& ep = object_of<Ep>(fid);
  if (!size || (!to && *size > 0)) return -FI_EINVAL;
  const Guard guard(ep.domain.gate);
  return ep.core ? give_address(ep.core->name(), to, size) : -FI_EOPBADSTATE;
}

struct fi_ops fid_ops = [] {
  auto ops = no_ops<struct fi_ops>();
  ops.close = close;
  ops.bind = bind_endpoint;
  ops.control = control_ep;
  return ops;
}();

struct fi_ops_ep endpoint_ops = [] {
  auto ops = no_ops<struct fi_ops_ep>();
  ops.cancel = cancel;
  ops.getopt = getopt;
  ops.setopt = setopt;
  ops.rx_size_left = rx_size_left;
  ops.tx_size_left = tx_size_left;
  return ops;
}();

struct fi_ops_cm name_ops = [] {
  auto ops = no_ops<struct fi_ops_cm>();
  ops.getname = getname;
  return ops;
}();

struct fi_ops_rma no_rma = no_ops<struct fi_ops_rma>();
struct fi_ops_atomic no_atomics = no_ops<struct fi_ops_atomic>();
struct fi_ops_collective no_collectives = no_ops<struct fi_ops_collective>();

int check(const struct fi_info& info) noexcept {
  if (!info.tx_attr || !info.rx_attr || !info.ep_attr) return -FI_EINVAL;
  if (!is_offered_type(raw(info.ep_attr->type))) return -FI_EINVAL;
  return acceptable(info) ? 0 : -FI_EINVAL;
}

}  // namespace

int open_endpoint(struct fid_domain* fid, struct fi_info* info, struct fid_ep** out,
                  void* context) noexcept {
  if (!info || !out) return -FI_EINVAL;
  if (const int rc = check(*info)) return rc;
  return control([&] {
    auto& domain = object_of<Domain>(fid);
    auto ep = std::make_unique<Ep>(domain, *info);
    auto source = core::Address::from_sockaddr(static_cast<const struct sockaddr*>(info->src_addr),
                                               info->src_addrlen);
    if (is_connection(*info)) {
      // A domain that was opened for other endpoints may be entered without a lock.
      if (!domain.gate.is_locked()) return -FI_EINVAL;
      ep->connection = std::make_unique<Connected>(*ep);
      if (const auto taken = ep->connection->take_over(info->handle)) source = taken;
    }
    if (source)
      if (const int rc = ep->set_source(*source)) return rc;
    // The last that may fail.
    if (ep->connection)
      if (const int rc = ep->connection->take_request(info->handle)) return rc;
    ep->fid = {.fclass = FI_CLASS_EP, .context = context, .ops = &fid_ops};
    ep->ops = &endpoint_ops;
    ep->cm = &name_ops;
    ep->msg = &message_ops;
    const bool reaches = (ep->caps & kRemoteInitiator) != 0;
    ep->rma = reaches && (ep->caps & FI_RMA) ? &rma_ops : &no_rma;
    ep->tagged = &tagged_ops;
    ep->atomic = reaches && (ep->caps & FI_ATOMIC) ? &atomic_ops : &no_atomics;
    ep->collective = &no_collectives;
    if (ep->connection) ep->connection->set_ops();
    const Guard guard(domain.gate);
    ++domain.children;
    *out = ep.release();
    return 0;
  });
}

}  // namespace xs::abi
