// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/envelope.hpp"
#include "core/match_table.hpp"
#include "util/intrusive_list.hpp"

namespace xs::core {

/// How many match classes are hashed at a time. Open MPI needs five: its protocol bits ignored,
/// these and the tag ignored, each with one or any source, and acknowledgements with nothing
/// ignored.
inline constexpr std::size_t kHashedClasses = 6;

struct InMatchOrder;     // tag of the list of all posted receives, and of all unexpected messages
struct WithoutOwnClass;  // tag of the list of posted receives that came when all classes were taken

/// A receive as the matcher sees it: the base of core's receive request. `selector` must not be
/// changed while the receive is queued.
class PostedReceive : public util::ListHook<InMatchOrder>, public util::ListHook<WithoutOwnClass> {
 public:
  Selector selector{};
  void* context = nullptr;

  /// Whether a matcher holds it.
  [[nodiscard]] bool queued() const noexcept { return ListHook<InMatchOrder>::linked(); }

 private:
  friend class Matcher;
  friend class MatchTable<PostedReceive>;

  MatchLink<PostedReceive>& link(std::size_t) noexcept { return link_; }
  [[nodiscard]] MatchClass::Key key(const MatchClass& kind) const noexcept {
    return kind.key(selector.source, selector.tag);
  }

  std::uint64_t number_;  // grows with every post
  std::size_t slot_;      // of its class; set when it is indexed, as link_ is
  MatchLink<PostedReceive> link_;
};

/// A message that found no receive: the base of core's buffered message. `envelope` must not be
/// changed while the message is queued.
class UnexpectedMessage : public util::ListHook<InMatchOrder> {
 public:
  Envelope envelope{};

  /// Whether a matcher holds it.
  [[nodiscard]] bool queued() const noexcept { return ListHook<InMatchOrder>::linked(); }

 private:
  friend class Matcher;
  friend class MatchTable<UnexpectedMessage>;

  MatchLink<UnexpectedMessage>& link(std::size_t slot) noexcept { return links_[slot]; }
  [[nodiscard]] MatchClass::Key key(const MatchClass& kind) const noexcept {
    return kind.key(envelope.source, envelope.tag);
  }

  std::array<MatchLink<UnexpectedMessage>, kHashedClasses> links_;  // set when it is indexed
};

/// Pairs messages with receives, by the order that MPI and libfabric ask for: a receive takes the
/// earliest arrived message that it matches, a message the earliest posted receive that matches it,
/// whatever mix of wildcards. Between calls, no queued receive matches a queued message.
///
/// Queued elements are linked, not owned, and nothing is allocated for them; only the hash tables
/// grow, seldom. A short queue is a plain list, and so is one of receives, however long, as long as
/// messages find theirs at its head. Any other is also hashed, once per match class
/// in use: an arriving message then looks for its key in each class that has receives, a posted
/// receive in its own class. Receives that come when `kHashedClasses` classes are in use share one
/// more list, and are searched one by one.
///
/// Not thread-safe. No call fails.
class Matcher {
 public:
  Matcher() noexcept = default;
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;

  /// The earliest arrived message that `receive` matches, which leaves the matcher, while
  /// `receive` is not queued; or nullptr, and `receive` is queued until it leaves.
  UnexpectedMessage* post(PostedReceive& receive) noexcept {
    if (!unexpected_.empty()) {
      if (UnexpectedMessage* const message = peek(receive.selector)) {
        remove(*message);
        return message;
      }
    }
    post_quickly(receive);
    if (posted_indexed_) index(receive);
    return nullptr;
  }
  /// Whether `post` would do no more than `post_quickly` does.
  [[nodiscard]] bool takes_quickly() const noexcept {
    return unexpected_.empty() && !posted_indexed_;
  }
  void post_quickly(PostedReceive& receive) noexcept {
    receive.number_ = next_number_++;
    posted_.push_back(receive);
  }

  /// The earliest posted receive that matches, which leaves the matcher; or nullptr.
  PostedReceive* arrive(const Envelope& envelope) noexcept {
    PostedReceive* const receive = peek(envelope);
    if (receive != nullptr) remove(*receive);
    return receive;
  }

  /// Queues a message for which `arrive` has just given nullptr.
  void add_unexpected(UnexpectedMessage& message) noexcept;

  /// The earliest arrived message that matches, which stays; or nullptr.
  UnexpectedMessage* peek(const Selector& selector) noexcept;

  /// The earliest posted receive that matches, which stays; or nullptr. For a caller that commits
  /// a match, with `remove`, only when the payload has proved sound.
  PostedReceive* peek(const Envelope& envelope) noexcept {
    if (posted_.empty()) return nullptr;
    if (PostedReceive* const oldest = peek_oldest(envelope)) return oldest;
    return search(envelope);
  }
  /// The same if it is the oldest of all, as it most often is; else nullptr.
  PostedReceive* peek_oldest(const Envelope& envelope) noexcept {
    if (posted_.empty()) return nullptr;
    ++examined_;
    return posted_.front().selector.matches(envelope) ? &posted_.front() : nullptr;
  }

  /// The element must be queued here.
  void remove(UnexpectedMessage& message) noexcept;
  void remove(PostedReceive& receive) noexcept {
    posted_.remove(receive);
    if (posted_indexed_) unindex(receive);
  }

  /// The earliest posted receive with this context, or nullptr. Linear in `posted_count()`.
  PostedReceive* find_posted(const void* context) noexcept;

  /// Two identities turn out to be one peer: all that is queued for `from` is now for `to`
  /// (neither is kAnySource). A receive for the one and a message from the other may so find each
  /// other: every such pair leaves the matcher and goes to
  /// `matched(PostedReceive&, UnexpectedMessage&)`, in post order, which must not call the
  /// matcher. Linear in all that is queued.
  template <class F>
  void rename_source(SourceId from, SourceId to, F&& matched);

  /// Calls `visit` for every element, in order. `visit` may remove, and then destroy, the element
  /// that it is given; it must not change the matcher otherwise.
  template <class F>
  void for_each_posted(F&& visit) {
    posted_.for_each(std::forward<F>(visit));
  }
  template <class F>
  void for_each_unexpected(F&& visit) {
    unexpected_.for_each(std::forward<F>(visit));
  }

  [[nodiscard]] std::size_t posted_count() const noexcept { return posted_.size(); }
  [[nodiscard]] std::size_t unexpected_count() const noexcept { return unexpected_.size(); }

  /// How many queued elements and keys have been compared so far: the work done, free of clocks.
  [[nodiscard]] std::uint64_t examined() const noexcept;

 private:
  /// So many elements of a queue are looked at one by one. Hashing starts when there are more: of
  /// messages, at once, of receives, when one further back is looked for. It ends when the queue is
  /// empty.
  static constexpr std::size_t kListLimit = 16;

  struct HashedClass {
    MatchClass kind;
    MatchTable<PostedReceive> posted;
    MatchTable<UnexpectedMessage> unexpected;
  };

  PostedReceive* search(const Envelope& envelope) noexcept;
  PostedReceive* earliest_in_list(const Envelope& envelope) noexcept;
  PostedReceive* earliest_indexed(const Envelope& envelope) noexcept;
  UnexpectedMessage* earliest_in_list(const Selector& selector) noexcept;
  UnexpectedMessage* earliest_indexed(const Selector& selector) noexcept;
  std::size_t slot_of(const Selector& selector) noexcept;
  std::size_t open_slot(const MatchClass& kind) noexcept;
  void index(PostedReceive& receive) noexcept;
  void index(UnexpectedMessage& message) noexcept;
  void index_all_posted() noexcept;
  void index_all_unexpected() noexcept;
  void unindex(PostedReceive& receive) noexcept;
  void unindex(UnexpectedMessage& message) noexcept;
  void forget_unused_classes() noexcept;
  void merge_posted(SourceId from, SourceId to) noexcept;
  void merge_unexpected(SourceId from, SourceId to) noexcept;

  util::IntrusiveList<PostedReceive, InMatchOrder> posted_;
  util::IntrusiveList<UnexpectedMessage, InMatchOrder> unexpected_;
  util::IntrusiveList<PostedReceive, WithoutOwnClass> classless_;  // part of posted_
  bool posted_indexed_ = false;
  bool unexpected_indexed_ = false;
  std::size_t classes_used_ = 0;
  std::uint64_t next_number_ = 0;
  std::uint64_t examined_ = 0;
  std::array<HashedClass, kHashedClasses> classes_;
};

template <class F>
void Matcher::rename_source(SourceId from, SourceId to, F&& matched) {
  merge_posted(from, to);
  merge_unexpected(from, to);
  for_each_posted([&](PostedReceive& receive) {
    if (receive.selector.source != to) return;
    if (UnexpectedMessage* const message = peek(receive.selector)) {
      remove(*message);
      remove(receive);
      matched(receive, *message);
    }
  });
}

}  // namespace xs::core
