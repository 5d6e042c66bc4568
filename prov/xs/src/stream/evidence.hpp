// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Is a silent peer dead? Silence of the process proves nothing; only its kernel's word does.
// docs/wire.md section 8.
#pragma once
#include <cstdint>
#include <memory>
#include <utility>

#include "carrier/inner.hpp"
#include "util/clock.hpp"

namespace xs::stream {

enum class Verdict : std::uint8_t { kUnknown, kRefused, kUnreachable };

class Evidence {
 public:
  // A sign of life: everything gathered before is void. Cheap if that is nothing. True: not even
  // the kernel had answered before.
  bool life() noexcept { return gathered_ && forget(); }
  // Starts a probe of the home address unless one is held or running, or one ended less than
  // `spacing` ago.
  void look(carrier::InnerProvider& inner, const proto::Address& home, util::Nanoseconds now,
            util::Nanoseconds spacing) noexcept;
  // Takes the result of a running probe; says what all of them amount to. timeout: how long without
  // even the kernel's answer makes a dead peer. Only time that was spent probing counts, so a
  // stopped process or VM convicts nobody when it wakes.
  Verdict judge(util::Nanoseconds now, util::Nanoseconds timeout) noexcept;
  // There is a reason for its silence, until it is heard.
  void excuse() noexcept { gathered_ = excused_ = true; }
  bool excused() const noexcept { return excused_; }
  // The kernel at the home address answers right now.
  bool alive() const noexcept { return alive_; }
  // It does again, after it did not. Says so once.
  bool take_return() noexcept { return std::exchange(returned_, false); }
  // Since when it does so without a break (a held probe is renewed now and then); 0: it does not.
  util::Nanoseconds alive_since() const noexcept { return alive_ ? held_since_ : 0; }

 private:
  bool forget() noexcept;
  // A refusal was heard. True: they have lasted long enough.
  bool refused(util::Nanoseconds now) noexcept;

  std::unique_ptr<carrier::Probe> probe_;
  util::Nanoseconds ended_at_ = 0;
  util::Nanoseconds counted_from_ = 0;  // silence before this has been counted
  util::Nanoseconds held_since_ = 0;
  bool gathered_ = false;  // something has, since the last sign of life
  bool alive_ = false;
  bool excused_ = false;
  bool returned_ = false;
  util::Nanoseconds silent_ = 0;
  unsigned refusals_ = 0;
  util::Nanoseconds refused_since_ = 0;
  util::Nanoseconds spacing_ = 0;
};

}  // namespace xs::stream
