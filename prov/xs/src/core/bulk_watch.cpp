// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/bulk_watch.hpp"

namespace xs::core {

namespace {
// In quiet intervals. A cancelled operation ends at once if it can; a transfer on a way that was
// left may still be finishing, and ending its lane disturbs others.
constexpr unsigned kPatienceWithDead = 2;
constexpr unsigned kPatienceWithMoved = 50;
}  // namespace

bool BulkWatch::late(Bulk& bulk, const Peer& peer, bool ended, bool moved,
                     util::Nanoseconds now) noexcept {
  const stream::Session* session = peer.session;
  moved = moved || !session || session->our_route() != bulk.our_route ||
          session->peer_route() != bulk.peer_route;
  if (!ended && !moved) {
    bulk.overdue_at = 0;
    return false;
  }
  if (bulk.overdue_at == 0)
    bulk.overdue_at = now + (ended ? kPatienceWithDead : kPatienceWithMoved) * quiet_;
  return now >= bulk.overdue_at;
}

Bulk* BulkWatch::overdue(Peers& peers, util::Nanoseconds now) noexcept {
  if (now < look_at_) return nullptr;
  look_at_ = now + quiet_;
  Bulk* found = nullptr;
  peers.for_each([&](Peer& peer) {
    for (SendRequest& send : peer.announced)
      if (send.bulk.under_way && late(send.bulk, peer, send.error != 0, false, now))
        found = &send.bulk;
    for (ReceiveRequest& receive : peer.receiving)
      if (receive.bulk.under_way &&
          late(receive.bulk, peer, receive.ended != 0, receive.sent_came, now))
        found = &receive.bulk;
  });
  return found;
}

}  // namespace xs::core
