// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/matcher.hpp"

namespace xs::core {

/// Among those behind the oldest, which does not match.
PostedReceive* Matcher::search(const Envelope& envelope) noexcept {
  if (!posted_indexed_) {
    if (posted_.size() <= kListLimit) return earliest_in_list(envelope);
    index_all_posted();
  }
  return earliest_indexed(envelope);
}

void Matcher::add_unexpected(UnexpectedMessage& message) noexcept {
  unexpected_.push_back(message);
  if (unexpected_indexed_)
    index(message);
  else if (unexpected_.size() > kListLimit)
    index_all_unexpected();
}

UnexpectedMessage* Matcher::peek(const Selector& selector) noexcept {
  return unexpected_indexed_ ? earliest_indexed(selector) : earliest_in_list(selector);
}

void Matcher::remove(UnexpectedMessage& message) noexcept {
  unexpected_.remove(message);
  if (unexpected_indexed_) unindex(message);
}

PostedReceive* Matcher::find_posted(const void* context) noexcept {
  for (PostedReceive& receive : posted_) {
    if (receive.context == context) return &receive;
  }
  return nullptr;
}

std::uint64_t Matcher::examined() const noexcept {
  std::uint64_t sum = examined_;
  for (const HashedClass& hashed : classes_)
    sum += hashed.posted.examined() + hashed.unexpected.examined();
  return sum;
}

PostedReceive* Matcher::earliest_in_list(const Envelope& envelope) noexcept {
  for (auto at = ++posted_.begin(); at != posted_.end(); ++at) {
    PostedReceive& receive = *at;
    ++examined_;
    if (receive.selector.matches(envelope)) return &receive;
  }
  return nullptr;
}

PostedReceive* Matcher::earliest_indexed(const Envelope& envelope) noexcept {
  PostedReceive* earliest = nullptr;
  for (std::size_t slot = 0; slot < classes_used_; ++slot) {
    HashedClass& hashed = classes_[slot];
    if (hashed.posted.empty()) continue;
    PostedReceive* const found =
        hashed.posted.first(hashed.kind.key(envelope.source, envelope.tag));
    if (found != nullptr && (earliest == nullptr || found->number_ < earliest->number_))
      earliest = found;
  }
  for (PostedReceive& receive : classless_) {
    if (earliest != nullptr && earliest->number_ < receive.number_) break;
    ++examined_;
    if (receive.selector.matches(envelope)) return &receive;
  }
  return earliest;
}

UnexpectedMessage* Matcher::earliest_in_list(const Selector& selector) noexcept {
  for (UnexpectedMessage& message : unexpected_) {
    ++examined_;
    if (selector.matches(message.envelope)) return &message;
  }
  return nullptr;
}

UnexpectedMessage* Matcher::earliest_indexed(const Selector& selector) noexcept {
  ++examined_;
  if (selector.matches(unexpected_.front().envelope)) return &unexpected_.front();
  const std::size_t slot = slot_of(selector);
  if (slot == kHashedClasses) return earliest_in_list(selector);
  HashedClass& hashed = classes_[slot];
  return hashed.unexpected.first(hashed.kind.key(selector.source, selector.tag));
}

/// The slot of the selector's class, opened if need be; kHashedClasses if all are taken by others.
std::size_t Matcher::slot_of(const Selector& selector) noexcept {
  const MatchClass kind = MatchClass::of(selector);
  for (std::size_t slot = 0; slot < classes_used_; ++slot) {
    if (classes_[slot].kind == kind) return slot;
  }
  return classes_used_ < kHashedClasses ? open_slot(kind) : kHashedClasses;
}

std::size_t Matcher::open_slot(const MatchClass& kind) noexcept {
  const std::size_t slot = classes_used_++;
  HashedClass& opened = classes_[slot];
  opened.kind = kind;
  opened.posted.serve(kind, slot);
  opened.unexpected.serve(kind, slot);
  if (unexpected_indexed_) {
    for (UnexpectedMessage& message : unexpected_) opened.unexpected.push_back(message);
  }
  return slot;
}

void Matcher::index(PostedReceive& receive) noexcept {
  receive.slot_ = slot_of(receive.selector);
  if (receive.slot_ == kHashedClasses)
    classless_.push_back(receive);
  else
    classes_[receive.slot_].posted.push_back(receive);
}

void Matcher::index(UnexpectedMessage& message) noexcept {
  for (std::size_t slot = 0; slot < classes_used_; ++slot)
    classes_[slot].unexpected.push_back(message);
}

void Matcher::index_all_posted() noexcept {
  posted_indexed_ = true;
  for (PostedReceive& receive : posted_) index(receive);
}

void Matcher::index_all_unexpected() noexcept {
  unexpected_indexed_ = true;
  for (UnexpectedMessage& message : unexpected_) index(message);
}

/// Follows the removal from posted_.
void Matcher::unindex(PostedReceive& receive) noexcept {
  if (receive.slot_ == kHashedClasses)
    classless_.remove(receive);
  else
    classes_[receive.slot_].posted.remove(receive);
  if (posted_.empty()) {
    posted_indexed_ = false;
    forget_unused_classes();
  }
}

/// Follows the removal from unexpected_.
void Matcher::unindex(UnexpectedMessage& message) noexcept {
  for (std::size_t slot = 0; slot < classes_used_; ++slot)
    classes_[slot].unexpected.remove(message);
  if (unexpected_.empty()) {
    unexpected_indexed_ = false;
    forget_unused_classes();
  }
}

/// With nothing indexed every table is empty, and a later phase of the application may need other
/// classes.
void Matcher::forget_unused_classes() noexcept {
  if (!posted_indexed_ && !unexpected_indexed_) classes_used_ = 0;
}

/// A renamed element takes its place by age among those of its new key, so the tables are built
/// again, in order.
void Matcher::merge_posted(SourceId from, SourceId to) noexcept {
  for (PostedReceive& receive : posted_) {
    if (receive.selector.source == from) receive.selector.source = to;
  }
  if (!posted_indexed_) return;
  for (HashedClass& hashed : classes_) hashed.posted.clear();
  for (PostedReceive& receive : posted_) {
    if (receive.slot_ != kHashedClasses) classes_[receive.slot_].posted.push_back(receive);
  }
}

void Matcher::merge_unexpected(SourceId from, SourceId to) noexcept {
  for (UnexpectedMessage& message : unexpected_) {
    if (message.envelope.source == from) message.envelope.source = to;
  }
  if (!unexpected_indexed_) return;
  for (HashedClass& hashed : classes_) hashed.unexpected.clear();
  for (UnexpectedMessage& message : unexpected_) index(message);
}

}  // namespace xs::core
