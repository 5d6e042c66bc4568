// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "abi/deferred.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "abi/cntr.hpp"
#include "abi/data_call.hpp"
#include "abi/ep.hpp"
#include "abi/errno.hpp"

namespace xs::abi {

// ---- Deferred ----

// Of deferred work errors count as well: who waits for so many ends should not wait for ever.
bool Deferred::is_ready() const noexcept {
  const core::Counter& counter = trigger.counter.core;
  return counter.value() + (work ? counter.errors() : 0) >= threshold;
}

namespace {

// Which lists of pieces an operation has.
std::array<Pieces*, 1> pieces_of(core::SendOp& op) noexcept { return {&op.iov}; }
std::array<Pieces*, 1> pieces_of(core::ReceiveOp& op) noexcept { return {&op.iov}; }
std::array<Pieces*, 1> pieces_of(core::RmaOp& op) noexcept { return {&op.iov}; }
std::array<Pieces*, 3> pieces_of(core::AtomicOp& op) noexcept {
  return {&op.values, &op.compares, &op.results};
}
std::array<Pieces*, 0> pieces_of(Deferred::Change&) noexcept { return {}; }

core::Status begin(core::Endpoint& ep, const core::SendOp& op) noexcept { return ep.send(op); }
core::Status begin(core::Endpoint& ep, const core::ReceiveOp& op) noexcept {
  return ep.receive(op);
}
template <class Op>
core::Status begin(core::Endpoint& ep, const Op& op) noexcept {
  return ep.reach(op);
}

}  // namespace

void Deferred::keep_pieces() noexcept {
  const auto keep = [this](auto& what) {
    auto to = iov.begin();
    for (const Pieces* const pieces : pieces_of(what)) std::ranges::copy(*pieces, (to++)->begin());
  };
  std::visit(keep, op);
}

bool Deferred::start() noexcept {
  return std::visit([this](auto& what) { return this->start(what); }, op);
}

bool Deferred::start(Change& change) noexcept {
  core::Counter& counter = change.counter.counter.core;
  change.adds ? counter.add(change.number) : counter.set(change.number);
  return true;
}

// A data operation, on the pieces that were copied.
template <class Op>
bool Deferred::start(Op& what) noexcept {
  auto at = iov.begin();
  for (Pieces* const pieces : pieces_of(what)) *pieces = std::span((at++)->data(), pieces->size());
  const core::Status status = begin(*ep->core, what);
  if (status == core::Status::kAgain) return false;
  if (status != core::Status::kOk) ep->core->failed(what, -to_errno(status));
  return true;
}

// ---- DeferredWork ----

namespace {

void hold(const Deferred& deferred, std::ptrdiff_t more) noexcept {
  deferred.trigger.users += static_cast<std::size_t>(more);
  if (deferred.other) deferred.other->users += static_cast<std::size_t>(more);
}

}  // namespace

void DeferredWork::add(std::unique_ptr<Deferred> deferred) {
  const auto later = std::ranges::upper_bound(waiting_, deferred->threshold, {},
                                              [](const auto& each) { return each->threshold; });
  hold(**waiting_.insert(later, std::move(deferred)), 1);
}

bool DeferredWork::any_ready() const noexcept {
  return std::ranges::any_of(waiting_, [](const auto& each) { return each->is_ready(); });
}

// What one starts may make another ready that comes before it.
void DeferredWork::run() noexcept {
  for (;;) {
    const auto first =
        std::ranges::find_if(waiting_, [](const auto& each) { return each->is_ready(); });
    if (first == waiting_.end() || !(*first)->start()) return;
    hold(**first, -1);
    waiting_.erase(first);
  }
}

template <class F>
std::size_t DeferredWork::erase_if(F&& which) noexcept {
  return std::erase_if(waiting_, [&](const std::unique_ptr<Deferred>& each) {
    if (!which(*each)) return false;
    hold(*each, -1);
    return true;
  });
}

bool DeferredWork::cancel(const struct fi_deferred_work& work) noexcept {
  return erase_if([&](const Deferred& each) { return each.work == &work; }) > 0;
}

void DeferredWork::cancel_all() noexcept {
  erase_if([](const Deferred& each) { return each.work != nullptr; });
}

void DeferredWork::forget(const Ep& ep) noexcept {
  erase_if([&](const Deferred& each) { return each.ep == &ep; });
}
}  // namespace xs::abi
