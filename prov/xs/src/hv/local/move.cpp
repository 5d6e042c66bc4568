// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What becomes of a backend whose simulated VM moves (docs/hv.md, Simulated hosts).
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "hv/local/local.hpp"
#include "hv/local/place.hpp"
#include "util/log.hpp"
#include "util/reserve.hpp"

namespace xs::hv {

using util::Error;
using util::Result;

Result<bool> Local::begin_vm(const std::string& file) noexcept {
  try {
    auto opened = VmFile::open(file);
    if (!opened) return opened.error();
    auto where = opened->read_first();
    if (!where) return where.error();
    const Id id = host_within(real_host_, "vm " + opened->name());
    auto sign = VmSign::put_up(id, card_.process);
    if (!sign) return sign.error();
    auto telling = Timer::make();
    if (!telling) return telling.error();
    auto burying = Timer::make();
    if (!burying) return burying.error();
    UniqueFd lives(epoll_create1(EPOLL_CLOEXEC));
    if (!lives) return Error{errno, "no descriptor to hear of moves"};
    vm_.reset(new Vm{std::move(*opened),
                     id,
                     std::move(*sign),
                     std::move(*telling),
                     std::move(*burying),
                     Watch(std::move(lives)),
                     std::move(*where),
                     false,
                     {}});
  } catch (const std::bad_alloc&) {
    return Error{ENOMEM, "no memory for a simulated VM"};
  }
  int error = watch_.add(vm_->file.descriptor(), kVmWritten, EPOLLIN);
  if (error == 0) error = watch_.add(vm_->telling.descriptor(), kToTell, EPOLLIN);
  if (error == 0) error = vm_->lives.add(vm_->file.descriptor(), 0, EPOLLIN);
  if (error == 0) error = vm_->lives.add(vm_->telling.descriptor(), 0, EPOLLIN);
  if (error == 0) error = watch_.add(vm_->burying.descriptor(), kToBury, EPOLLIN);
  if (error != 0) return Error{error, "a simulated VM can't be watched"};
  card_.host = host_within(real_host_, vm_->where.host);
  card_.domid = vm_->where.domid != 0 ? vm_->where.domid : 1;
  card_.pauses = vm_->where.pause ? 1 : 0;
  return true;
}

// An error: the VM stays where it is.
Result<Whereabouts> Local::read_whereabouts() noexcept {
  // A process may have no other descriptor left, and would miss the move.
  spare_.reset();
  Result<Whereabouts> out = Error{ENOMEM, "no memory"};
  try {
    out = vm_->file.read();
  } catch (const std::bad_alloc&) {
    out = vm_->file.useless("no memory to read it");
  }
  spare_ = UniqueFd(fcntl(watch_.fd(), F_DUPFD_CLOEXEC, 0));
  return out;
}

void Local::vm_written(Events& events) noexcept {
  if (!vm_->file.was_written()) return;
  auto where = read_whereabouts();
  if (!where) return;
  if (where->pause) return pause(events);
  vm_->where = std::move(*where);
  leave_place();
  vm_->untold = true;
  if (vm_->where.told_late == 0) return tell_of_move(events);
  vm_->telling.start(vm_->where.told_late);
}

// From here on nothing of the old place works any more, whether that was told or not.
void Local::leave_place() noexcept {
  const Whereabouts& where = vm_->where;
  bury();
  close_door();
  for (Standing* each : {&near_, &far_}) {
    each->shared.make_private();
    where.sees_ones ? each->mapped.make_ones() : each->mapped.make_private();
  }
  bool late = where.lost_late > 0;
  try {
    if (late) util::reserve_for(vm_->graves, links_.size());
  } catch (const std::bad_alloc&) {
    late = false;
  }
  for (LocalLink* link : links_) {
    Channel channel = link->cut_off(where.seen_ones);
    if (late && channel) vm_->graves.push_back(std::move(channel));
  }
  if (!vm_->graves.empty()) vm_->burying.start(where.lost_late);
}

void Local::close_door() noexcept {
  watch_.remove(listener_.get());
  listener_.reset();
  deaf_ = false;
  callers_.clear();
}

// A real VM moves with all its processes and what they share: only their cards are new.
void Local::relocate(Events& events) noexcept {
  close_door();
  for (LocalLink* link : links_) link->cut_off(false);
  ++card_.generation;
  begin_life(events);
}

// Announced: everything still works, and what leaves the VM is given up in order. The host in the
// file is not looked at.
void Local::pause(Events& events) noexcept {
  if (vm_->untold) tell_of_move(events);
  if (card_.paused()) return;
  ++card_.pauses;
  for (LocalLink* link : links_)
    if (!link->within_vm()) link->lose(Loss::kPaused, "");
  events.pause_changed();
  tell_losses(events);
}

bool Local::restless() const noexcept {
  return card_.paused() && !(far_.shared.empty() && far_.mapped.empty());
}

void Local::tell_of_move(Events& events) noexcept {
  vm_->telling.stop();
  vm_->untold = false;
  const Whereabouts& where = vm_->where;
  ++card_.generation;
  card_.pauses = 0;
  card_.host = host_within(real_host_, where.host);
  card_.domid = where.domid != 0 ? where.domid : static_cast<std::uint32_t>(card_.generation);
  begin_life(events);
}

// Under the new card.
void Local::begin_life(Events& events) noexcept {
  if (auto begun = begin_listening(); !begun) {
    complain(counters_.exhausted, begun.error().what);
    deaf_ = true;
  }
  for (LocalLink* link : links_) link->lose_by_move();
  ++counters_.moved;
  events.moved();
  tell_losses(events);
}

// Of links that are lost. Whoever is told may destroy links and meet others, which aren't.
void Local::tell_losses(Events& events) noexcept {
  std::uint64_t key = kFirstKey;
  while (LocalLink* const link = find_from(key)) {
    key = link->key() + 1;
    if (link->state() == LinkState::kLost && !link->is_told()) tell(*link, News::kLost, events);
  }
}

// The peers of links of the old place are told now.
void Local::bury() noexcept {
  vm_->burying.stop();
  vm_->graves.clear();
}

}  // namespace xs::hv
