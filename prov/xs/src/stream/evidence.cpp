// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "stream/evidence.hpp"

#include <algorithm>

namespace xs::stream {

namespace {
constexpr util::Nanoseconds kProbeTime = 2 * util::kSecond;
constexpr util::Nanoseconds kHeldLongest = 120 * util::kSecond;
// Of refusals in a row, how many and over how many spacings: a living peer that replaces its home
// lane has nobody at that port for a moment, a long one where processors are short.
constexpr unsigned kRefusals = 3;
constexpr unsigned kRefusedFor = 8;
}  // namespace

bool Evidence::forget() noexcept {
  const bool was_silent = std::exchange(silent_, 0) > 0;
  gathered_ = false;
  refusals_ = 0;
  alive_ = excused_ = returned_ = false;
  counted_from_ = 0;
  held_since_ = 0;
  probe_.reset();
  return was_silent;
}

void Evidence::look(carrier::InnerProvider& inner, const proto::Address& home,
                    util::Nanoseconds now, util::Nanoseconds spacing) noexcept {
  spacing_ = spacing;
  if (probe_ || (ended_at_ != 0 && now - ended_at_ < spacing)) return;
  gathered_ = true;
  if (counted_from_ == 0) counted_from_ = now;
  auto probe = inner.probe(home, kProbeTime);
  if (probe) probe_ = std::move(*probe);
  ended_at_ = now;  // without a probe (out of descriptors, say) nothing is learnt about the peer
}

Verdict Evidence::judge(util::Nanoseconds now, util::Nanoseconds timeout) noexcept {
  if (!probe_) return Verdict::kUnknown;
  const carrier::ProbeState state = probe_->poll();
  if (state == carrier::ProbeState::kWaiting) return Verdict::kUnknown;
  alive_ = state == carrier::ProbeState::kAlive;
  // Time that passed without anybody looking (this process was stopped, its VM saved) convicts
  // nobody.
  const util::Nanoseconds watched = std::min(now - counted_from_, 2 * kProbeTime);
  counted_from_ = now;
  if (alive_) {
    returned_ = returned_ || silent_ > 0;
    refusals_ = 0;
    silent_ = 0;
    if (held_since_ == 0) held_since_ = now;
    // An endpoint that closed while its process lives on may have left our connection open.
    if (now - held_since_ >= kHeldLongest) {
      probe_.reset();
      held_since_ = 0;
    }
    return Verdict::kUnknown;
  }
  probe_.reset();
  held_since_ = 0;
  ended_at_ = now;
  if (state == carrier::ProbeState::kClosed) return Verdict::kUnknown;
  if (state == carrier::ProbeState::kRefused) {
    silent_ = 0;
    return refused(now) ? Verdict::kRefused : Verdict::kUnknown;
  }
  refusals_ = 0;
  silent_ += watched;
  return silent_ >= timeout ? Verdict::kUnreachable : Verdict::kUnknown;
}

bool Evidence::refused(util::Nanoseconds now) noexcept {
  if (refusals_++ == 0) refused_since_ = now;
  return refusals_ >= kRefusals && now - refused_since_ >= kRefusedFor * spacing_;
}

}  // namespace xs::stream
