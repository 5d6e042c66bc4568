// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cassert>
#include <cstddef>

namespace xs::util {

/// The links of an element in one `IntrusiveList`. An element derives from one hook per list that
/// it can be on at the same time; `Tag` tells them apart.
template <class Tag = void>
class ListHook {
 public:
  ListHook() noexcept = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;

  /// Whether the element is on a list now.
  [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }

 private:
  template <class, class>
  friend class IntrusiveList;

  ListHook* next_ = nullptr;
  ListHook* prev_;  // while next_ is one
};

/// A doubly linked list of elements that it does not own: it never allocates, and every operation
/// takes constant time. An element must leave its list before it is destroyed. `T` derives publicly
/// from `ListHook<Tag>`. Not thread-safe.
template <class T, class Tag = void>
class IntrusiveList {
  using Hook = ListHook<Tag>;

 public:
  class Iterator {
   public:
    explicit Iterator(Hook* at) noexcept : at_(at) {}
    T& operator*() const noexcept { return element(at_); }
    Iterator& operator++() noexcept {
      at_ = at_->next_;
      return *this;
    }
    bool operator==(const Iterator&) const noexcept = default;

   private:
    Hook* at_;
  };

  IntrusiveList() noexcept { ends_.next_ = ends_.prev_ = &ends_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// The oldest element; the list must not be empty.
  [[nodiscard]] T& front() noexcept {
    assert(!empty());
    return element(ends_.next_);
  }

  void push_back(T& added) noexcept {
    Hook& hook = added;
    assert(!hook.linked());
    hook.prev_ = ends_.prev_;
    hook.next_ = &ends_;
    ends_.prev_->next_ = &hook;
    ends_.prev_ = &hook;
    ++size_;
  }

  /// Takes the oldest element off; the list must not be empty.
  T& pop_front() noexcept {
    T& first = front();
    remove(first);
    return first;
  }

  /// `gone` must be on this very list.
  void remove(T& gone) noexcept {
    Hook& hook = gone;
    assert(hook.linked());
    hook.prev_->next_ = hook.next_;
    hook.next_->prev_ = hook.prev_;
    hook.next_ = nullptr;
    --size_;
  }

  /// An iterator stays valid until its own element leaves the list.
  [[nodiscard]] Iterator begin() noexcept { return Iterator(ends_.next_); }
  [[nodiscard]] Iterator end() noexcept { return Iterator(&ends_); }

  /// Calls `visit(T&)` for every element, oldest first. `visit` may remove, and destroy, the
  /// element that it is given, and no other one.
  template <class F>
  void for_each(F&& visit) {
    for (Hook* at = ends_.next_; at != &ends_;) {
      Hook* const following = at->next_;
      visit(element(at));
      at = following;
    }
  }

 private:
  static T& element(Hook* hook) noexcept { return static_cast<T&>(*hook); }

  Hook ends_;  // closes the circle: next is the oldest element, prev the youngest
  std::size_t size_ = 0;
};

}  // namespace xs::util
