// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a simulated application does: sends, receives and everything beside, by dice.
#include <algorithm>

#include "core/quick.hpp"
#include "sim/process.hpp"

namespace xs::sim {

using core::Status;

namespace {
constexpr unsigned kIdShift = 16;  // wide tags: the message's number stands above
constexpr std::uint64_t kIdBits = ~0ull << kIdShift;
constexpr std::size_t kIdentified = 8;  // bytes that hold the number

// As the C face does: the quick way where there is one, of which fi_tsendmsg knows nothing.
Status send_as_asked(core::Endpoint& endpoint, const core::SendOp& op) {
  const bool one =
      op.iov.size() == 1 && (op.flags & (core::kOpTagged | core::kOpFence)) == core::kOpTagged;
  const core::SendPlan plan{
      .tag = op.tag, .data = op.data, .flags = op.flags, .context = op.context};
  if (one &&
      endpoint.send_quickly({static_cast<const std::byte*>(op.iov[0].iov_base), op.iov[0].iov_len},
                            op.to, plan))
    return Status::kOk;
  return endpoint.send(op);
}
Status receive_as_asked(core::Endpoint& endpoint, const core::ReceiveOp& op) {
  constexpr std::uint32_t kSpecial = core::kOpPeek | core::kOpClaim | core::kOpMultiReceive;
  const bool one =
      op.iov.size() == 1 && (op.flags & (core::kOpTagged | kSpecial)) == core::kOpTagged;
  const core::ReceivePlan plan{
      .tag = op.tag, .ignore = op.ignore, .flags = op.flags, .context = op.context};
  if (one && endpoint.receive_quickly(
                 {static_cast<std::byte*>(op.iov[0].iov_base), op.iov[0].iov_len}, op.from, plan))
    return Status::kOk;
  return endpoint.receive(op);
}
}  // namespace

Process::Action& Process::add(Kind kind) {
  actions_.push_back({.kind = kind, .message = nullptr, .buffer = {}});
  return actions_.back();
}

void Process::act() {
  next_act_ = now() + dice_.below(2 * scenario_.stormy / std::max(scenario_.operations, 1u) + 1);
  --operations_left_;
  if (scenario_.remote_percent > 0 && remote_dice_.percent(scenario_.remote_percent))
    return reach();
  if (dice_.percent(scenario_.exotic_percent)) {
    switch (dice_.below(6)) {
      case 0:
        return cancel_something();
      case 1:
        return shuffle_book();
      case 2:
        return receive(scenario_.labelled ? Kind::kMulti : Kind::kReceive);
      case 3:
        return resolve_claim();
      default:
        return peek();
    }
  }
  if (dice_.percent(55)) return send();
  receive(Kind::kReceive);
}

std::size_t Process::some_length() {
  const core::Config& config = scenario_.members[member_].config;
  const std::size_t eager = config.eager;
  if (dice_.percent(scenario_.big_percent))
    return dice_.percent(3) ? dice_.between(eager, 1u << 20) : dice_.between(eager - 1, 12 * eager);
  const std::size_t inject = scenario_.habits.inject_limit;
  return dice_.pick<std::size_t>({0, 1, 7, 8, 16, inject - 32, inject, inject + 1, eager - 1, eager,
                                  eager + 1, dice_.below(eager + 1), dice_.below(200),
                                  dice_.below(200)});
}

// What is cut off must not be all that tells which message it was.
std::size_t Process::some_room() {
  return std::max(some_length(), scenario_.labelled ? 0 : kIdentified);
}

// Whoever receives the message must be able to say which one it is.
void Process::label(Message& message) {
  message.has_data = scenario_.labelled || dice_.percent(30);
  const bool wide = message.tagged && scenario_.wide_tags && dice_.percent(70);
  message.tag = dice_.below(scenario_.tags) | (wide ? message.id << kIdShift : 0);
  if (message.length < kIdentified && !wide) message.has_data = true;
}

void Process::send() {
  const auto to = static_cast<unsigned>(dice_.below(scenario_.members.size()));
  Message& message = around_.ledger.draft(life_, to, dice_.percent(75), some_length());
  label(message);
  Action& action = add(Kind::kSend);
  action.message = &message;
  action.buffer = around_.arena.take(message.length, dice_.between(1, 4), Use::kSend);
  Ledger::fill(message, action.buffer);
  if (message.tagged) action.flags |= core::kOpTagged;
  if (message.has_data) action.flags |= core::kOpData;
  const bool inject = message.length <= core::kInjectLimit && dice_.percent(25);
  if (inject) action.flags |= core::kOpInject;
  if (!inject || dice_.percent(30)) {
    action.flags |= core::kOpCompletion;
    if (dice_.percent(20)) action.flags |= core::kOpTransmitComplete;
    if (dice_.percent(20)) action.flags |= core::kOpDeliveryComplete;
  } else {
    action.flags |= core::kOpUnheard;
  }
  line_up(action, to);
  if (action.flags & core::kOpFence) message.fenced = action.place;
  if (post_send(action, to)) return;
  around_.arena.retire(action.buffer);
  around_.ledger.forget_draft();
  actions_.pop_back();
}

bool Process::post_send(Action& action, unsigned to) {
  Message& message = *action.message;
  const core::SendOp op{.iov = action.buffer.iov(),
                        .to = numbers_[to].value_or(12345),
                        .tag = message.tag,
                        .data = message.id,
                        .flags = action.flags,
                        .context = &action};
  const Status status = send_as_asked(*endpoint_, op);
  if (status == Status::kAgain) return false;
  if (!numbers_[to]) {
    if (status != Status::kInvalid) judge_.fail("a send to a number of nobody is accepted");
    return false;
  }
  if (status != Status::kOk) {
    judge_.fail("a send is refused: %d", static_cast<int>(status));
    return false;
  }
  around_.ledger.accepted(message);
  judge_.trace("life %lu sends message %lu to member %u: %zu bytes, %s %lx, flags %x", life_.number,
               message.id, to, message.length, message.tagged ? "tag" : "no tag", message.tag,
               action.flags);
  given(action);
  if (action.flags & core::kOpInject) around_.arena.retire(action.buffer);
  if (action.flags & core::kOpCompletion)
    open_.push_back(&action);
  else
    around_.ledger.send_ended(message, 0);
  return true;
}

Request Process::some_request(bool tagged) {
  Request request{0, tagged, Request::kAnyone, 0, 0};
  if (scenario_.directed && dice_.percent(60)) {
    const auto from = static_cast<unsigned>(dice_.below(scenario_.members.size()));
    if (numbers_[from]) request.from = from;
  }
  if (!tagged) return request;
  request.tag = dice_.below(scenario_.tags);
  request.ignore = dice_.pick<std::uint64_t>({0, kIdBits, kIdBits, kIdBits | 1, ~0ull});
  return request;
}

void Process::receive(Kind kind) {
  Action& action = add(kind);
  const bool tagged = kind == Kind::kReceive && dice_.percent(70);
  action.request = some_request(tagged);
  const std::size_t size = kind == Kind::kMulti ? dice_.between(1, 8000) : some_room();
  const std::size_t pieces = kind == Kind::kMulti ? 1 : dice_.between(1, 4);
  action.buffer = around_.arena.take(size, pieces, Use::kReceive);
  if (kind == Kind::kMulti) endpoint_->set_min_multi_receive(dice_.pick({1u, 64u, 1000u}));
  if (post(action)) return;
  around_.arena.retire(action.buffer);
  actions_.pop_back();
}

bool Process::post(Action& action) {
  const Request& request = action.request;
  action.flags |= core::kOpCompletion;
  if (request.tagged) action.flags |= core::kOpTagged;
  if (action.kind == Kind::kMulti) action.flags |= core::kOpMultiReceive;
  const core::ReceiveOp op{.iov = action.buffer.iov(),
                           .from = request.from == Request::kAnyone
                                       ? core::kAnyPeer
                                       : numbers_[request.from].value_or(core::kAnyPeer),
                           .tag = request.tag,
                           .ignore = request.ignore,
                           .flags = action.flags,
                           .context = &action};
  // Counted before: the answer may come within the call.
  action.request.post = ++posts_;
  open_.push_back(&action);
  const Status status = receive_as_asked(*endpoint_, op);
  if (status == Status::kOk) {
    judge_.trace("life %lu posts receive %lu: %zu bytes, from %d, %s %lx, ignore %lx, kind %d",
                 life_.number, posts_, action.buffer.size, static_cast<int>(request.from),
                 request.tagged ? "tag" : "no tag", request.tag, request.ignore,
                 static_cast<int>(action.kind));
    return true;
  }
  open_.pop_back();
  if (status != Status::kAgain) judge_.fail("a receive is refused: %d", static_cast<int>(status));
  return false;
}

void Process::peek() {
  // What is thrown away unseen must at least be known.
  const Kind kind = dice_.pick(
      {Kind::kPeek, Kind::kPeekClaim, scenario_.labelled ? Kind::kPeekDiscard : Kind::kPeekClaim});
  Action& action = add(kind);
  action.request = some_request(dice_.percent(75));
  action.flags = core::kOpPeek;
  if (kind == Kind::kPeekClaim) action.flags |= core::kOpClaim;
  if (kind == Kind::kPeekDiscard) action.flags |= core::kOpDiscard;
  if (!post(action)) actions_.pop_back();
}

// Receives, or throws away, a message taken aside.
void Process::resolve_claim() {
  if (claims_.empty()) return;
  Action& action = *claims_.back();
  const std::uint64_t claimed_at = action.request.post;
  const bool discard = scenario_.labelled && dice_.percent(30);
  action.kind = discard ? Kind::kClaimDiscard : Kind::kClaimed;
  action.flags = core::kOpClaim;
  if (discard) action.flags |= core::kOpDiscard;
  if (!discard) action.buffer = around_.arena.take(some_room(), 1, Use::kReceive);
  action.ended = false;
  claims_.pop_back();
  if (!post(action)) {
    if (!discard) around_.arena.retire(action.buffer);
    claims_.push_back(&action);
  }
  action.request.post = claimed_at;  // it was matched then
}

void Process::cancel_something() {
  if (open_.empty()) return;
  Action& action =
      **std::next(open_.begin(), static_cast<std::ptrdiff_t>(dice_.below(open_.size())));
  const Status status = endpoint_->cancel(&action);
  if (status == Status::kOk) action.cancelled = true;
  judge_.trace("life %lu cancels %s: %s", life_.number,
               action.kind == Kind::kSend ? "a send" : "a receive",
               status == Status::kOk ? "done" : "too late");
}

void Process::shuffle_book() {
  const auto member = static_cast<unsigned>(dice_.below(numbers_.size()));
  if (!numbers_[member]) {
    numbers_[member] = book_.insert(address_of(member));
  } else if (dice_.percent(30)) {
    book_.remove(*numbers_[member]);
    numbers_[member].reset();
  }
}

// Posts what takes anything, as long as something is to come.
void Process::drain_kind(bool tagged) {
  const Outstanding outstanding = around_.ledger.outstanding(life_, tagged);
  std::size_t posted = 0;
  for (const Action* action : open_)
    posted += action->kind == Kind::kReceive && action->request.tagged == tagged &&
              action->request.ignore == ~0ull && action->request.from == Request::kAnyone;
  for (; posted < std::min<std::size_t>(outstanding.certain + outstanding.uncertain, 4); ++posted) {
    // What was doubtful for too long may be certain now, since something behind it has come.
    if (took_back_ && outstanding.certain == 0) return;
    Action& action = add(Kind::kReceive);
    action.request = {0, tagged, Request::kAnyone, 0, ~0ull};
    action.buffer = around_.arena.take(std::max(outstanding.longest, kIdentified),
                                       dice_.between(1, 2), Use::kReceive);
    if (post(action)) continue;
    around_.arena.retire(action.buffer);
    actions_.pop_back();
    return;
  }
}

}  // namespace xs::sim
