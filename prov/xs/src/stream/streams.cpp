// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "stream/streams.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "util/log.hpp"
#include "util/reserve.hpp"

namespace xs::stream {

using proto::Kind;
using util::Level;
using util::log;

namespace {
constexpr std::size_t kEndedRemembered = 4096;
constexpr std::uint64_t kTagMask =
    ~0ull >> 1;  // the inner providers keep the highest bit for themselves
}  // namespace

Streams::Streams(carrier::InnerProvider& inner, const StreamLimits& limits, util::Clock& clock,
                 util::Random& random, Upper& upper)
    : inner_(inner),
      limits_(limits),
      rings_(limits.rings ? *limits.rings : no_rings_),
      clock_(clock),
      random_(random),
      upper_(upper),
      incarnation_{random.next(), random.next()},
      provider_(proto::provider_name(inner.name())),
      frames_(limits.largest_frame),
      now_(clock.now()),
      bulk_tag_(random.next() & kTagMask) {}

Streams::~Streams() {
  sessions_.clear();  // frames that the inner provider has are released by the carrier's end
  carrier_.reset();
}

util::Result<std::unique_ptr<Streams>> Streams::open(carrier::InnerProvider& inner,
                                                     const StreamLimits& limits, util::Clock& clock,
                                                     util::Random& random, Upper& upper) noexcept
    try {
  std::unique_ptr<Streams> streams(new Streams(inner, limits, clock, random, upper));
  auto carrier =
      carrier::FabricCarrier::open(inner, limits.largest_frame, limits.receive_buffers, *streams);
  if (!carrier) return carrier.error();
  streams->carrier_ = std::move(*carrier);
  return streams;
} catch (const std::bad_alloc&) {
  return util::Error{ENOMEM, "no memory for streams"};
}

// ---- Finding and making sessions ----

Session* Streams::find(std::uint64_t token) noexcept {
  if (last_ && last_->receive_token() == token) return last_;
  const auto found = sessions_.find(token);
  return found == sessions_.end() ? nullptr : last_ = found->second.get();
}

Session* Streams::find_by_send_token(std::uint64_t token) noexcept {
  for (auto& [own, session] : sessions_)
    if (session->send_token() == token && session->state() != SessionState::kDead)
      return session.get();
  return nullptr;
}

// The session that offered this nonce of ours and is not open yet.
Session* Streams::find_by_nonce(std::uint64_t nonce) noexcept {
  for (auto& [token, session] : sessions_)
    if (session->nonce() == nonce && (session->state() == SessionState::kGreeting ||
                                      session->state() == SessionState::kCandidate))
      return session.get();
  return nullptr;
}

Session* Streams::find_by_peer_nonce(std::uint64_t nonce) noexcept {
  for (auto& [token, session] : sessions_)
    if (session->peer_nonce() == nonce && session->state() != SessionState::kDead)
      return session.get();
  return nullptr;
}

Session* Streams::current(const proto::Address& home) noexcept {
  const auto found = current_.find(home);
  return found == current_.end() ? nullptr : found->second;
}

Session* Streams::make_session(const proto::Address& home) noexcept try {
  const std::uint64_t token = random_.next();
  auto session = std::make_unique<Session>(*this, home, token);
  session->slots_.resize(proto::kSmallestWindow);
  reserve_lists(sessions_.size() + 1);
  return sessions_.emplace(token, std::move(session)).first->second.get();
} catch (const std::bad_alloc&) {
  return nullptr;
}

// So that listing sessions and ending them can't fail. One can be due again while the due are run.
void Streams::reserve_lists(std::size_t sessions) {
  util::reserve_for(due_, 2 * sessions);
  util::reserve_for(owing_, sessions);
  util::reserve_for(lent_, sessions);
  readers_.reserve(sessions);
  util::reserve_for(ticking_, sessions);
  util::reserve_for(dead_, sessions);
  util::reserve_for(ended_, std::min(ended_.size() + sessions, kEndedRemembered));
}

// Newest over oldest.
void Streams::remember_ended(std::uint64_t token) noexcept {
  if (ended_.size() < kEndedRemembered)
    ended_.push_back(token);
  else
    ended_[ended_at_++ % kEndedRemembered] = token;
}

Session* Streams::greet(const proto::Address& home) noexcept try {
  if (Session* session = current(home);
      session && !session->goodbye_taken() && session->state() != SessionState::kDead)
    return session;
  for (auto token = candidates_.rbegin(); token != candidates_.rend(); ++token) {
    Session* candidate = find(*token);
    if (!candidate || candidate->home() != home || candidate->state() != SessionState::kCandidate)
      continue;
    candidate->want();
    current_[home] = candidate;
    return candidate;
  }
  Session* session = make_session(home);
  if (!session) return nullptr;
  current_[home] = session;
  session->greet(now_);
  return session;
} catch (const std::bad_alloc&) {
  return nullptr;
}

// A greeting or a candidate has been proven: it is the session of its home address from now on.
void Streams::opened(Session& session) noexcept try {
  std::size_t slots = proto::kSmallestWindow;
  while (slots < session.window_) slots *= 2;
  // A session that begins again has frames in its slots, by number.
  if (slots > session.slots_.size()) {
    std::vector<FrameBuffer*> larger(slots);
    for (std::uint64_t seq = session.una_; seq < session.tail_; ++seq)
      larger[seq & (slots - 1)] = session.slot(seq);
    session.slots_ = std::move(larger);
  }
  Session* older = current(session.home());
  if (!session.path_.writes) session.path_.since = now_;
  session.standing_.state = SessionState::kOpen;
  session.wanted_ = false;
  current_[session.home()] = &session;
  hurry();
  if (older && older != &session) {
    if (older->open() && !older->goodbye_taken())
      log(Level::kInfo, "%s has begun a new session", session.home().text().c_str());
    older->drain_ring(now_);  // what its writer left there before it ended
    older->end(ECONNRESET);
  }
  for (auto& [token, other] : sessions_)
    if (other.get() != &session && other->home() == session.home() &&
        (other->state() == SessionState::kCandidate || other->goodbye_taken()))
      other->end(ECONNRESET);
  upper_.session_opened(session);
  session.pump(now_);
} catch (const std::bad_alloc&) {
  session.end(ENOMEM);
}

// A peer that knows one of its own tokens could offer a nonce that makes the same one again.
bool Streams::rekey(Session& session, std::uint64_t receive_token) noexcept {
  if (sessions_.contains(receive_token)) return session.receive_token() == receive_token;
  auto node = sessions_.extract(session.receive_token());
  session.receive_token_ = receive_token;
  node.key() = receive_token;
  sessions_.insert(std::move(node));
  last_ = nullptr;
  return true;
}

void Streams::forget_old_candidates() noexcept {
  constexpr std::size_t kMostCandidates = 1024;
  while (candidates_.size() > kMostCandidates) {
    Session* oldest = find(candidates_.front());
    candidates_.pop_front();
    if (oldest && oldest->state() == SessionState::kCandidate && !oldest->greets())
      oldest->end(ECONNRESET);
  }
}

// ---- Frames in ----

void Streams::frame_arrived(util::Bytes bytes) noexcept {
  const auto frame = proto::decode_frame(bytes);
  if (!frame) {
    Session* session = find(proto::claimed_token(bytes));
    if (session) return lie(*session, "a malformed frame");
    if (counters_.noise++ == 0)
      log(Level::kWarn, "bytes that are no frame arrived at %s; dropped and counted",
          name().text().c_str());
    return;
  }
  switch (frame->prefix.kind) {
    case Kind::kHello:
      return hello(*frame);
    case Kind::kWelcome:
      return welcome(*frame);
    case Kind::kRefuse:
      return refuse(*frame);
    case Kind::kReset:
      return reset(*frame);
    default:
      break;
  }
  Session* session = find(frame->prefix.token);
  if (!session || session->state() == SessionState::kDead) return unknown_token(*frame);
  session->prove(now_);
  if (!session->take(*frame, now_)) return lie(*session, "an impossible value");
  if (frame->prefix.kind == Kind::kPing) {
    const auto ping = proto::decode_ping(frame->body);
    if (!ping) return lie(*session, "a malformed PING");
    session->ping_received(*frame, *ping, now_);
  } else if (frame->prefix.kind >= Kind::kOffer) {
    of_path(*session, *frame);
  }
}

// Rings cost a liar nothing but his ring, but what can't even be read is no OFFER.
void Streams::of_path(Session& session, const proto::FrameView& frame) noexcept {
  if (!session.open() && session.state() != SessionState::kClosed) return;
  if (frame.prefix.kind == Kind::kOffer) {
    if (const auto offer = proto::decode_offer(frame.body))
      return session.offer_received(*offer, now_);
  } else if (frame.prefix.kind == Kind::kMapped) {
    if (const auto mapped = proto::decode_mapped(frame.body))
      return session.mapped_received(*mapped, now_);
  } else if (const auto left = proto::decode_left(frame.body)) {
    return session.left_received(*left, frame.prefix.ack, now_);
  }
  lie(session, "a malformed frame about rings");
}

void Streams::unknown_token(const proto::FrameView& frame) noexcept {
  ++counters_.unknown;
  if (frame.prefix.kind != Kind::kPing) return;
  const auto ping = proto::decode_ping(frame.body);
  if (ping) send_reset(ping->home, frame.prefix.token, ping->lane);
}

void Streams::lie(Session& session, const char* what) noexcept {
  log(Level::kWarn, "peer %s sent %s: its session ends", session.home().text().c_str(), what);
  ++counters_.lies;
  session.end(EPROTO);
}

// ---- Frames out ----

FrameBuffer* Streams::make_control(Kind kind, std::size_t body) noexcept {
  FrameBuffer* frame = frames_.make(body);
  if (frame) frame->prefix.kind = kind;
  return frame;
}

// Control frames are never queued: whoever sends one sends it again if it mattered.
bool Streams::post_control(const carrier::Route& route, FrameBuffer& frame) noexcept {
  const bool posted = carrier_->post(route, frame) == carrier::Posted::kOk;
  if (!frame.under_way) frames_.drop(frame);
  return posted;
}

void Streams::send_stray(std::uint32_t lane, const proto::Address& to,
                         FrameBuffer& frame) noexcept {
  auto route = carrier_->route(lane, to);
  if (route)
    post_control(*route, frame);
  else
    frames_.drop(frame);
}

// Once for every frame that the layer above wants to hear of.
void Streams::report(FrameBuffer& frame) noexcept {
  const std::uint64_t cookie = std::exchange(frame.cookie, 0);
  if (cookie != 0) upper_.frame_released(cookie, frame.outcome);
}

void Streams::release(FrameBuffer& frame) noexcept {
  report(frame);
  frames_.drop(frame);
}

void Streams::frame_let_go(FrameBuffer& frame, int error) noexcept {
  if (!frame.kept) return release(frame);
  static_cast<Session*>(frame.owner)->let_go(frame, error, now_);
}

// ---- Bulk ----

carrier::Posted Streams::bulk_send(Session& session, std::uint64_t tag,
                                   std::span<const struct iovec> iov,
                                   BulkOperation& operation) noexcept {
  return carrier_->bulk_send(session.route(), tag, iov, operation);
}

carrier::Posted Streams::bulk_receive(Session& session, std::uint64_t tag,
                                      std::span<const struct iovec> iov,
                                      BulkOperation& operation) noexcept {
  return carrier_->bulk_receive(session.route().lane, tag, iov, operation);
}

void Streams::bulk_let_go(BulkOperation& operation, std::size_t length, int error) noexcept {
  upper_.bulk_let_go(operation, length, error);
}

std::uint64_t Streams::new_bulk_tag() noexcept {
  bulk_tag_ = (bulk_tag_ + 1) & kTagMask;
  return bulk_tag_;
}

}  // namespace xs::stream
