// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Attempts to connect and what both sides of each were told of them, judged by docs/connections.md
// sections 3 and 4.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <set>
#include <vector>

#include "sim/judge.hpp"
#include "util/bytes.hpp"

namespace xs::sim {

using util::Nanoseconds;

enum Who : unsigned { kClient, kServer };

// A message of one side.
struct Said {
  std::size_t size;
  bool injected = false;  // he hears of no error
  bool ended = false;     // its sender was told so
  int error = 0;          // with this
  bool heard = false;
};

struct Side {
  bool exists = false;                                   // an endpoint asks or answers
  bool connected = false, failed = false, over = false;  // what the user was told
  // What he has done, or what was done to him.
  bool shut = false, closed = false, killed = false;
  bool parted = false;   // closing took no longer than its linger
  bool gave_up = false;  // what it had sent before fi_shutdown was not taken in time
  bool drained = false;  // told of the end, he has received all that had come
  bool settled() const noexcept { return connected || failed || closed || killed; }
  bool gone() const noexcept { return shut || closed || killed || failed; }
  std::vector<Said> said;
};

enum class Words : std::uint64_t { kAsk, kAccept, kReject };

class Attempt {
 public:
  Attempt(std::uint64_t number, unsigned asked, Judge& judge) noexcept
      : number_(number), asked_(asked), judge_(judge) {}

  std::uint64_t number() const noexcept { return number_; }
  // The member whose listener is asked.
  unsigned asked() const noexcept { return asked_; }
  Side& side(Who who) noexcept { return sides_[who]; }
  const Side& side(Who who) const noexcept { return sides_[who]; }
  static Who other(Who who) noexcept { return who == kClient ? kServer : kClient; }

  // Data of the user's that goes with it.
  std::vector<std::byte> words(Words what) const;
  // 0: there is none.
  static std::uint64_t number_in(util::Bytes words) noexcept;
  // Payload of the message of that side, at least kHead bytes.
  static constexpr std::size_t kHead = 24;
  std::vector<std::byte> message(Who who, std::size_t index, std::size_t size) const;

  // ---- What users do ----
  void accepts() noexcept { accepted_ = true; }
  void rejects() noexcept { rejected_ = excused_ = true; }
  // It may fail without any weather: nobody listens, or not for long, or nobody answers.
  void excuse() noexcept { excused_ = true; }

  // ---- What they are told. calm: nothing has befallen anybody ----
  void requested(util::Bytes data) noexcept;
  void connected(Who who, util::Bytes data) noexcept;
  void failed(Who who, int error, util::Bytes data, bool calm) noexcept;
  void over(Who who) noexcept;
  void heard(Who who, std::size_t index, util::Bytes bytes) noexcept;

  // Everything is over.
  void judge_end() noexcept;

 private:
  void fail(Who who, const char* what) noexcept;
  void judge_messages(Who from) noexcept;
  bool is(util::Bytes data, Words what) const;

  std::uint64_t number_;
  unsigned asked_;
  Judge& judge_;
  std::array<Side, 2> sides_;
  bool requested_ = false;
  bool accepted_ = false;
  bool rejected_ = false;
  bool excused_ = false;
};

// All of one run.
class Attempts {
 public:
  explicit Attempts(Judge& judge) noexcept : judge_(judge) {}

  Attempt& begin(unsigned asked);
  Attempt* find(std::uint64_t number) noexcept {
    return number == 0 || number > all_.size() ? nullptr : &all_[number - 1];
  }
  // Whether that member's listener may be asked from now on; else who waits for it may wait in
  // vain.
  void listens(unsigned member, bool does) noexcept;
  void judge_end() noexcept;

  struct Count {
    std::uint64_t attempts = 0, connected = 0, failed = 0, over = 0, heard = 0;
  };
  Count count() const noexcept;

 private:
  Judge& judge_;
  std::deque<Attempt> all_;
  std::set<unsigned> listening_;  // members
};

}  // namespace xs::sim
