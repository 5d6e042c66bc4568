// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What <rdma/fi_ext_xs.h> offers: the event of a domain whose paths have followed a move, and the
// table that tells which way each peer is reached.
#include <rdma/fi_ext_xs.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "abi/domain.hpp"
#include "abi/ep.hpp"
#include "abi/eq.hpp"
#include "abi/ops.hpp"
#include "core/peer_report.hpp"
#include "util/log.hpp"

namespace xs::abi {

void PathEvents::paths_refreshed() noexcept {
  const locality::Neighbours* neighbours = domain_.core.neighbours();
  const struct fi_eq_entry entry {
    .fid = &domain_.fid, .context = domain_.fid.context,
    .data = neighbours ? neighbours->place().generation : 0
  };
  if (domain_.eq) return domain_.eq->write_latest(FI_XS_PATHS_REFRESHED, entry);
  for (Eq* eq : domain_.endpoint_eqs) eq->write_latest(FI_XS_PATHS_REFRESHED, entry);
}

namespace {

struct fi_xs_locality tell(const locality::Place& place) noexcept {
  return {.domid = place.domid, .reserved = 0, .generation = place.generation};
}

struct fi_xs_traffic tell(const core::PathCounters& c) noexcept {
  return {.sent_messages = c.sent_messages,
          .sent_bytes = c.sent_bytes,
          .received_messages = c.received_messages,
          .received_bytes = c.received_bytes};
}

constexpr std::uint32_t tell(core::PeerPath path) noexcept {
  switch (path) {
    case core::PeerPath::kNone:
      break;
    case core::PeerPath::kFabric:
      return FI_XS_PATH_FABRIC;
    case core::PeerPath::kRing:
      return FI_XS_PATH_RING;
    case core::PeerPath::kSelf:
      return FI_XS_PATH_SELF;
  }
  return FI_XS_PATH_NONE;
}

struct fi_xs_peer tell(const core::PeerReport& report) noexcept {
  return {.path = tell(report.path),
          .reserved = 0,
          .epoch = report.epoch,
          .since = report.since,
          .fabric = tell(report.fabric),
          .ring = tell(report.ring),
          .replayed = report.replayed,
          .joined = report.paths.joined,
          .left = report.paths.left,
          .ring_pages = report.ring_pages,
          .locality = tell(report.place)};
}

// Into a struct of the caller's, which may be of an older or a newer version than ours.
template <class T>
void give(const T& ours, T* theirs, std::size_t size) noexcept {
  std::memset(theirs, 0, size);
  std::memcpy(theirs, &ours, std::min(size, sizeof ours));
}

int locality_of(struct fid_domain* fid, struct fi_xs_locality* out, std::size_t size) noexcept {
  if (!fid || !out) return -FI_EINVAL;
  auto& domain = object_of<Domain>(fid);
  const Guard guard(domain.gate);
  const locality::Neighbours* neighbours = domain.core.neighbours();
  give(tell(neighbours ? neighbours->place() : locality::Place{FI_XS_NO_DOMID, 0}), out, size);
  return 0;
}

int peer_of(struct fid_ep* fid, fi_addr_t address, struct fi_xs_peer* out,
            std::size_t size) noexcept {
  if (!fid || !out) return -FI_EINVAL;
  auto& ep = object_of<Ep>(fid);
  const Guard guard(ep.domain.gate);
  if (!ep.core) return -FI_EOPBADSTATE;
  const core::Peer* peer = ep.core->peers().of(address);
  if (!peer) return -FI_EADDRNOTAVAIL;
  give(tell(core::report_of(*peer)), out, size);
  return 0;
}

const struct fi_xs_ops_domain path_ops {
  .size = sizeof path_ops, .locality = locality_of, .peer = peer_of
};

}  // namespace

int open_ops(struct fid*, const char* name, std::uint64_t flags, void** ops, void*) noexcept {
  if (!name || !ops) return -FI_EINVAL;
  if (flags) return -FI_EBADFLAGS;
  if (std::string_view(name) != FI_XS_DOMAIN_OPS) {
    util::log(util::Level::kInfo, "fi_open_ops: no table %s, there is %s", name, FI_XS_DOMAIN_OPS);
    return -FI_EINVAL;
  }
  // A table of functions that nobody may write; libfabric's type has no const.
  *ops = const_cast<struct fi_xs_ops_domain*>(&path_ops);
  return 0;
}

}  // namespace xs::abi
