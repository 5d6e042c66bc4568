// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/connect/talk.hpp"

#include <algorithm>
#include <cerrno>

namespace xs::sim {

namespace {
constexpr std::size_t kReceives = 3;  // posted at a time
constexpr std::size_t kLargest = 8192;
constexpr std::size_t kMostOperations = 50;
constexpr std::size_t kInjected = 128;
constexpr std::size_t kMostSaid = 60;
constexpr std::uint64_t kTag = 1;
constexpr Nanoseconds kSlack = util::kSecond;  // after a deadline
}  // namespace

Talk::Talk(const Scene& scene, const Household& house, Attempt& attempt, Who who)
    : scene_(scene), house_(house), attempt_(attempt), who_(who) {
  own().exists = true;
  auto opened = core::Endpoint::open({.config = house.config,
                                      .inner = house.provider,
                                      .clock = scene.network,
                                      .random = house.dice,
                                      .send_queue = &queue_,
                                      .receive_queue = &queue_,
                                      .book = &connection_.book(),
                                      .neighbours = house.neighbours,
                                      .rings = house.neighbours ? &house.rings : nullptr,
                                      .gatekeeper = &connection_});
  if (!opened) {
    scene_.judge.fail("an endpoint can't be opened");
    return;
  }
  endpoint_ = std::move(*opened);
  connection_.book().attach(*endpoint_);
  keep_receiving();
}

Talk::~Talk() {
  if (endpoint_) connection_.book().detach(*endpoint_);
}

void Talk::ask() {
  begun_at_ = now();
  scene_.judge.trace("attempt %lu: %s asks member %u", attempt_.number(),
                     endpoint_->name().text().c_str(), attempt_.asked());
  if (connection_.ask(scene_.listener_of(attempt_.asked()), attempt_.words(Words::kAsk)) !=
      core::Status::kOk)
    scene_.judge.fail("nobody can be asked");
}

void Talk::answer(const core::ConnectionId& id, const proto::Address& client) {
  begun_at_ = now();
  scene_.judge.trace("attempt %lu: %s accepts", attempt_.number(),
                     endpoint_->name().text().c_str());
  attempt_.accepts();
  const auto status = connection_.answer(id, client, attempt_.words(Words::kAccept));
  if (status == core::Status::kOk) return;
  // The client has gone, and its address is ours now.
  if (client != endpoint_->name()) scene_.judge.fail("nobody can be answered");
  begin_to_close();
}

// ---- What it is told ----

void Talk::connected(util::Bytes data) noexcept { attempt_.connected(who_, data); }
void Talk::failed(int error, util::Bytes data) noexcept {
  attempt_.failed(who_, error, data, scene_.calm());
}
void Talk::disconnected() noexcept {
  own().gave_up = connection_.gave_up();
  attempt_.over(who_);
}

void Talk::judge_wait(bool patient) {
  const Nanoseconds deadline = begun_at_ + house_.config.peer_timeout + kSlack;
  if (!own().settled() && patient && now() > deadline)
    scene_.judge.fail("attempt %lu is not settled in time", attempt_.number());
}

// ---- Messages ----

void Talk::send() {
  Side& side = own();
  if (operations_.size() >= kMostOperations || side.said.size() >= kMostSaid) return;
  Dice& dice = house_.dice;
  const std::size_t size =
      dice.percent(80) ? dice.between(Attempt::kHead, 300) : dice.between(Attempt::kHead, kLargest);
  const std::size_t index = side.said.size();
  // What is injected is told of at once; an error alone may follow.
  const bool injects = size <= kInjected && dice.percent(30);
  operations_.push_back({false, injects, index, attempt_.message(who_, index, size)});
  Operation& made = operations_.back();
  const struct iovec iov { made.memory.data(), size };
  const std::uint32_t flags = injects            ? core::kOpInject | core::kOpUnheard
                              : dice.percent(30) ? core::kOpCompletion | core::kOpTransmitComplete
                                                 : core::kOpCompletion;
  const auto status = endpoint_->send({.iov = std::span(&iov, 1),
                                       .to = core::Connection::kPeer,
                                       .tag = kTag,
                                       .data = 0,
                                       .flags = core::kOpTagged | flags,
                                       .context = &made});
  if (status == core::Status::kOk)
    side.said.push_back({.size = size, .injected = injects, .ended = injects});
  else
    operations_.pop_back();
}

// All take what comes in the order that it comes in.
void Talk::receive() {
  read_queue();  // some may have been cancelled: this one takes the place of the first of them
  operations_.push_back({true, false, next_receive_, std::vector<std::byte>(kLargest)});
  Operation& made = operations_.back();
  const struct iovec iov { made.memory.data(), made.memory.size() };
  const auto status = endpoint_->receive({.iov = std::span(&iov, 1),
                                          .from = core::kAnyPeer,
                                          .tag = kTag,
                                          .ignore = 0,
                                          .flags = core::kOpTagged | core::kOpCompletion,
                                          .context = &made});
  if (status != core::Status::kOk) {
    scene_.judge.fail("a receive can't be posted");
    return operations_.pop_back();
  }
  ++receives_;
  ++next_receive_;
  connection_.received_posted();
}

void Talk::keep_receiving() {
  const Side& side = own();
  if (side.failed || side.drained || (side.shut && !side.over && !reads_on_)) return;
  // Of a connection that is over: one by one, until there is nothing more.
  while (endpoint_ && receives_ < (side.over ? 1 : kReceives) && !side.drained) receive();
}

void Talk::read_queue() {
  for (;;) {
    struct fi_cq_tagged_entry entry {};
    const ssize_t rc = queue_.read(&entry, 1, nullptr);
    if (rc == 1) {
      ended(*static_cast<Operation*>(entry.op_context), entry.len, 0);
    } else if (rc == -FI_EAVAIL) {
      struct fi_cq_err_entry error {};
      queue_.read_error(&error, 0);
      ended(*static_cast<Operation*>(error.op_context), 0, error.err);
    } else {
      return;
    }
  }
}

void Talk::ended(Operation& operation, std::size_t size, int error) {
  if (!operation.receives) {
    Said& said = own().said[operation.index];
    said.ended = true;
    said.error = error;
  } else {
    --receives_;
    if (error == 0)
      attempt_.heard(who_, operation.index, util::Bytes(operation.memory).first(size));
    else if (error == ECANCELED)
      next_receive_ = std::min(next_receive_, operation.index);
    own().drained = own().drained || (own().over && error == ECANCELED && receives_ == 0);
  }
  operations_.remove_if([&](const Operation& each) { return &each == &operation; });
}

// ---- Its life ----

void Talk::step(bool patient) {
  if (!endpoint_) return;
  endpoint_->progress();
  read_queue();
  if (closing_since_ > 0) return close();
  judge_wait(patient);
  if (own().failed || own().drained) return begin_to_close();
  keep_receiving();
}

void Talk::act(bool stays) {
  if (!endpoint_ || closing_since_ > 0) return;
  Dice& dice = house_.dice;
  const bool talks = connection_.state() == core::ConnectionState::kConnected;
  if (stays) {
    reads_on_ = true;
    // A server whose client has died must find that out by itself.
    const bool idle = std::ranges::none_of(
        operations_, [](auto& each) { return !each.receives && !each.injected; });
    if (talks && who_ == kClient && (idle || dice.percent(5)) && dice.percent(20)) shut();
    return;
  }
  if (talks && dice.percent(4)) return shut();
  if (dice.percent(1)) return begin_to_close();
  if (talks)
    for (std::uint64_t i = dice.below(5); i > 0; --i) send();
}

void Talk::shut() {
  scene_.judge.trace("attempt %lu: side %u shuts", attempt_.number(), who_);
  own().shut = true;
  connection_.shut();
  read_queue();
}

void Talk::begin_to_close() {
  scene_.judge.trace("attempt %lu: side %u closes", attempt_.number(), who_);
  own().closed = true;
  closing_since_ = now();
  endpoint_->part();
}

void Talk::close() {
  const bool parted = endpoint_->parted();
  if (!parted && now() < closing_since_ + house_.config.linger) return;
  own().parted = parted;
  kill();
}

void Talk::kill() noexcept {
  if (!endpoint_) return;
  own().killed = own().killed || !own().closed;
  endpoint_->peers().for_each([&](core::Peer& peer) {
    by_ring_ += peer.ring.received_messages;
    joined_ += peer.session ? peer.session->path_counters().joined : peer.paths.joined;
  });
  connection_.book().detach(*endpoint_);
  endpoint_.reset();
}

std::string Talk::state() const {
  return "attempt " + std::to_string(attempt_.number()) + ", side " + std::to_string(who_) +
         ", is in state " + std::to_string(static_cast<int>(connection_.state())) + " with " +
         std::to_string(operations_.size()) + " operations";
}

}  // namespace xs::sim
