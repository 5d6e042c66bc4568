// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The oracle's book: every message that was ever accepted, and what became of it.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "sim/arena.hpp"
#include "sim/judge.hpp"
#include "util/clock.hpp"

namespace xs::sim {

// One incarnation of a member.
struct Life {
  std::uint64_t number;  // of all lives, in order of birth
  unsigned member;
  unsigned generation;  // of the member
  bool ended = false;   // not by parting in peace: killed, vanished, closed in the middle
  bool over = false;
};

enum class Fate : std::uint8_t { kUnderWay, kSent, kFailed, kCancelled };

struct Message {
  std::uint64_t id;     // also what its bytes are made of
  std::uint64_t order;  // among those of this sender to this member
  const Life* sender;
  unsigned to;  // member
  bool tagged;
  bool has_data;
  std::uint64_t tag;
  std::size_t length;
  Fate fate = Fate::kUnderWay;
  const Life* receiver = nullptr;  // who got it
  std::uint64_t fenced = 0;        // its place among what its sender gave; 0: it has no fence
};

// A receive as the matching rules see it.
struct Request {
  static constexpr unsigned kAnyone = ~0u;
  std::uint64_t post;  // when it was posted, among those of its process
  bool tagged;
  unsigned from;  // member, or kAnyone
  std::uint64_t tag;
  std::uint64_t ignore;
  bool matches(const Message& message) const noexcept {
    return tagged == message.tagged && (from == kAnyone || from == message.sender->member) &&
           (!tagged || ((tag ^ message.tag) & ~ignore) == 0);
  }
};

struct Outstanding {
  std::size_t certain = 0;    // must come
  std::size_t uncertain = 0;  // may have been lost with somebody
  std::size_t longest = 0;    // bytes
};

class Ledger {
 public:
  Ledger(Judge& judge, unsigned members) : judge_(judge), lives_(members), undelivered_(members) {}

  Life& born(unsigned member);
  // Not counted before accepted().
  Message& draft(const Life& sender, unsigned to, bool tagged, std::size_t length);
  void accepted(Message& message);
  void forget_draft() { messages_.pop_back(); }

  // Its bytes: the number first, then what follows from it.
  static void fill(const Message& message, const Buffer& buffer) noexcept;
  // Whether the first `size` bytes of the message stand there.
  static bool holds(const Message& message, const struct iovec* pieces, std::size_t count,
                    std::size_t size) noexcept;

  Message* find(std::uint64_t id) noexcept;
  // offset: in a multi-receive.
  void delivered(Message& message, const Life& receiver, const Request& request,
                 std::size_t offset);
  void send_ended(Message& message, int error);
  void cancelled(Message& message);

  Outstanding outstanding(const Life& receiver, bool tagged) const;
  const Message* first_outstanding(const Life& receiver) const;
  bool anybody_died() const noexcept { return deaths_ > 0; }
  void died(Life& life) noexcept;
  // Messages accepted before this one in its channel and not taken back, itself included.
  std::size_t rank(const Message& message) const;
  // Non-overtaking, over all that was delivered.
  void check_order();
  std::size_t messages() const noexcept { return messages_.size(); }
  std::size_t deliveries() const noexcept { return matches_.size(); }

 private:
  struct Match {
    const Message* message;
    const Life* receiver;
    Request request;
    std::size_t offset;
  };
  bool certain(const Message& message) const;
  void check_pair(const Match& earlier, const Match& later);

  Judge& judge_;
  std::deque<Life> all_lives_;
  std::vector<Life*> lives_;  // newest per member
  std::deque<Message> messages_;
  std::vector<std::vector<Message*>> undelivered_;                           // by member
  std::map<std::pair<std::uint64_t, unsigned>, std::uint64_t> next_order_;   // sender life, member
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> first_;   // delivered, by lives
  std::vector<Match> matches_;
  std::uint64_t deaths_ = 0;
};

}  // namespace xs::sim
