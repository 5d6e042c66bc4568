// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/shared_receives.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

#include "core/receiver.hpp"

namespace xs::core {

// Receivers have left, and have taken with them what waited.
SharedReceives::~SharedReceives() {
  for (Matcher* const each : {&tagged_, &message_})
    each->for_each_posted([&](PostedReceive& posted) {
      each->remove(posted);
      drop(static_cast<ReceiveRequest&>(posted));
    });
}

void SharedReceives::join(Receiver& receiver, AddressBook* book) {
  receivers_.push_back(&receiver);
  book_ = book;
}

void SharedReceives::leave(Receiver& receiver) noexcept { std::erase(receivers_, &receiver); }

SourceId SharedReceives::identify(const proto::Address& home) {
  return sources_.try_emplace(home, sources_.size()).first->second;
}

// Without memory for a name it is a peer like no other: directed receives don't find it.
SourceId SharedReceives::source(Peer& peer) noexcept try {
  if (peer.shared_source == kAnySource) peer.shared_source = identify(peer.home);
  return peer.shared_source;
} catch (const std::bad_alloc&) {
  return kAnySource - 1;
}

Status SharedReceives::prepare(const ReceiveOp& op, Selector& chosen) noexcept try {
  const bool tagged = (op.flags & kOpTagged) != 0;
  chosen = {kAnySource, tagged ? op.tag : 0, tagged ? op.ignore : ~0ull};
  if (!directed_ || op.from == kAnyPeer) return Status::kOk;
  const proto::Address* const home = book_ ? book_->lookup(op.from) : nullptr;
  if (!home) return Status::kInvalid;
  chosen.source = identify(*home);
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kAgain;
}

ReceiveRequest* SharedReceives::make_request(const ReceiveOp& op, const Selector& chosen) noexcept {
  ReceiveRequest* const receive = requests_.make(op.iov);
  if (!receive) return nullptr;
  receive->flags = op.flags;
  receive->context = op.context;
  receive->selector = chosen;
  return receive;
}

Status SharedReceives::receive(const ReceiveOp& op) noexcept {
  std::size_t total = 0;
  if (!UserMemory::sum(op.iov, total)) return Status::kInvalid;
  if (op.flags & kOpPeek) return peek(op);
  if (op.flags & kOpClaim) return claimed(op);
  if (posted() >= kReceiveLimit) return Status::kAgain;
  if (!std::ranges::all_of(receivers_, [](const Receiver* each) { return each->has_room(); }))
    return Status::kAgain;
  if (!(op.flags & kOpMultiReceive)) return post(op);
  return op.iov.size() == 1 ? post_multi(op) : Status::kInvalid;
}

Status SharedReceives::post(const ReceiveOp& op) noexcept {
  Selector chosen;
  if (const Status why = prepare(op, chosen); why != Status::kOk) return why;
  const bool tagged = (op.flags & kOpTagged) != 0;
  if (Unexpected* const message = waiting(tagged, chosen)) {
    ReceiveRequest* const receive = message->receiver->lend(op);
    if (!receive) return Status::kAgain;
    matcher(tagged).remove(*message);
    message->receiver->take_unexpected(*receive, *message);
    return Status::kOk;
  }
  ReceiveRequest* const receive = make_request(op, chosen);
  if (!receive) return Status::kAgain;
  matcher(tagged).post(*receive);
  return Status::kOk;
}

// All that waits, as long as there is room. False: it is full.
bool SharedReceives::fill(ReceiveRequest& posted) noexcept {
  const auto is_full = [&] {
    return posted.memory.size() - posted.used < std::max<std::size_t>(min_multi_receive_, 1);
  };
  while (Unexpected* const message = waiting(false, posted.selector)) {
    ReceiveRequest* const part = message->receiver->part_of(posted, message->length);
    if (!part) return false;  // no memory: it is given back half empty
    message_.remove(*message);
    message->receiver->take_unexpected(*part, *message);
    if (is_full()) return false;
  }
  return true;
}

// An extra part keeps it alive while it is filled.
Status SharedReceives::post_multi(const ReceiveOp& op) noexcept {
  Selector chosen;
  if (const Status why = prepare(op, chosen); why != Status::kOk) return why;
  ReceiveRequest* const posted = make_request(op, chosen);
  if (!posted) return Status::kAgain;
  ++posted->parts;
  if (fill(*posted)) message_.post(*posted);
  --posted->parts;
  if (posted->queued() || posted->parts > 0) return Status::kOk;
  tell_free(*posted);
  drop(*posted);
  return Status::kOk;
}

void SharedReceives::tell_free(const ReceiveRequest& posted) noexcept {
  if (receivers_.empty()) return;
  receivers_.front()->tell(posted.flags, {.context = posted.context, .flags = FI_MULTI_RECV});
}

// As Receiver::peek().
Status SharedReceives::peek(const ReceiveOp& op) noexcept {
  if (receivers_.empty()) return Status::kClosed;
  Selector chosen;
  if (const Status why = prepare(op, chosen); why != Status::kOk) return why;
  const bool tagged = (op.flags & kOpTagged) != 0;
  Unexpected* const message = waiting(tagged, chosen);
  if (!message) {
    receivers_.front()->tell_missing(op);
    return Status::kOk;
  }
  if (op.flags & kOpClaim) try {
      if (!claimed_.emplace(op.context, message).second) return Status::kInvalid;
    } catch (const std::bad_alloc&) {
      return Status::kNoMemory;
    }
  message->receiver->tell_peeked(op, *message);
  if (op.flags & (kOpClaim | kOpDiscard)) matcher(tagged).remove(*message);
  if ((op.flags & kOpDiscard) && !(op.flags & kOpClaim)) message->receiver->discard(*message);
  return Status::kOk;
}

Status SharedReceives::claimed(const ReceiveOp& op) noexcept {
  const auto found = claimed_.find(op.context);
  if (found == claimed_.end()) return Status::kInvalid;
  Unexpected& message = *found->second;
  Receiver& its = *message.receiver;
  ReceiveRequest* const receive = op.flags & kOpDiscard ? nullptr : its.lend(op);
  if (!receive && !(op.flags & kOpDiscard)) return Status::kAgain;
  claimed_.erase(found);
  its.finish_claim(op, receive, message);
  return Status::kOk;
}

Status SharedReceives::cancel(void* context) noexcept {
  for (const bool tagged : {true, false}) {
    PostedReceive* const posted = matcher(tagged).find_posted(context);
    if (!posted) continue;
    if (receivers_.empty()) return Status::kClosed;
    auto& receive = static_cast<ReceiveRequest&>(*posted);
    matcher(tagged).remove(receive);
    receivers_.front()->tell_cancelled(receive);
    if (receive.parts == 0) drop(receive);
    return Status::kOk;
  }
  return Status::kNoMessage;
}

}  // namespace xs::core
