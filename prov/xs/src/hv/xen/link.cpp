// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/xen/link.hpp"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <new>

#include "hv/xen/share.hpp"
#include "hv/xen/xen.hpp"
#include "util/log.hpp"

namespace xs::hv {

using util::Error;
using util::Result;

// Two ticks: at least one of them comes a whole while later.
constexpr unsigned kTicksOwed = 2;

const Budget* XenLink::budget() const noexcept { return backend_.budget().get(); }

XenLink::~XenLink() {
  if (state_ == LinkState::kOpen) --backend_.budget()->links;
  backend_.close(bell_);
  for (XenShare* share : shares_)
    if (share) share->detach();
  backend_.part(*this);
}

Result<std::unique_ptr<Share>> XenLink::share(std::size_t pages) noexcept {
  look();
  if (state_ == LinkState::kLost) return Error{ENOTCONN, "the link is lost"};
  const auto place = std::find(shares_.begin(), shares_.end(), nullptr);
  if (state_ == LinkState::kMeeting || place == shares_.end()) return Error{EAGAIN, "no share now"};
  if (pages == 0 || pages > kMostPages) return Error{EMSGSIZE, "no share has that many pages"};
  if (granted_for(pages) > backend_.budget()->left())
    return Error{EAGAIN, "the pages that are left are for others"};
  auto made = grant_pages(backend_.calls(), peer_.domid, pages, backend_.new_share_number(),
                          backend_.new_nonce());
  if (!made) return lacks(made.error());
  std::unique_ptr<XenShare> share(
      new (std::nothrow) XenShare(*this, std::move(*made), backend_.budget(), backend_.holdings()));
  if (!share) return lacks({ENOMEM, "no memory for a share"});
  *place = share.get();
  backend_.granted_changed();
  return std::unique_ptr<Share>(std::move(share));
}

Result<std::unique_ptr<Mapping>> XenLink::map(const Offer& offer) noexcept {
  look();
  if (state_ == LinkState::kLost) return Error{ENOTCONN, "the link is lost"};
  const GrantName name = decode_grant(offer);
  put_off_ = state_ == LinkState::kMeeting;
  if (put_off_ || was_mapped(name.number)) return Error{EAGAIN, "these pages are not there"};
  auto grant = map_grant(backend_.calls(), peer_.domid, name);
  if (!grant) {
    const Error error = grant.error();
    if (error.code == EBADMSG) {
      ++backend_.count().bad_pages;
      lose(Loss::kFault, "its pages are not those that it offered");
    } else if (error.code != EAGAIN) {
      ++backend_.count().exhausted;
      lose(Loss::kExhausted, error.what);
    }
    return error;
  }
  std::unique_ptr<Mapping> mapping(
      new (std::nothrow) XenMapping(std::move(*grant), name.pages, backend_.holdings()));
  if (!mapping) return lacks({ENOMEM, "no memory for a mapping"});
  mapped_[next_mapped_++ % mapped_.size()] = name.number;
  return mapping;
}

bool XenLink::was_mapped(std::uint64_t number) const noexcept {
  return std::find(mapped_.begin(), mapped_.end(), number) != mapped_.end();
}

void XenLink::heed(const std::optional<NoteToUs>& note) noexcept {
  ask_ = false;
  if (state_ == LinkState::kLost) return;
  const bool ours = note && note->generation == peer_.generation;
  seen_ = seen_ || ours;
  if (note && !ours) ++backend_.count().stale;
  // It will not meet us before its card is another one; what we have for it would be in its way.
  if (note && note->quiesced) return lose(Loss::kGone, "");
  const std::uint32_t session = ours ? note->session : 0;
  if (session != theirs_) {
    if (state_ == LinkState::kOpen) return lose(Loss::kGone, "");
    theirs_ = session;
    backend_.changed();
  }
  if (state_ == LinkState::kMeeting && session != 0 && note->echo == session_ && note->life)
    open(*note->life);
  if (state_ == LinkState::kOpen) backend_.heed_bell(*this, *note);
}

// Who has not been seen may live on another Xen, or where nobody may read. Who has been, and had
// not met us, has ended.
void XenLink::miss() noexcept {
  if (state_ == LinkState::kMeeting && seen_) lose(Loss::kGone, "");
  heed(std::nullopt);
}

// The peer has met us and knows that we have met it; and it lives beside us.
void XenLink::open(std::uint32_t life) noexcept {
  auto page = map_life(backend_.calls(), peer_.domid, life, peer_.process);
  if (page) {
    life_ = std::move(*page);
    state_ = LinkState::kOpen;
    ++backend_.budget()->links;
    untold_opening_ = true;
  } else if (page.error().code == EAGAIN) {
    ++backend_.count().elsewhere;  // or dead: its note is to be seen, but not its page
  } else {
    ++backend_.count().exhausted;
    lose(Loss::kExhausted, page.error().what);
  }
}

void XenLink::look() noexcept {
  if (life_ && !is_alive(life_)) lose(Loss::kGone, "");
}

void XenLink::tick() noexcept {
  look();
  if (ticks_owed_ > 0) --ticks_owed_;
}

// The kernel of a peer that dies may ring before it clears the page (read).
bool XenLink::needs_ticks() const noexcept {
  return state_ == LinkState::kOpen && (!bell_.stands() || ticks_owed_ > 0);
}

void XenLink::owe_ticks() noexcept { ticks_owed_ = kTicksOwed; }

// It says nothing but: look.
void XenLink::heard() noexcept {
  if (state_ != LinkState::kOpen) return;
  ++backend_.count().rung;
  untold_ring_ = true;
  owe_ticks();
  look();
}

Rang XenLink::ring() noexcept {
  if (state_ != LinkState::kOpen) return Rang::kNotOpen;
  return bell_.stands() && backend_.ring(bell_) ? Rang::kRung : Rang::kNoBell;
}

void XenLink::lose(Loss why, const char* reason) noexcept {
  if (state_ == LinkState::kLost) return;
  if (state_ == LinkState::kOpen) --backend_.budget()->links;
  state_ = LinkState::kLost;
  loss_ = why;
  untold_opening_ = untold_ring_ = false;
  untold_loss_ = true;
  backend_.close(bell_);
  life_ = TheirGrant();
  backend_.changed();
  if (why == Loss::kFault || why == Loss::kExhausted)
    util::log(util::Level::kWarn,
              "no shared memory with process %016" PRIx64 " in domain %" PRIu32 ": %s",
              peer_.process.high, peer_.domid, reason);
}

Error XenLink::lacks(const Error& error) noexcept {
  ++backend_.count().exhausted;
  const bool limit = error.code == ENOSPC;
  if (!warned_)
    util::log(util::Level::kWarn,
              "no shared memory for process %016" PRIx64 " in domain %" PRIu32 " now: %s: %s",
              peer_.process.high, peer_.domid, error.what,
              limit ? kNoPagesLeft : std::strerror(error.code));
  warned_ = true;
  return limit ? Error{EAGAIN, error.what} : error;
}

void XenLink::forget(const XenShare& share) noexcept {
  std::replace(shares_.begin(), shares_.end(), const_cast<XenShare*>(&share),
               static_cast<XenShare*>(nullptr));
  backend_.granted_changed();
}

std::size_t XenLink::granted() const noexcept {
  std::size_t pages = 0;
  for (const XenShare* share : shares_)
    if (share) pages += share->granted();
  return pages;
}

}  // namespace xs::hv
