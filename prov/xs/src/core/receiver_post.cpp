// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What an application asks of the receiver: post, peek, claim, discard, cancel.
#include <cerrno>
#include <new>

#include "core/receiver.hpp"
#include "core/sender.hpp"

namespace xs::core {

inline bool Receiver::selector(const ReceiveOp& op, Selector& out) noexcept {
  out = {kAnySource, op.flags & kOpTagged ? op.tag : 0, op.flags & kOpTagged ? op.ignore : ~0ull};
  if (!limits_.directed || op.from == kAnyPeer) return true;
  Peer* peer = peers_.of(op.from);
  if (!peer) return false;
  out.source = peer->source();
  return true;
}

inline ReceiveRequest* Receiver::make_request(const ReceiveOp& op,
                                              const Selector& chosen) noexcept {
  ReceiveRequest* receive = requests_.make(op.iov);
  if (!receive) return nullptr;
  receive->flags = op.flags;
  receive->context = op.context;
  receive->selector = chosen;
  return receive;
}

// The request for what is to be posted; nullptr: not now, or not at all, as `why` says.
[[gnu::always_inline]] inline ReceiveRequest* Receiver::prepare(const ReceiveOp& op,
                                                                Status& why) noexcept {
  why = Status::kAgain;
  if (!reporter_.receive_room()) return nullptr;
  if (tagged_.posted_count() + message_.posted_count() >= kReceiveLimit) return nullptr;
  Selector chosen;
  if (selector(op, chosen)) return make_request(op, chosen);
  why = Status::kInvalid;
  return nullptr;
}

inline Status Receiver::post(const ReceiveOp& op) noexcept {
  Status why;
  ReceiveRequest* const receive = prepare(op, why);
  if (!receive) return why;
  if (UnexpectedMessage* message = matcher((op.flags & kOpTagged) != 0).post(*receive))
    take_unexpected(*receive, static_cast<Unexpected&>(*message));
  return Status::kOk;
}

// One buffer for many: it takes all that waits before it is posted, as long as it has room. An
// extra part keeps it alive meanwhile.
Status Receiver::post_multi(const ReceiveOp& op) noexcept {
  Status why;
  ReceiveRequest* const receive = prepare(op, why);
  if (!receive) return why;
  ++receive->parts;
  while (UnexpectedMessage* waiting = message_.post(*receive)) {
    auto& message = static_cast<Unexpected&>(*waiting);
    ReceiveRequest* part = part_of(*receive, message.length);
    if (!part) {
      message_.add_unexpected(message);
      break;
    }
    take_unexpected(*part, message);
    if (receive->memory.size() - receive->used < std::max<std::size_t>(min_multi_receive_, 1))
      break;
  }
  --receive->parts;
  if (!receive->queued() && receive->parts == 0) {
    // Everything that filled it is reported already: say that it is free.
    reporter_.tell(receive->flags, {.context = receive->context, .flags = FI_MULTI_RECV});
    requests_.drop(receive);
  }
  return Status::kOk;
}

Status Receiver::receive(const ReceiveOp& op) noexcept {
  std::size_t total = 0;
  if (!UserMemory::sum(op.iov, total) || lender_) return Status::kInvalid;
  if (!(op.flags & (kOpPeek | kOpClaim | kOpMultiReceive))) [[likely]]
    return post(op);
  if (op.flags & kOpPeek) return peek(op);
  if (op.flags & kOpClaim) return claimed(op);
  return op.iov.size() == 1 ? post_multi(op) : Status::kInvalid;
}

// Looks, and perhaps takes aside. A miss is an error completion, never a return code: Open MPI's
// probe waits for one.
Status Receiver::peek(const ReceiveOp& op) noexcept {
  Selector chosen;
  if (!selector(op, chosen)) return Status::kInvalid;
  const bool tagged = (op.flags & kOpTagged) != 0;
  auto* message = static_cast<Unexpected*>(matcher(tagged).peek(chosen));
  if (!message) {
    tell_missing(op);
    return Status::kOk;
  }
  if (op.flags & kOpClaim) try {
      if (!claimed_.emplace(op.context, message).second) return Status::kInvalid;
    } catch (const std::bad_alloc&) {
      return Status::kNoMemory;
    }
  tell_peeked(op, *message);
  if (op.flags & (kOpClaim | kOpDiscard)) matcher(tagged).remove(*message);
  if ((op.flags & kOpDiscard) && !(op.flags & kOpClaim)) discard(*message);
  return Status::kOk;
}

void Receiver::tell_missing(const ReceiveOp& op) noexcept {
  reporter_.tell_failure(op.flags, {.context = op.context, .tag = op.tag}, ENOMSG);
}

void Receiver::tell_peeked(const ReceiveOp& op, const Unexpected& message) noexcept {
  reporter_.tell(op.flags | more_flags_, {.context = op.context,
                                          .flags = message.has_data ? FI_REMOTE_CQ_DATA : 0,
                                          .length = message.length,
                                          .data = message.data,
                                          .tag = message.envelope.tag,
                                          .source = message.peer->number});
}

Status Receiver::claimed(const ReceiveOp& op) noexcept {
  const auto found = claimed_.find(op.context);
  if (found == claimed_.end()) return Status::kInvalid;
  Unexpected& message = *found->second;
  ReceiveRequest* const receive = op.flags & kOpDiscard ? nullptr : lend(op);
  if (!receive && !(op.flags & kOpDiscard)) return Status::kAgain;
  claimed_.erase(found);
  finish_claim(op, receive, message);
  return Status::kOk;
}

// Receives what an earlier peek with the same context has claimed, or, without a request for that,
// throws it away.
void Receiver::finish_claim(const ReceiveOp& op, ReceiveRequest* receive,
                            Unexpected& message) noexcept {
  if (receive) return take_unexpected(*receive, message);
  reporter_.tell(
      op.flags | more_flags_,
      {.context = op.context, .tag = message.envelope.tag, .source = message.peer->number});
  discard(message);
}

// For a message that is known already.
ReceiveRequest* Receiver::lend(const ReceiveOp& op) noexcept {
  ReceiveRequest* const receive = make_request(op, {});
  if (receive) receive->flags |= more_flags_;
  return receive;
}

// The sender of an announcement is told that it is done with.
void Receiver::discard(Unexpected& message) noexcept {
  if (message.own)
    sender_.own_done(*message.own);
  else if (message.announced && !message.dead)
    say_fin(*message.peer, message.send_id, 0);
  drop_unexpected(message);
}

bool Receiver::cancel(void* context) noexcept {
  for (const bool tagged : {true, false}) {
    PostedReceive* posted = matcher(tagged).find_posted(context);
    if (!posted) continue;
    take_back(static_cast<ReceiveRequest&>(*posted));
    return true;
  }
  return false;
}

// Those of a shared context are not ours to cancel.
void Receiver::cancel_all() noexcept {
  if (lender_) return;
  for (const bool tagged : {true, false})
    matcher(tagged).for_each_posted(
        [this](PostedReceive& posted) { take_back(static_cast<ReceiveRequest&>(posted)); });
}

void Receiver::take_back(ReceiveRequest& receive) noexcept {
  matcher((receive.flags & kOpTagged) != 0).remove(receive);
  tell_cancelled(receive);
  if (receive.parts == 0) requests_.drop(&receive);
}

// Parts of a multi-receive that are still being filled refer to its request: the last of them gives
// it back.
void Receiver::tell_cancelled(const ReceiveRequest& receive) noexcept {
  Completion done{.context = receive.context, .tag = receive.selector.tag};
  if ((receive.flags & kOpMultiReceive) && receive.parts == 0) done.flags = FI_MULTI_RECV;
  reporter_.receive_failed(receive.flags, done, ECANCELED);
}

// ---- Shared ----

void Receiver::share(SharedReceives& shared, AddressBook* book, std::uint32_t more) {
  shared.join(*this, book);
  shared_ = lender_ = &shared;
  more_flags_ = more;
}

void Receiver::leave_shared() noexcept {
  if (!shared_) return;
  shared_->for_each_waiting(*this, [&](Matcher& from, Unexpected& message) {
    from.remove(message);
    drop_unexpected(message);
  });
  shared_->for_each_claimed(*this, [&](Unexpected& message) {
    drop_unexpected(message);
    return true;
  });
  shared_->leave(*this);
  shared_ = nullptr;
}

}  // namespace xs::core
