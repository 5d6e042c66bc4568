// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include "core/peers.hpp"
#include "util/clock.hpp"

namespace xs::core {

// Finds user memory that the inner provider will not let go of by itself: a transfer whose peer is
// gone, or that was left behind on a way which its session does not use any more. Half-open
// connections hold such transfers for many minutes, some providers for ever. For frames see
// Streams::expect_let_go.
class BulkWatch {
 public:
  explicit BulkWatch(util::Nanoseconds quiet) noexcept : quiet_(quiet) {}

  // Looks once per quiet interval. The result, if any, names a lane to retire.
  Bulk* overdue(Peers& peers, util::Nanoseconds now) noexcept;
  util::Nanoseconds look_at() const noexcept { return look_at_; }

 private:
  bool late(Bulk& bulk, const Peer& peer, bool ended, bool moved, util::Nanoseconds now) noexcept;

  util::Nanoseconds quiet_;
  util::Nanoseconds look_at_ = 0;
};

}  // namespace xs::core
