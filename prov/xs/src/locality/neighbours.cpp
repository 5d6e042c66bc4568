// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "locality/neighbours.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "hv/registry.hpp"
#include "util/log.hpp"

namespace xs::locality {

namespace {
// Turns between two looks: each is a system call, and what comes is not in a hurry,
constexpr unsigned kTurns = 64;
// but for somebody who is being met. He may also never come: so many turns after we began to.
constexpr unsigned kEagerTurns = 1024;
}  // namespace

std::optional<Process> process_of(const CardBytes& bytes) noexcept {
  const auto card = hv::decode_card(bytes);
  if (!card) return std::nullopt;
  return card->process;
}

std::optional<Place> place_of(const CardBytes& bytes) noexcept {
  const auto card = hv::decode_card(bytes);
  if (!card) return std::nullopt;
  return Place{card->domid, card->generation};
}

bool same_life(const CardBytes& one, const CardBytes& other) noexcept {
  const auto a = hv::decode_card(one), b = hv::decode_card(other);
  return a && b && a->same_life(*b);
}

bool is_paused(const CardBytes& bytes) noexcept {
  const auto card = hv::decode_card(bytes);
  return card && card->paused();
}

namespace {

// Whether a link that was made by the one card is the one that the other card is about, or a newer
// one. A pause ends those that lead out of the VM.
bool serves(const hv::Link& link, const hv::Card& card) noexcept {
  return link.peer().same_life(card) && (link.within_vm() || link.peer().pauses >= card.pauses);
}

}  // namespace

util::Result<std::unique_ptr<Neighbours>> Neighbours::open(const Options& options,
                                                           util::Random& random) noexcept try {
  auto backend = hv::open(options, random);
  if (!backend) return backend.error();
  return std::make_unique<Neighbours>(std::move(*backend));
} catch (const std::bad_alloc&) {
  return util::Error{ENOMEM, "no memory for neighbours"};
}

Neighbours::Neighbours(std::unique_ptr<hv::Backend> backend) noexcept
    : backend_(std::move(backend)) {}

CardBytes Neighbours::card() const noexcept { return hv::encode(backend_->card()); }

hv::Link* Neighbours::meet(const CardBytes& bytes) noexcept try {
  const auto card = hv::decode_card(bytes);
  if (!card) return nullptr;
  if (const auto known = links_.find(card->process); known != links_.end()) {
    hv::Link& link = *known->second.link;
    // Another session has heard more: this one will.
    if (link.peer().generation > card->generation) return nullptr;
    if (serves(link, *card)) return link.state() == hv::LinkState::kOpen ? &link : nullptr;
    part(card->process, hv::Loss::kGone);  // it lives elsewhere now, or again, or has let go of us
  }
  auto& place = links_[card->process];
  auto link = backend_->meet(*card);
  if (!link) {
    links_.erase(card->process);
    return nullptr;
  }
  place.link = std::move(*link);
  place.stood = place.link->state() == hv::LinkState::kOpen;
  if (place.stood) return place.link.get();
  ++meeting_;
  eager_ = kEagerTurns;
  return nullptr;
} catch (const std::bad_alloc&) {
  return nullptr;
}

// An open link tells by itself when the peer has ended.
void Neighbours::forget(const CardBytes& bytes) noexcept {
  const auto process = process_of(bytes);
  const auto known = process ? links_.find(*process) : links_.end();
  if (known == links_.end() || !known->second.link) return;
  if (known->second.link->state() != hv::LinkState::kMeeting) return;
  const auto knows = [&](Listener* each) { return each->knows(*process); };
  if (std::ranges::none_of(listeners_, knows)) part(*process, hv::Loss::kGone);
}

void Neighbours::turn(util::Nanoseconds now) noexcept {
  const bool eager = meeting_ > 0 && eager_ > 0;
  if (eager) --eager_;
  if (!eager && ++turns_ < kTurns && now == looked_at_) return;
  looked_at_ = now;
  look();
}

void Neighbours::look() noexcept {
  turns_ = 0;
  backend_->progress(*this);
  const bool pause = std::exchange(pause_changed_, false);
  if (std::exchange(moved_, false)) {
    for (Listener* listener : listeners_) listener->we_moved();
  } else if (pause) {
    for (Listener* listener : listeners_) listener->we_paused();
  }
  for (const Process& process : std::exchange(parted_, {}))
    for (Listener* listener : listeners_) listener->neighbour_parted(process);
  if (untold() && std::ranges::all_of(listeners_, &Listener::peers_know_card))
    backend_->peers_know();
}

void Neighbours::opened(hv::Link& link) noexcept {
  if (meeting_ > 0) --meeting_;
  if (const auto known = links_.find(link.peer().process); known != links_.end())
    known->second.stood = true;
  for (Listener* listener : listeners_) listener->neighbour_open(link.peer().process, link);
}

void Neighbours::pages_came(hv::Link& link) noexcept {
  for (Listener* listener : listeners_) listener->neighbour_shares(link.peer().process);
}

// Whoever progresses looks at its rings; the bell has woken it.
void Neighbours::rung(hv::Link&) noexcept {}

void Neighbours::lost(hv::Link& link, hv::Loss why) noexcept {
  const Process process = link.peer().process;
  const auto known = links_.find(process);
  if (known == links_.end() || known->second.link.get() != &link) return;
  const bool again = known->second.stood && why == hv::Loss::kGone;
  part(process, why);
  if (!again) return;
  try {
    parted_.push_back(process);
  } catch (const std::bad_alloc&) {
    // The next card that comes will do.
  }
}

void Neighbours::budget_changed() noexcept {
  for (Listener* listener : listeners_) listener->budget_changed();
}

void Neighbours::part(const Process& process, hv::Loss why) noexcept {
  for (Listener* listener : listeners_) listener->neighbour_lost(process, why);
  links_.erase(process);
  meeting_ = 0;
  for (const auto& [other, each] : links_)
    if (each.link && each.link->state() == hv::LinkState::kMeeting) ++meeting_;
}

}  // namespace xs::locality
