// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One process' end of a pair: what it does is heard at the other end some time later, in order.
#include <algorithm>
#include <cerrno>

#include "sim/fake/hv.hpp"
#include "util/bytes.hpp"

namespace xs::sim {

using hv::LinkState;
using hv::Loss;
using util::Error;
using util::Result;

namespace {

// An offer: number 0 (8), size 8 (8), nonce 16 (16).
hv::Offer encode(std::uint64_t number, std::uint64_t size, const hv::Id& nonce) noexcept {
  hv::Offer offer;
  util::store(&offer[0], number);
  util::store(&offer[8], size);
  util::store(&offer[16], nonce.high);
  util::store(&offer[24], nonce.low);
  return offer;
}

}  // namespace

FakeLink::FakeLink(FakeHv& backend, const hv::Card& peer, bool within_vm) noexcept
    : backend_(backend), peer_(peer), within_vm_(within_vm) {
  ++backend_.machine().standing().links;
}

FakeLink::~FakeLink() {
  for (FakeShare* share : shares_) share->detach();
  part(soon());
  backend_.forget(*this);
  --backend_.machine().standing().links;
}

void FakeLink::connect(FakeLink& far, bool genuine) noexcept {
  far_ = &far;
  met_ = true;
  genuine_ = genuine;
  hear({.due = soon(), .kind = Kind::kOpened});
}

const hv::Budget* FakeLink::budget() const noexcept {
  hv::Budget* const budget = backend_.budget().get();
  if (budget)
    budget->links = static_cast<std::size_t>(std::ranges::count(
        backend_.links(), LinkState::kOpen, [](const FakeLink* each) { return each->state(); }));
  return budget;
}

Result<std::unique_ptr<hv::Share>> FakeLink::share(std::size_t pages) noexcept {
  if (state_ == LinkState::kLost || backend_.dead()) return Error{ENOTCONN, "the link is lost"};
  if (state_ == LinkState::kMeeting || shares_.size() == hv::kSharesPerLink ||
      (far_ && far_->unread() >= kMostWaiting))
    return Error{EAGAIN, "no share now"};
  if (pages == 0 || pages > hv::kMostPages) return Error{EMSGSIZE, "no share has that many pages"};
  if (budget() && cost(pages) > budget()->left())
    return Error{EAGAIN, "the pages that are left are for others"};
  if (const int error = backend_.lacks()) return lacking(error);
  // Into a dead place: one side has moved, or gone, and does not know it.
  if (!far_ && backend_.machine().dice().percent(50)) return Error{EAGAIN, "no share now"};
  auto memory = Pages::make(pages);
  if (!memory) return lacking(ENOMEM);
  Dice& dice = backend_.machine().dice();
  const hv::Id nonce{dice.next(), dice.next()};
  const std::uint64_t number = backend_.machine().new_share_number();
  auto share = std::make_unique<FakeShare>(backend_.machine(), *this, memory,
                                           encode(number, memory->size(), nonce), number);
  shares_.push_back(share.get());
  const hv::Id seen = genuine_ ? nonce : hv::Id{dice.next(), dice.next()};
  if (far_)
    far_->hear({.due = far_->soon(),
                .kind = Kind::kPages,
                .shared = {number, seen, backend_.number(), std::move(memory)}});
  return std::unique_ptr<hv::Share>(std::move(share));
}

Result<std::unique_ptr<hv::Mapping>> FakeLink::map(const hv::Offer& offer) noexcept {
  if (state_ == LinkState::kLost) return Error{ENOTCONN, "the link is lost"};
  const auto number = util::load<std::uint64_t>(&offer[0]);
  const auto found = std::find_if(unclaimed_.begin(), unclaimed_.end(),
                                  [&](const Unclaimed& each) { return each.number == number; });
  if (found == unclaimed_.end() || backend_.moving())
    return Error{EAGAIN, "these pages are not there"};
  const Unclaimed claimed = std::move(*found);
  unclaimed_.erase(found);
  if (encode(number, claimed.pages->size(), claimed.nonce) != offer) {
    ++backend_.count().bad_pages;
    lose(Loss::kFault);
    return Error{EBADMSG, "pages that prove nothing"};
  }
  const int error = backend_.lacks();
  std::byte* const begin = error == 0 || error == EAGAIN ? claimed.pages->again() : nullptr;
  if (!begin) return lacking(error ? error : ENOMEM);
  return std::unique_ptr<hv::Mapping>(new FakeMapping(backend_.machine(), claimed.owner,
                                                      backend_.number(), begin,
                                                      claimed.pages->size(), !within_vm_));
}

hv::Rang FakeLink::ring() noexcept {
  if (state_ != LinkState::kOpen) return hv::Rang::kNotOpen;
  if (!backend_.machine().habits().bells) return hv::Rang::kNoBell;
  if (far_) far_->be_rung();
  return hv::Rang::kRung;
}

Error FakeLink::lacking(int error) noexcept {
  if (error != EAGAIN) ++backend_.count().exhausted;
  return {error, "the system lacks something"};
}

void FakeLink::lose(Loss why, Nanoseconds at) noexcept {
  if (state_ == LinkState::kLost) return;
  state_ = LinkState::kLost;
  news_.clear();
  unclaimed_.clear();
  hear({.due = at, .kind = Kind::kLost, .why = why});
  part(soon());
}

void FakeLink::hear_loss(Loss why, Nanoseconds at) noexcept {
  if (state_ != LinkState::kLost) hear({.due = at, .kind = Kind::kLost, .why = why});
}

void FakeLink::part(Nanoseconds at) noexcept {
  if (!far_) return;
  far_->far_ = nullptr;
  far_->hear_loss(Loss::kGone, at);
  far_ = nullptr;
}

void FakeLink::be_rung() noexcept {
  FakeHypervisor& machine = backend_.machine();
  const auto rings = [](const News& each) { return each.kind == Kind::kRung; };
  if (!machine.habits().bells) return;
  if (machine.dice().percent(machine.habits().deaf_percent)) {
    missed_ring_ = true;
    return;
  }
  if (!met_ || state_ == LinkState::kLost || std::any_of(news_.begin(), news_.end(), rings)) return;
  hear({.due = soon(), .kind = Kind::kRung});
}

void FakeLink::hear(News news) noexcept {
  if (!news_.empty() && news_.back().kind == Kind::kLost) return;
  if (!news_.empty()) news.due = std::max(news.due, news_.back().due);
  const Nanoseconds at = news.due;
  news_.push_back(std::move(news));
  backend_.stir(at);
}

Nanoseconds FakeLink::soon() noexcept {
  FakeHypervisor& machine = backend_.machine();
  return machine.now() +
         machine.dice().between(machine.habits().delay_low, machine.habits().delay_high);
}

std::size_t FakeLink::unread() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      news_.begin(), news_.end(), [](const News& each) { return each.kind == Kind::kPages; }));
}

void FakeLink::tell(hv::Events& events) noexcept {
  News news = std::move(news_.front());
  news_.pop_front();
  FakeHypervisor::Tally& tally = backend_.machine().tally();
  switch (news.kind) {
    case Kind::kOpened:
      state_ = LinkState::kOpen;
      ++tally.opened;
      ++backend_.count().opened;
      return events.opened(*this);
    case Kind::kPages:
      unclaimed_.push_back(std::move(news.shared));
      return events.pages_came(*this);
    case Kind::kWithdrawn:
      std::erase_if(unclaimed_,
                    [&](const Unclaimed& each) { return each.number == news.shared.number; });
      return;
    case Kind::kRung:
      ++tally.rung;
      missed_ring_ = false;
      return events.rung(*this);
    case Kind::kLost:
      state_ = LinkState::kLost;
      unclaimed_.clear();
      ++tally.lost;
      backend_.count_loss();
      if (news.why == Loss::kGone) ++backend_.count().gone;
      if (news.why == Loss::kExhausted) ++backend_.count().exhausted;
      return events.lost(*this, news.why);
  }
}

void FakeLink::withdraw(FakeShare& share) noexcept {
  std::erase(shares_, &share);
  if (far_)
    far_->hear({.due = far_->soon(),
                .kind = Kind::kWithdrawn,
                .shared = {.number = share.number(), .nonce = {}, .owner = 0, .pages = nullptr}});
}

}  // namespace xs::sim
