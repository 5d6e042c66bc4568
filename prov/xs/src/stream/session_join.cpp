// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How a session comes to a ring: docs/paths.md sections 3 and 4. P1 to P8 are its invariants.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "stream/session.hpp"
#include "stream/streams.hpp"
#include "util/log.hpp"

namespace xs::stream {

using util::Level;
using util::log;

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::uint64_t kPatienceLongest = 65536;  // frames over the fabric between two rings
constexpr std::uint64_t kGrowAfter = 64;           // times what a region holds
constexpr std::uint64_t kCalm = 64;                // patience when nobody was at fault

std::uint32_t pages_of(std::size_t bytes) noexcept {
  return static_cast<std::uint32_t>((bytes + kPage - 1) / kPage);
}

// The first half names the session, the second is a secret that stands in our memory alone.
carrier::RingNonce nonce_of(std::uint64_t session_nonce, std::uint64_t random) noexcept {
  carrier::RingNonce nonce{};
  util::store(nonce.data(), session_nonce);
  util::store(nonce.data() + sizeof session_nonce, random);
  return nonce;
}

// Of RingCarrier::map(): this process lacks something, of which hv has warned. Else the peer's
// pages are wrong, and of them the session warns.
bool is_lack(int error) noexcept {
  return error != 0 && error != EBADMSG && error != EINVAL && error != ESTALE;
}

}  // namespace

// ---- Occasions ----

bool Session::proposes() const noexcept { return streams_.incarnation_ < peer_; }

void Session::neighbour_open(Neighbour& link) noexcept {
  path_.link = &link;
  // Whatever went wrong before, went wrong elsewhere.
  path_.patience = kCalm;
  path_.needed = 0;
  consider_ring(streams_.now());
}

void Session::neighbour_lost(LeaveReason reason) noexcept {
  if (!path_.link) return;
  path_.link = nullptr;
  path_.offer.reset();
  if (path_.state == PathState::kFabric) return;
  // The other side is told once, and sees it by itself anyhow: nobody need wait for its answer.
  const util::Nanoseconds now = streams_.now();
  if (path_.state != PathState::kLeaving && !stop_using_ring(reason, now)) return;
  say_left(path_.epoch, true, reason);
  finish_leaving(now);
  pump(now);
}

// An offer may have become one that can be mapped, or there is reason for one of ours.
void Session::consider_ring(util::Nanoseconds now) noexcept {
  if (!path_.link || !open() || standing_.goodbye_sent || standing_.goodbye_taken) return;
  if (path_.offer) return take_up_offer(now);
  if (path_.state != PathState::kFabric || !proposes() || path_.fabric_frames < path_.needed)
    return;
  offer_ring(now);
}

// Much has gone through it: a larger one would take less time. If there is no room for that now, it
// is looked for again after as much.
void Session::grow() noexcept {
  const std::uint32_t pages = streams_.larger_ring(*this);
  if (pages == 0) {
    path_.grow_at = path_.ring_bytes + kGrowAfter * path_.ring->bytes();
    return;
  }
  path_.size = pages * kPage;
  path_.grown = true;
  leave(LeaveReason::kGrow);
}

void Session::put_off(bool fault) noexcept {
  path_.fabric_frames = 0;
  path_.needed = fault ? path_.patience : kCalm;
  if (fault) path_.patience = std::min(2 * path_.patience, kPatienceLongest);
}

// ---- Joining ----

carrier::RingTerms Session::terms(std::uint64_t epoch) const noexcept {
  const bool sleeps = streams_.rings_.limits.sleeps;
  return {.epoch = epoch,
          .nonce = nonce_of(nonce_, streams_.random_.next()),
          .consumer_sleeps = sleeps,
          .producer_sleeps = sleeps};
}

std::unique_ptr<RingCarrier> Session::new_ring(std::uint64_t epoch) const noexcept {
  return std::unique_ptr<RingCarrier>(new (std::nothrow) RingCarrier(
      terms(epoch), streams_.rings_.limits.reader, streams_.rings_.in_use));
}

// Shares a region of ours within the budgets: of so many pages, or fewer. 0 or a positive errno.
int Session::share_region(RingCarrier& ring, std::uint32_t pages) noexcept {
  const std::uint32_t room = streams_.ring_room(*this, pages);
  if (room == 0) return ENOSPC;
  return ring.share(*path_.link, room);
}

// Steps 1: P1 holds since nothing is written yet.
void Session::offer_ring(util::Nanoseconds now) noexcept {
  const RingLimits& limits = streams_.rings_.limits;
  const std::uint32_t pages = pages_of(path_.size != 0 ? path_.size : limits.first);
  auto ring = new_ring(path_.epoch + 1);
  const int error = ring ? share_region(*ring, pages) : ENOMEM;
  if (error != 0) {
    path_.grown = path_.size != 0;  // a small one is better than none
    path_.grows = false;
    path_.size = 0;
    return put_off(error != EAGAIN && error != ENOSPC);
  }
  ++path_.epoch;
  path_.wished = ring->pages();
  streams_.hurry();
  hold(std::move(ring), PathState::kOffered);
  repeat_path(now);
}

bool Session::read_payload(std::uint64_t address, std::span<const struct iovec> to) noexcept {
  if (path_.state != PathState::kJoined || !path_.reads || !path_.ring->peer_memory()) return false;
  return path_.ring->peer_memory()->read(address, to);
}

// From here on frames are made that fit.
void Session::hold(std::unique_ptr<RingCarrier> ring, PathState state) noexcept {
  path_.ring = std::move(ring);
  path_.state = state;
  path_.repeats = 0;
  path_.begun = false;
  path_.failed = path_.unreadable = false;
  path_.ring_bytes = 0;
  path_.largest = path_.ring->largest_body() / 4;
  path_.used_at = streams_.now();
  const bool may_grow = proposes() && (!path_.grown || path_.link->budget()) &&
                        path_.ring->bytes() < streams_.rings_.limits.largest;
  path_.grow_at = may_grow ? kGrowAfter * path_.ring->bytes() : Path::kNoGrowth;
}

void Session::offer_received(const proto::Offer& offer, util::Nanoseconds now) noexcept {
  const bool in_hand = offer.epoch == path_.epoch && path_.state != PathState::kFabric;
  // LEFT as an answer would say that we write it no more.
  const bool in_use =
      in_hand && (path_.state == PathState::kJoined || path_.state == PathState::kLeaving);
  const bool parting = standing_.goodbye_sent || standing_.goodbye_taken;
  if (!open() || (parting && !in_use)) return say_left(offer.epoch, true, LeaveReason::kStale);
  if (proposes()) {
    if (!in_hand || path_.state == PathState::kAnswered)
      return say_left(offer.epoch, true, LeaveReason::kStale);
    if (path_.state == PathState::kLeaving)
      return say_left(offer.epoch, false, LeaveReason::kStale);
    if (path_.state == PathState::kJoined) return say_mapped();
    path_.offer = offer;
    return take_up_offer(now);
  }
  if (offer.epoch < path_.epoch || (offer.epoch == path_.epoch && !in_hand))
    return say_left(offer.epoch, true, LeaveReason::kStale);
  if (in_hand) {
    if (path_.state == PathState::kLeaving)
      return say_left(offer.epoch, false, LeaveReason::kStale);
    return say_offer();
  }
  // The proposer has done with what is in hand, or it could not offer: its LEFT was lost.
  leave(LeaveReason::kAsked);
  if (path_.state == PathState::kLeaving) finish_leaving(now);
  if (!open()) return;
  pump(now);
  path_.offer = offer;
  take_up_offer(now);
}

// Maps what was offered, as soon as that is possible.
void Session::take_up_offer(util::Nanoseconds now) noexcept {
  if (!path_.link) return await_neighbour();
  if (path_.answered) return;  // kept, too, until the last ring is given back
  if (proposes())
    meet_answer(now);
  else
    answer(now);
}

// The offer is kept, and asked for again when the link opens or pages come: often they have, and hv
// was not looked at since.
void Session::await_neighbour() noexcept { streams_.rings_.look_wanted = true; }

// Step 2.
void Session::answer(util::Nanoseconds now) noexcept {
  const proto::Offer offer = *path_.offer;
  auto ring = new_ring(offer.epoch);
  int error = ring ? ring->map(*path_.link, offer.share, offer.pages, peer_nonce_) : ENOMEM;
  if (error == EAGAIN) return await_neighbour();
  const RingLimits& limits = streams_.rings_.limits;
  const std::uint32_t most = pages_of(std::max(limits.first, limits.largest));
  bool told = ring && is_lack(error);
  if (error == 0) {
    error = share_region(*ring, std::min(offer.wished, most));
    told = error != 0;  // by hv, too
  }
  if (error == 0) error = ring->finish();
  path_.offer.reset();
  path_.epoch = offer.epoch;
  if (error != 0) return say_left(offer.epoch, true, refused_ring(error, told));
  path_.wished = offer.wished;
  hold(std::move(ring), PathState::kAnswered);
  begin_reading();
  repeat_path(now);
}

// Step 3.
void Session::meet_answer(util::Nanoseconds now) noexcept {
  const proto::Offer offer = *path_.offer;
  if (path_.state != PathState::kOffered || offer.epoch != path_.epoch) return path_.offer.reset();
  int error = path_.ring->map(*path_.link, offer.share, offer.pages, peer_nonce_);
  if (error == EAGAIN) return await_neighbour();
  path_.offer.reset();
  const bool told = is_lack(error);
  if (error == 0) error = path_.ring->finish();
  if (error != 0) return leave(refused_ring(error, told));
  say_mapped();
  begin_reading();
  joined(now);
}

// told: somebody has warned of it.
LeaveReason Session::refused_ring(int error, bool told) noexcept {
  // Gone or moved, which hv will tell.
  if (error == ENOTCONN) return LeaveReason::kLink;
  // No room in our budget, or among the shares of the link.
  if (error == ENOSPC || error == EAGAIN) return LeaveReason::kBudget;
  ++path_.counters.faults;
  // Of what costs it the link, hv has.
  if (path_.link && path_.link->state() == carrier::NeighbourState::kLost) path_.warned = true;
  if (!told && !std::exchange(path_.warned, true))
    log(Level::kWarn, "no ring with %s: %s; it stays on the fabric", home_.text().c_str(),
        strerror(error));
  return LeaveReason::kRefused;
}

void Session::mapped_received(const proto::Mapped& mapped, util::Nanoseconds now) noexcept {
  const bool in_hand = mapped.epoch == path_.epoch && !proposes();
  if (in_hand && path_.state == PathState::kAnswered) return joined(now);
  if (in_hand && path_.state == PathState::kJoined) return;
  say_left(mapped.epoch, true, LeaveReason::kStale);
}

void Session::begin_reading() noexcept {
  path_.reads = true;
  path_.idle = 0;
  path_.used_at = streams_.now();
  streams_.list_reader(*this);
}

// The peer reads what we write: P1.
void Session::joined(util::Nanoseconds now) noexcept {
  path_.state = PathState::kJoined;
  path_.repeat_at = util::kNever;
  path_.wants_to_write = true;
  ++path_.counters.joined;
  log(Level::kInfo, "%s: ring %llu joined, %zu KiB", home_.text().c_str(),
      static_cast<unsigned long long>(path_.epoch), path_.ring->bytes() / 1024);
  try_to_write(now);
}

// P2: everything that is not acknowledged goes into the ring, in order, from its beginning.
void Session::try_to_write(util::Nanoseconds now) noexcept {
  const std::uint32_t most = path_.ring->largest_body();
  for (std::uint64_t seq = una_; seq < tail_; ++seq)
    if (slot(seq)->body_size + slot(seq)->tail_size > most) return;  // looks again at its ack
  path_.wants_to_write = false;
  path_.writes = path_.acks_wanted = true;
  path_.base = cursor_ = una_;
  path_.since = now;
  ping_open_ = false;  // its answer says nothing of the ring
  streams_.upper_.ring_joined(*this);
  pump(now);
}

}  // namespace xs::stream
