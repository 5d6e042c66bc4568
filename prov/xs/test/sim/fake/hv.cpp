// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/fake/hv.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace xs::sim {

using util::Error;
using util::Result;

FakeHv::FakeHv(FakeHypervisor& machine, ProcessId process, unsigned host)
    : machine_(machine),
      process_(process),
      number_(machine.new_number()),
      host_(host),
      vm_(~number_) {
  Dice& dice = machine.dice();
  card_ = {.host = host_digest(),
           .process = {dice.next(), dice.next()},
           .domid = static_cast<std::uint32_t>(dice.below(3)),
           .generation = dice.between(1, 9)};
  machine_.add(*this);
}

FakeHv::~FakeHv() {
  hang_up_on_callers(false);
  machine_.remove(*this);
}

hv::Id FakeHv::host_digest() const noexcept {
  const bool alike = machine_.habits().likeness != Likeness::kNone;
  return {0x05704057, alike ? 1 : 1ull + host_};
}

Result<std::unique_ptr<hv::Link>> FakeHv::meet(const hv::Card& peer) noexcept {
  if (dead_) return Error{ECONNREFUSED, "this process is dead"};
  if (peer.host != card_.host) {
    ++counters_.elsewhere;
    return Error{EHOSTUNREACH, "the peer lives elsewhere"};
  }
  if (peer.process == card_.process) return Error{EINVAL, "the peer is this process"};
  const FakeHv* const other = machine_.find(peer.process);
  const bool within_vm = other && other->vm_ == vm_ && other->host_ == host_;
  if (card_.paused() && !within_vm) return Error{EAGAIN, "this VM is about to be moved"};
  if (peer.paused() && !within_vm) return Error{EHOSTUNREACH, "its VM is about to be moved"};
  if (link_with(peer.process)) return Error{EALREADY, "there is a link with this peer"};
  if (const int error = lacks()) {
    ++counters_.exhausted;
    return Error{error, "no link with this peer"};
  }
  auto link = std::make_unique<FakeLink>(*this, peer, within_vm);
  links_.push_back(link.get());
  if (const int error = introduce(*link)) return Error{error, "no link with this peer"};
  return std::unique_ptr<hv::Link>(std::move(link));
}

int FakeHv::introduce(FakeLink& link) noexcept {
  FakeHv* const other = machine_.find(link.peer().process);
  const bool there =
      other && !moving_ && !other->moving_ && other->card_.generation == link.peer().generation;
  const bool genuine = there && other->host_ == host_;
  const bool pretends = machine_.habits().likeness == Likeness::kPretend;
  if (!there || !(genuine || pretends)) return link.calls() ? ECONNREFUSED : 0;
  FakeLink* const theirs = other->link_with(card_.process);
  if (!theirs || !theirs->waits() || theirs->peer().generation != card_.generation) return 0;
  link.connect(*theirs, genuine);
  theirs->connect(link, genuine);
  return 0;
}

FakeLink* FakeHv::link_with(const hv::Id& process) const noexcept {
  for (FakeLink* link : links_)
    if (link->peer().process == process) return link;
  return nullptr;
}

bool FakeHv::progress(hv::Events& events) noexcept {
  if (dead_ || machine_.now() < told_from_) return false;
  bool any = has_news();
  if (moving_) arrive(events);
  if (!knows_pause()) change_pause(events);
  if (std::exchange(other_budget_, false)) events.budget_changed();
  while (FakeLink* const link = first_due()) {
    any = true;
    link->tell(events);
  }
  if (event_) descriptor();
  return any;
}

void FakeHv::arrive(hv::Events& events) noexcept {
  moving_ = false;
  card_.host = host_digest();
  ++card_.generation;
  card_.pauses = 0;
  told_ = false;
  ++counters_.moved;
  for (FakeLink* link : links_) link->lose(hv::Loss::kMoved, machine_.now());
  events.moved();
}

void FakeHv::change_pause(hv::Events& events) noexcept {
  ++card_.pauses;
  told_ = false;
  for (FakeLink* link : links_)
    if (card_.paused() && !link->within_vm()) link->lose(hv::Loss::kPaused, machine_.now());
  events.pause_changed();
}

bool FakeHv::restless() const noexcept {
  if (!card_.paused()) return false;
  const FakeHypervisor::Held held = machine_.held_by(number_);
  return held.far > 0;
}

FakeLink* FakeHv::first_due() const noexcept {
  FakeLink* first = nullptr;
  for (FakeLink* link : links_)
    if (link->due() <= machine_.now() && (!first || link->due() < first->due())) first = link;
  return first;
}

Nanoseconds FakeHv::readable_at() const noexcept {
  if (dead_) return util::kNever;
  Nanoseconds first = has_news() ? 0 : util::kNever;
  for (const FakeLink* link : links_) first = std::min(first, link->due());
  return std::max(first, told_from_);
}

bool FakeHv::due() const noexcept {
  return !dead_ && machine_.now() >= told_from_ && (has_news() || first_due());
}

int FakeHv::descriptor() const noexcept {
  if (!event_) event_ = hv::UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  eventfd_t count = 1;
  if (due() == readable_) return event_.get();
  readable_ = !readable_;
  readable_ ? eventfd_write(event_.get(), count) : eventfd_read(event_.get(), &count);
  return event_.get();
}

void FakeHv::kill() noexcept {
  if (dead_) return;
  dead_ = true;
  // Destructors of what is no process any more may write there.
  machine_.keep_owned_by(number_);
  for (FakeLink* link : links_) link->part(link->soon());
  hang_up_on_callers(false);
}

void FakeHv::move(unsigned host, Sight seen, Sight shown) noexcept {
  if (dead_) return;
  host_ = host;
  machine_.turn_seen_by(number_, seen);
  machine_.turn_owned_by(number_, shown);
  const HvHabits& habits = machine_.habits();
  for (FakeLink* link : links_)
    link->part(machine_.now() + machine_.dice().between(habits.absent_low, habits.absent_high));
  hang_up_on_callers(true);
  moving_ = true;
  announced_ = false;
  stir(machine_.now());
}

void FakeHv::hang_up_on_callers(bool moved) noexcept {
  const HvHabits& habits = machine_.habits();
  for (FakeLink* link : machine_.links()) {
    if (link->peer().process != card_.process || !link->waits() || !link->calls()) continue;
    const Nanoseconds absent = machine_.dice().between(habits.absent_low, habits.absent_high);
    link->hear_loss(hv::Loss::kGone, moved ? machine_.now() + absent : link->soon());
  }
}

void FakeHv::lack(int error, Nanoseconds until) noexcept {
  lacking_ = error;
  lacks_until_ = until;
}

int FakeHv::lacks() noexcept {
  if (machine_.now() >= lacks_until_) return 0;
  ++machine_.tally().refused;
  return lacking_;
}

void FakeHv::set_budget(std::size_t pages) {
  if (dead_) return;
  if (!budget_) budget_ = std::make_shared<hv::Budget>();
  budget_->pages = pages;
  other_budget_ = true;
  stir(machine_.now());
}

void FakeHv::announce(bool pause) {
  if (dead_) return;
  announced_ = pause;
  stir(machine_.now());
}

void FakeHv::jingle() noexcept {
  for (FakeLink* link : links_) link->be_rung();
}

}  // namespace xs::sim
