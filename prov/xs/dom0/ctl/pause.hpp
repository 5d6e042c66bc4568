// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who has still to be waited for, after the processes of a domain were asked to pause.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dom0/ctl/board.hpp"

namespace xs::dom0 {

// A process, as far as it is known.
struct Who {
  std::uint32_t domain = 0;
  std::uint64_t process = 0;
  std::optional<std::uint32_t> pid;
  bool operator==(const Who&) const = default;
};
// "domain 2, pid 412 (process 5b1f9e1c02b7a6d4)"
std::string describe(const Who& who);

class Pause {
 public:
  Pause(std::uint32_t domain, std::uint64_t serial) noexcept : domain_(domain), serial_(serial) {}
  // What notes of other guests say counts only if their domain has pages of ours mapped: anybody
  // may name anybody, and who has not heard of the pause yet may still be waiting for somebody.
  void look(const Board& board, Machine& machine);

  bool is_whole() const noexcept { return silent_.empty() && beside_.empty(); }
  // And all peers, wherever they are, have heard of it.
  bool is_told() const noexcept { return is_whole() && untelling_.empty(); }
  // "2 of 3 have paused": changes when something else is to be said.
  std::string progress() const;
  // A line for each who is waited for.
  std::string missing() const;
  // A line for each who has paused, and has peers that may not have heard of it.
  std::string untold() const;
  // Of one process at least, and of none an answer.
  bool nobody_answers() const noexcept { return processes_ > 0 && silent_.size() == processes_; }
  bool peers_let_go() const noexcept { return beside_.empty(); }
  std::size_t processes() const noexcept { return processes_; }
  // Processes of the domain that have been seen, whether or not they are still there.
  const std::set<std::uint64_t>& seen() const noexcept { return seen_; }

 private:
  void look_beside(std::uint32_t domain, const Notes& notes);
  void leave_out_who_holds_nothing(Machine& machine);

  std::uint32_t domain_;
  std::uint64_t serial_;
  std::set<std::uint64_t> seen_;
  std::size_t processes_ = 0;   // of the domain, now
  std::vector<Who> silent_;     // of them, who have not answered
  std::vector<Who> untelling_;  // of the others, whose peers have not all heard
  struct Peer {
    Who who;
    std::uint64_t of = 0;  // a process of the domain, which it still names
    bool has_met = false;  // by its own word
  };
  std::vector<Peer> beside_;  // in other domains
};

}  // namespace xs::dom0
