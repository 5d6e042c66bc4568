// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What an endpoint is bound to: fi_endpoint(3).
#include "abi/ep.hpp"
#include "abi/eq.hpp"
#include "abi/ops.hpp"

namespace xs::abi {

namespace {

int bind_queue(Ep& ep, Cq& cq, std::uint64_t flags) noexcept {
  if (flags & ~(FI_TRANSMIT | FI_RECV | FI_SELECTIVE_COMPLETION)) return -FI_EBADFLAGS;
  if (!(flags & (FI_TRANSMIT | FI_RECV))) return -FI_EBADFLAGS;
  if (&cq.domain != &ep.domain) return -FI_EINVAL;
  if ((flags & FI_TRANSMIT) && ep.send_queue) return -FI_EINVAL;
  if ((flags & FI_RECV) && ep.receive_queue) return -FI_EINVAL;
  const bool selective = (flags & FI_SELECTIVE_COMPLETION) != 0;
  if (flags & FI_TRANSMIT) {
    ep.send_queue = &cq;
    ep.selective_send = selective;
    ++cq.users;
  }
  if (flags & FI_RECV) {
    ep.receive_queue = &cq;
    ep.selective_receive = selective;
    ++cq.users;
  }
  ep.set_defaults();
  return 0;
}

// What the flags of a binding count, in the order of Counted.
constexpr std::array<std::uint64_t, core::kCountedKinds> kCountFlags = {
    FI_SEND, FI_RECV, FI_READ, FI_WRITE, FI_REMOTE_READ, FI_REMOTE_WRITE};
constexpr std::uint64_t kAllCountFlags = [] {
  std::uint64_t all = 0;
  for (const std::uint64_t flag : kCountFlags) all |= flag;
  return all;
}();

int bind_counter(Ep& ep, Cntr& cntr, std::uint64_t flags) noexcept {
  if ((flags & ~kAllCountFlags) || !flags) return -FI_EBADFLAGS;
  if (&cntr.domain != &ep.domain) return -FI_EINVAL;
  for (std::size_t i = 0; i < kCountFlags.size(); ++i)
    if ((flags & kCountFlags[i]) && ep.counters[i]) return -FI_EINVAL;
  for (std::size_t i = 0; i < kCountFlags.size(); ++i) {
    if (!(flags & kCountFlags[i])) continue;
    ep.counters[i] = &cntr;
    ++cntr.users;
  }
  return 0;
}

int bind_stx(Ep& ep, Stx& stx, std::uint64_t flags) noexcept {
  if (flags) return -FI_EBADFLAGS;
  if (&stx.domain != &ep.domain || ep.stx) return -FI_EINVAL;
  ep.stx = &stx;
  ++stx.users;
  return 0;
}

int bind_srx(Ep& ep, Srx& srx, std::uint64_t flags) noexcept {
  if (flags) return -FI_EBADFLAGS;
  if (&srx.domain != &ep.domain || ep.srx) return -FI_EINVAL;
  ep.srx = &srx;
  if (ep.connection)
    ep.connection->share_receives();
  else
    ep.tagged = &tagged_ops_without_receives();
  ++srx.users;
  return 0;
}

int bind_av(Ep& ep, Av& av, std::uint64_t flags) noexcept {
  if (flags) return -FI_EBADFLAGS;
  if (&av.domain != &ep.domain || ep.av || ep.connection) return -FI_EINVAL;
  ep.av = &av;
  ++av.users;
  return 0;
}

// Who reads the queue of a connection expects the events of fi_cm(3), and gives room for nothing
// larger: news of paths would be an error to him.
int bind_eq(Ep& ep, Eq& eq) noexcept {
  if (ep.eq) return -FI_EINVAL;
  return control([&] {
    if (!ep.connection) ep.domain.endpoint_eqs.push_back(&eq);
    ep.eq = &eq;
    eq.add_user();
    return 0;
  });
}

int bind_inside(Ep& ep, struct fid* other, std::uint64_t flags) noexcept {
  const Guard guard(ep.domain.gate);
  if (ep.core) return -FI_EOPBADSTATE;
  switch (other->fclass) {
    case FI_CLASS_CQ:
      return bind_queue(ep, object_of<Cq>(other), flags);
    case FI_CLASS_AV:
      return bind_av(ep, object_of<Av>(other), flags);
    case FI_CLASS_EQ:
      return bind_eq(ep, object_of<Eq>(other));
    case FI_CLASS_CNTR:
      return bind_counter(ep, object_of<Cntr>(other), flags);
    case FI_CLASS_STX_CTX:
      return bind_stx(ep, object_of<Stx>(other), flags);
    case FI_CLASS_SRX_CTX:
      return bind_srx(ep, object_of<Srx>(other), flags);
    default:
      return -FI_EINVAL;
  }
}

}  // namespace

int bind_endpoint(struct fid* fid, struct fid* other, std::uint64_t flags) noexcept {
  auto& ep = object_of<Ep>(fid);
  const bool source = ep.connection && other->fclass == FI_CLASS_EQ;
  if (source)
    if (const int rc = object_of<Eq>(other).add_source(ep.domain)) return rc;
  const int rc = bind_inside(ep, other, flags);
  if (source && rc) object_of<Eq>(other).remove_source(ep.domain);
  return rc;
}

}  // namespace xs::abi
