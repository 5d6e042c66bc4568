// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Frames that begin, refuse or end sessions. docs/wire.md section 4.
#include <algorithm>
#include <cerrno>
#include <new>

#include "stream/streams.hpp"
#include "util/log.hpp"

namespace xs::stream {

using proto::Kind;
using util::Level;
using util::log;

bool Streams::acceptable(const proto::Greeting& g, proto::RefuseReason& reason) const noexcept {
  if (g.version_low > proto::kVersionHigh || g.version_high < proto::kVersionLow)
    reason = proto::RefuseReason::kVersion;
  else if (g.provider != provider_)
    reason = proto::RefuseReason::kProvider;
  else if (g.home.family != name().family)
    reason = proto::RefuseReason::kFamily;
  else if (g.largest_frame < proto::kSmallestFrame || g.window < proto::kSmallestWindow)
    reason = proto::RefuseReason::kLimits;
  else
    return true;
  return false;
}

namespace {
const char* reason_text(proto::RefuseReason reason) noexcept {
  switch (reason) {
    case proto::RefuseReason::kVersion:
      return "no common protocol version";
    case proto::RefuseReason::kProvider:
      return "another inner provider (set FI_XS_FALLBACK alike on every host)";
    case proto::RefuseReason::kFamily:
      return "another address family (set FI_XS_IFACE alike on every host)";
    default:
      return "frame or window limits that can't work";
  }
}
}  // namespace

void Streams::hello(const proto::FrameView& frame) noexcept {
  const auto g = proto::decode_greeting(frame.body);
  if (!g) {
    ++counters_.noise;
    return;
  }
  if (Session* known = find_by_peer_nonce(g->token); known && known->peer() == g->sender)
    return known->regreeted(*g, frame.prefix.token, frame.prefix.seq, now_);
  if (frame.prefix.token != 0) return send_reset(g->home, frame.prefix.token, g->lane);
  proto::RefuseReason reason{};
  if (!acceptable(*g, reason)) {
    if (counters_.refused++ == 0)
      log(Level::kWarn, "greeting of %s refused: %s (theirs: %.24s)", g->home.text().c_str(),
          reason_text(reason), g->provider.data());
    FrameBuffer* answer = make_control(Kind::kRefuse, proto::kRefuseSize);
    if (!answer) return;
    answer->prefix.token = g->token;
    proto::Greeting own;
    own.largest_frame = limits_.largest_frame;
    own.window = limits_.window;
    own.sender = incarnation_;
    own.home = own.answer = name();
    own.provider = provider_;
    proto::encode(proto::Refuse{reason, own}, answer->body());
    return send_stray(carrier::kHomeLane, g->home, *answer);
  }
  if (Session* session = current(g->home); session && session->greets()) {
    // Crossing HELLOs. What this one offers proves nothing yet, but the peer's first frame will: it
    // may come before the WELCOME that answers ours.
    if (session->become_candidate(*g, frame.prefix.seq, now_))
      session->send_welcome(g->home, g->token, carrier::kHomeLane);
    return;
  }
  if (closing_) return;
  Session* candidate = make_session(g->home);
  if (!candidate) return;
  if (!candidate->become_candidate(*g, frame.prefix.seq, now_)) return candidate->end(EPROTO);
  candidate->send_welcome(g->home, g->token, carrier::kHomeLane);
  try {
    candidates_.push_back(candidate->receive_token());
  } catch (const std::bad_alloc&) {
    candidate->end(ENOMEM);
  }
  forget_old_candidates();
}

void Streams::welcome(const proto::FrameView& frame) noexcept {
  Session* session = find_by_nonce(frame.prefix.token);
  if (!session) session = find(frame.prefix.token);
  const auto g = proto::decode_greeting(frame.body);
  if (!session || !g) {
    ++counters_.unknown;
    return;
  }
  proto::RefuseReason reason{};
  if (session->greets() && !acceptable(*g, reason)) {
    ++counters_.refused;
    log(Level::kWarn, "%s can't be a peer: %s (theirs: %.24s)", g->home.text().c_str(),
        reason_text(reason), g->provider.data());
    return session->end(EPROTONOSUPPORT);
  }
  session->welcome_received(*g, frame.prefix.seq, now_);
}

void Streams::refuse(const proto::FrameView& frame) noexcept {
  Session* session = find_by_nonce(frame.prefix.token);
  const auto refusal = proto::decode_refuse(frame.body);
  if (!session || !refusal || !session->greets()) {
    ++counters_.unknown;
    return;
  }
  ++counters_.refused;
  log(Level::kWarn, "%s refuses us: %s (theirs: %.24s, ours: %.24s)",
      session->home().text().c_str(), reason_text(refusal->reason),
      refusal->greeting.provider.data(), provider_.data());
  session->end(EPROTONOSUPPORT);
}

void Streams::reset(const proto::FrameView& frame) noexcept {
  Session* session = find_by_send_token(frame.prefix.token);
  const auto body = proto::decode_reset(frame.body);
  if (!session || !body) {
    ++counters_.unknown;
    return;
  }
  session->reset_received(*body);
}

void Streams::send_reset(const proto::Address& to, std::uint64_t refused,
                         std::uint32_t route) noexcept {
  FrameBuffer* frame = make_control(Kind::kReset, proto::kResetSize);
  if (!frame) return;
  frame->prefix.token = refused;
  const bool ended = std::find(ended_.begin(), ended_.end(), refused) != ended_.end();
  const auto reason = ended ? proto::ResetReason::kEnded : proto::ResetReason::kUnknown;
  proto::encode(proto::Reset{incarnation_, reason, route}, frame->body());
  send_stray(carrier::kHomeLane, to, *frame);
}

}  // namespace xs::stream
