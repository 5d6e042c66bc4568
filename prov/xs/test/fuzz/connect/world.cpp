// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How the world is made, what its user is told, and what must hold.
#include "fuzz/connect/world.hpp"

#include <algorithm>

#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

using proto::Kind;
using test::Frame;
using State = core::ConnectionState;

namespace {

constexpr std::uint64_t kSecretTag = 0x7e57;  // of no other receive
constexpr std::size_t kMostOpen = 24;         // operations of the user

}  // namespace

// ---- Making it ----

ConnectWorld::ConnectWorld(util::Bytes input)
    : EndpointWorld(input), role_(static_cast<Role>(script_.next() % 3)) {
  config_.quiet = 100 * util::kMillisecond;
  config_.peer_timeout = 2 * util::kSecond;
  config_.linger = util::kSecond;
  show(registration_, shown_, core::kReadable | core::kWritable, 1);
  core::EndpointParts parts = this->parts();
  parts.book = &connection_.book();
  parts.gatekeeper = role_ == Role::kListener ? static_cast<core::Gatekeeper*>(&listener_)
                                              : static_cast<core::Gatekeeper*>(&connection_);
  open(parts);
  connection_.book().attach(*endpoint_);
}

ConnectWorld::~ConnectWorld() {
  speaks_ = nullptr;
  endpoint_.reset();
}

// ---- What the user is told ----

bool ConnectWorld::said_by(const Visitor& visitor, util::Bytes bytes) const {
  return std::ranges::all_of(bytes,
                             [&](std::byte each) { return each == std::byte{visitor.mark}; });
}

void ConnectWorld::connected(util::Bytes data) noexcept {
  require(begun_ && !connected_ && !told_of_end() && !closes_);
  require(speaks_ && speaks_->consents);
  require(said_by(*speaks_, data));
  connected_ = true;
  peer_ = speaks_;
  peer_mark_ = speaks_->mark;
}

void ConnectWorld::failed(int error, util::Bytes data) noexcept {
  require(begun_ && !connected_ && !told_of_end() && !closes_);
  require(error > 0 && (data.empty() || (speaks_ && said_by(*speaks_, data))));
  failed_ = true;
  // Nobody else can harm an attempt.
  const auto blamed = [&](const Visitor& each) {
    return each.to_blame && (is_asked(each) || each.consents);
  };
  require(hosts_die_ || clock_.time >= begun_at_ + config_.peer_timeout ||
          std::ranges::any_of(visitors_, blamed));
}

void ConnectWorld::disconnected() noexcept {
  require(connected_ && !told_of_end() && !closes_);
  disconnected_ = true;
  require(hosts_die_ || shut_ || peer_->to_blame);
}

bool ConnectWorld::requested(const core::ConnectRequest& request) noexcept {
  require(listening_ && !closes_ && request.number > last_request_);
  require(speaks_ && speaks_->asks && request.client == speaks_->self.home);
  require(said_by(*speaks_, request.data.bytes()));
  // A session has one at a time.
  const std::uint8_t mark = speaks_->mark;
  require(std::ranges::none_of(offered_, [&](const Offered& each) { return each.mark == mark; }));
  last_request_ = request.number;
  offered_.push_back({request.number, mark});
  require(offered_.size() <= backlog_);
  if (script_.next() < 0xf0) return true;
  offered_.pop_back();  // no room to tell of it
  return false;
}

// ---- Operations ----

bool ConnectWorld::receive(std::uint64_t tag, std::size_t size) {
  if (buffers_.size() >= kMostOpen && tag != kSecretTag) return false;
  auto buffer = std::make_unique<Buffer>(Buffer{std::vector<std::byte>(size), tag, true});
  const struct iovec iov { buffer->bytes.data(), buffer->bytes.size() };
  if (endpoint_->receive({.iov = std::span(&iov, 1),
                          .from = core::kAnyPeer,
                          .tag = tag,
                          .ignore = 0,
                          .flags = core::kOpTagged | core::kOpCompletion,
                          .context = buffer.get()}) != core::Status::kOk)
    return false;
  buffers_.push_back(std::move(buffer));
  connection_.received_posted();
  return true;
}

// A send, a write or a read, as the C face lets it through.
void ConnectWorld::operate(bool reads) {
  const std::uint8_t form = script_.next();
  if (connection_.state() != State::kConnected || buffers_.size() >= kMostOpen) return;
  const std::size_t size = form < 0x80 ? form % 64u : (form - 0x7fu) * 24;
  auto buffer = std::make_unique<Buffer>(Buffer{std::vector<std::byte>(size), form % 3u, false});
  const struct iovec iov { buffer->bytes.data(), size };
  const std::span pieces(&iov, 1);
  const std::uint32_t acknowledged = form % 2 ? core::kOpTransmitComplete : 0u;
  const auto status =
      reads ? endpoint_->reach(
                  core::RmaOp{.kind = form % 2 ? core::RmaKind::kRead : core::RmaKind::kWrite,
                              .iov = pieces,
                              .to = core::Connection::kPeer,
                              .address = 0,
                              .key = 1,
                              .data = 0,
                              .flags = core::kOpCompletion,
                              .context = buffer.get()})
            : endpoint_->send({.iov = pieces,
                               .to = core::Connection::kPeer,
                               .tag = form % 3u,
                               .data = 0,
                               .flags = core::kOpTagged | core::kOpCompletion | acknowledged,
                               .context = buffer.get()});
  if (status == core::Status::kOk) buffers_.push_back(std::move(buffer));
}

void ConnectWorld::ended(void* context, const End& end) {
  auto* const buffer = static_cast<Buffer*>(context);
  require(connected_ || !end.well);
  if (buffer->receives && end.well) {
    require(end.placed <= buffer->bytes.size());
    require(std::ranges::all_of(util::Bytes(buffer->bytes).first(end.placed),
                                [&](std::byte each) { return each == std::byte{peer_mark_}; }));
  }
  require(std::erase_if(buffers_, [&](const auto& each) { return each.get() == buffer; }) == 1);
}

void ConnectWorld::written_to() { require(connected_); }

// ---- What must hold ----

void ConnectWorld::check() {
  const auto is_peers = [&](std::byte each) {
    return each == std::byte{0} || (connected_ && each == std::byte{peer_mark_});
  };
  // Who closes is told of nothing, but may have been answered.
  require(counted_ || closes_ || std::ranges::all_of(shown_, is_peers));
  std::size_t known = 0, sessions = 0;
  endpoint_->peers().for_each([&](core::Peer&) { ++known; });
  require(known <= std::size(visitors_) + 2);
  endpoint_->streams().for_each([&](stream::Session& session) {
    ++sessions;
    require(session.unacknowledged() <= 8);
  });
  require(sessions <= std::size_t{marks_} + 8);
  if (connected_ || closes_)
    require_bounded_unexpected(2, 0);
  else
    require(endpoint_->receiver().unexpected_bytes() == 0);
  require(static_cast<std::size_t>(std::ranges::count_if(offered_, [&](const Offered& each) {
            return listener_.find(each.number) != nullptr;
          })) <= backlog_);
}

void ConnectWorld::settles() {
  const util::Nanoseconds step = config_.quiet / 2;
  for (util::Nanoseconds left = config_.peer_timeout + 4 * config_.quiet; left > 0; left -= step)
    pass(step);
  if (begun_ && !closes_) require(connected_ || failed_);
}

// If it is still there the peer is heard, and parting comes to an end.
void ConnectWorld::talks_and_parts() {
  Visitor& peer = *const_cast<Visitor*>(peer_);
  if (peer.mark != peer_mark_) return;
  stream::Session* const session = session_with(peer.self.home);
  if (!session || !session->open() || session->goodbye_taken()) return;
  constexpr std::uint64_t kNumber = 77;
  hear(peer, peer.self.ping(kNumber));
  if (disconnected_) return;
  require(echo_ == kNumber);
  peer.self.seq = next_;
  if (connection_.state() == State::kConnected && receive(kSecretTag, 16)) {
    const std::size_t open = buffers_.size();
    say(peer, Kind::kEager, peer.self.seq, test::eager(kSecretTag, Frame(9, std::byte{peer.mark})),
        proto::kTagged);
    require(disconnected_ || buffers_.size() < open);
  }
  connection_.shut();
  shut_ = true;
  for (int i = 0; i < 8 && !disconnected_; ++i) {
    hear(peer, peer.self.frame(Kind::kAck, 0));
    pass(2 * util::kMillisecond);
  }
  if (!disconnected_) hear(peer, peer.self.next(Kind::kGoodbye));
  require(disconnected_);
}

void ConnectWorld::goes_on() {
  inner_.probe_finds = carrier::ProbeState::kAlive;
  if (!connected_ || told_of_end()) settles();
  if (connected_ && !disconnected_ && !closes_) talks_and_parts();
  pass(20 * util::kMillisecond);
  // What waits for a peer that there is no more, ends.
  if (told_of_end() && !closes_)
    require(std::ranges::none_of(buffers_, [](const auto& each) { return each->receives; }));
  check();
}

}  // namespace xs::fuzz
