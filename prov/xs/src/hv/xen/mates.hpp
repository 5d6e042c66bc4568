// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The processes of one VM that grant pages to other domains, which do not know each other but must
// divide what the VM may grant: each has a node below data/xs-here by which the others count it.
// docs/budgets.md, "Pages of a VM", has the arithmetic.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "hv/card.hpp"
#include "hv/xen/calls.hpp"
#include "hv/xen/note.hpp"

namespace xs::hv {

// Watched: fires when a process comes or goes, and, for nobody writes there, after every resume.
inline constexpr const char* kMatesDirectory = "data/xs-here";
// Written there by who is about to move this VM, and removed when that is over. No process' name.
inline constexpr const char* kQuiesceNode = "data/xs-here/quiesce";

// Of the pages of a VM one in so many stays free for the life pages of those who come: the others
// need a while to make room.
inline constexpr std::size_t kReservedPart = 8;
// What each of so many processes may grant.
constexpr std::size_t part_of(std::size_t limit, std::size_t processes) noexcept {
  return (limit - limit / kReservedPart) / processes;
}

class Mates {
 public:
  Mates(std::shared_ptr<XenCalls> calls, const Id& own) noexcept
      : calls_(std::move(calls)), own_(own) {}
  ~Mates() {
    if (entered_) leave();
  }
  Mates(const Mates&) = delete;
  Mates& operator=(const Mates&) = delete;

  // We are one of them, and live in that network namespace. 0 or an errno.
  int enter(std::uint64_t network) noexcept;
  bool entered() const noexcept { return entered_; }
  // We are not: our parent is.
  void disown() noexcept { entered_ = false; }
  // How many there are, we among them. The nodes of those that have ended, as far as that can be
  // seen from here, are removed.
  std::size_t count(std::uint64_t network) noexcept;

 private:
  void leave() noexcept;
  bool has_ended(std::uint64_t process, const char* node, std::uint64_t network) noexcept;

  std::shared_ptr<XenCalls> calls_;
  Id own_;
  bool entered_ = false;
};

}  // namespace xs::hv
