// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "core/envelope.hpp"

namespace xs::core {

/// What a selector's wildcards leave to look at. Selectors of one class are told apart by their
/// key alone, and a message matches one of them exactly if it has the same key in this class.
struct MatchClass {
  std::uint64_t ignore;
  bool any_source;

  struct Key {
    SourceId source;
    std::uint64_t tag;
    bool operator==(const Key&) const noexcept = default;
  };

  [[nodiscard]] static MatchClass of(const Selector& selector) noexcept {
    return {selector.ignore, selector.source == kAnySource};
  }
  [[nodiscard]] Key key(SourceId source, std::uint64_t tag) const noexcept {
    return {any_source ? kAnySource : source, tag & ~ignore};
  }
  bool operator==(const MatchClass&) const noexcept = default;
};

/// The links of a node in one `MatchTable`; without meaning while it is in none.
template <class Node>
struct MatchLink {
  Node* next;   // in the queue of its key, a circle
  Node* prev;   // likewise: the first one's prev is the last one
  Node* chain;  // only in the first of a queue: the first of the next queue in the same bucket
};

/// A hash table, for one match class, from a key to the queue of nodes with that key, in the order
/// in which they were added. Only the first of each queue stands in a bucket's chain, so that a
/// long queue costs nothing to those who look for another key. Nodes are not owned.
///
/// The buckets double when there are more keys than buckets. Where memory for that is refused, the
/// table goes on with the buckets that it has: slower, never wrong.
///
/// `Node` gives `MatchLink<Node>& link(std::size_t slot)` and `MatchClass::Key key(MatchClass)`;
/// `slot` is a number that the table passes through, for nodes that are in several tables.
template <class Node>
class MatchTable {
 public:
  MatchTable() noexcept = default;
  MatchTable(const MatchTable&) = delete;
  MatchTable& operator=(const MatchTable&) = delete;

  /// From now on the table is for `kind`. It must be empty.
  void serve(const MatchClass& kind, std::size_t slot) noexcept {
    kind_ = kind;
    slot_ = slot;
  }

  [[nodiscard]] bool empty() const noexcept { return keys_ == 0; }

  /// The node that was added first among those with this key, or nullptr.
  [[nodiscard]] Node* first(const MatchClass::Key& key) noexcept { return *place_of(key); }

  void push_back(Node& added) noexcept {
    Node** const place = place_of(added.key(kind_));
    if (Node* const leader = *place) {
      Node* const last = link(leader).prev;
      link(&added) = {leader, last, nullptr};
      link(last).next = &added;
      link(leader).prev = &added;
      return;
    }
    link(&added) = {&added, &added, nullptr};
    *place = &added;
    if (++keys_ > mask_ + 1) grow();
  }

  /// `gone` must be in this table, with the key that it had when it was added.
  void remove(Node& gone) noexcept {
    Node** const place = place_of(gone.key(kind_));
    const MatchLink<Node> left = link(&gone);
    if (left.next == &gone) {
      *place = left.chain;
      --keys_;
      return;
    }
    if (*place == &gone) {
      link(left.next).chain = left.chain;
      *place = left.next;
    }
    link(left.prev).next = left.next;
    link(left.next).prev = left.prev;
  }

  /// Forgets every node, without touching one.
  void clear() noexcept {
    std::fill_n(buckets_, mask_ + 1, nullptr);
    keys_ = 0;
  }

  /// How many keys have been compared so far.
  [[nodiscard]] std::uint64_t examined() const noexcept { return examined_; }

 private:
  static constexpr std::size_t kFirstBuckets = 16;

  MatchLink<Node>& link(Node* node) noexcept { return node->link(slot_); }

  static std::uint64_t scatter(const MatchClass::Key& key) noexcept {
    std::uint64_t hash = key.tag * 0x9e3779b97f4a7c15u + key.source;
    hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93u;
    return hash ^ (hash >> 32);
  }

  /// The pointer that leads to the first node with `key`, or the one at the end of its chain.
  Node** place_of(const MatchClass::Key& key) noexcept {
    Node** place = &buckets_[scatter(key) & mask_];
    for (; *place != nullptr; place = &link(*place).chain) {
      ++examined_;
      if ((*place)->key(kind_) == key) break;
    }
    return place;
  }

  void grow() noexcept {
    const std::size_t mask = 2 * mask_ + 1;
    std::unique_ptr<Node*[]> buckets(new (std::nothrow) Node*[mask + 1]());
    if (!buckets) return;
    for (std::size_t i = 0; i <= mask_; ++i) {
      for (Node* node = buckets_[i]; node != nullptr;) {
        Node*& bucket = buckets[scatter(node->key(kind_)) & mask];
        Node* const following = link(node).chain;
        link(node).chain = bucket;
        bucket = node;
        node = following;
      }
    }
    grown_ = std::move(buckets);
    buckets_ = grown_.get();
    mask_ = mask;
  }

  std::array<Node*, kFirstBuckets> first_buckets_{};
  std::unique_ptr<Node*[]> grown_;
  MatchClass kind_{};
  std::size_t slot_ = 0;
  Node** buckets_ = first_buckets_.data();
  std::size_t mask_ = kFirstBuckets - 1;  // buckets less one; their number is a power of two
  std::size_t keys_ = 0;
  std::uint64_t examined_ = 0;
};

}  // namespace xs::core
