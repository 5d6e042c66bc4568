// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "util/reserve.hpp"

namespace xs::stream {

enum class Visit : unsigned char {
  kIdle,
  kBusy,
  kOver,  // is not to be visited any more
};

// Who is looked at in a pass: those in which something was found lately, and a few of the others in
// turn, so that a pass costs the same however many are idle.
//
// Invariant: items_[0, busy_) are busy. Items may be added during a visit, and removed after it.
template <class T>
class Readers {
 public:
  static constexpr unsigned kForgottenAfter = 1024;  // visits without a find
  static constexpr std::size_t kIdlePerPass = 2;

  void reserve(std::size_t count) { util::reserve_for(items_, count); }  // throws bad_alloc
  bool empty() const noexcept { return items_.empty(); }
  std::size_t size() const noexcept { return items_.size(); }
  std::size_t busy() const noexcept { return busy_; }

  // Within what reserve() has made room for. Begins busy.
  void add(T* item) noexcept {
    if (find(item) != items_.size()) return;
    items_.push_back({item, 0});
    std::swap(items_.back(), items_[busy_]);
    ++busy_;
  }
  void remove(T* item) noexcept {
    const std::size_t at = find(item);
    if (at != items_.size()) remove_at(at);
  }

  // Calls look(T&) -> Visit for the busy and some others. True if anything was found.
  template <class F>
  bool visit(F&& look) noexcept {
    bool found = false;
    // Backwards, since an item that leaves its place is replaced by one that was visited already.
    for (std::size_t i = busy_; i-- > 0;) found = settle(i, look(*items_[i].item)) || found;
    for (std::size_t i = 0; i < kIdlePerPass && busy_ < items_.size(); ++i) {
      if (turn_ < busy_ || turn_ >= items_.size()) turn_ = busy_;
      T* const item = items_[turn_].item;
      const Visit result = look(*item);
      // Whoever was added meanwhile may have its place.
      const std::size_t at = items_[turn_].item == item ? turn_ : find(item);
      found = settle(at, result) || found;
      ++turn_;
    }
    return found;
  }

  template <class F>
  void for_each(F&& f) const noexcept {
    for (const Item& each : items_) f(*each.item);
  }

 private:
  struct Item {
    T* item;
    unsigned idle;
  };

  std::size_t find(const T* item) const noexcept {
    const auto found = std::ranges::find(items_, item, &Item::item);
    return static_cast<std::size_t>(found - items_.begin());
  }
  bool settle(std::size_t at, Visit result) noexcept {
    if (result == Visit::kOver) {
      remove_at(at);
      return false;
    }
    if (result == Visit::kBusy) {
      items_[at].idle = 0;
      if (at >= busy_) std::swap(items_[at], items_[busy_++]);
      return true;
    }
    if (at < busy_ && ++items_[at].idle >= kForgottenAfter) std::swap(items_[at], items_[--busy_]);
    return false;
  }
  void remove_at(std::size_t at) noexcept {
    if (at < busy_) std::swap(items_[at], items_[--busy_]), at = busy_;
    std::swap(items_[at], items_.back());
    items_.pop_back();
  }

  std::vector<Item> items_;
  std::size_t busy_ = 0;
  std::size_t turn_ = 0;  // among the others
};

}  // namespace xs::stream
