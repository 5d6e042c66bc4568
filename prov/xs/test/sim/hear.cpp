// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a simulated application hears, and whether that can be true.
#include <rdma/fi_tagged.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sim/process.hpp"

namespace xs::sim {

void Process::read_queues() {
  for (auto many = dice_.between(1, 8); many > 0; --many) {
    const bool some = read_one(send_queue_);
    if (!read_one(receive_queue_) && !some) return;
  }
}

bool Process::read_one(core::CompletionQueue& queue) {
  struct fi_cq_tagged_entry entry {};
  fi_addr_t source = FI_ADDR_UNSPEC;
  const ssize_t count = queue.read(&entry, 1, &source);
  if (count == -FI_EAVAIL) {
    struct fi_cq_err_entry error {};
    if (queue.read_error(&error, 0) != 1)
      judge_.fail("no error entry behind -FI_EAVAIL");
    else
      failed(error);
    return true;
  }
  if (count == 1) completed(entry, source);
  return count == 1;
}

void Process::end(Action& action) {
  if (action.ended) return judge_.fail("an operation of member %u ends twice", member_);
  action.ended = true;
  std::erase(open_, &action);
}

void Process::completed(const struct fi_cq_tagged_entry& entry, fi_addr_t source) {
  if (entry.flags & FI_REMOTE_WRITE) return told(entry);
  Action& action = *static_cast<Action*>(entry.op_context);
  if (action.ended) return judge_.fail("a completion for an operation that has ended");
  if (action.cancelled && action.kind != Kind::kMulti)
    return judge_.fail("a completion for an operation that was cancelled");
  switch (action.kind) {
    case Kind::kSend:
      if (!(entry.flags & FI_SEND)) judge_.fail("a send completes as something else");
      return sent(action, 0);
    case Kind::kPeek:
    case Kind::kPeekClaim:
    case Kind::kPeekDiscard:
    case Kind::kClaimDiscard:
      return peeked(action, entry);
    case Kind::kWrite:
    case Kind::kRead:
    case Kind::kAdd:
      return reached(action, entry.flags, 0);
    default:
      return received(action, entry, 0, source);
  }
}

void Process::failed(const struct fi_cq_err_entry& entry) {
  Action& action = *static_cast<Action*>(entry.op_context);
  if (action.ended) return judge_.fail("an error for an operation that has ended");
  if (action.kind == Kind::kSend) return sent(action, entry.err);
  if (is_remote(action)) return reached(action, entry.flags, entry.err);
  if (entry.err == FI_ETRUNC) {
    if (action.cancelled && action.kind != Kind::kMulti)
      return judge_.fail("a message for a receive that was cancelled");
    const struct fi_cq_tagged_entry taken {
      entry.op_context, entry.flags, entry.len, entry.buf, entry.data, entry.tag
    };
    return received(action, taken, entry.olen, FI_ADDR_UNSPEC);
  }
  receive_failed(action, entry);
}

void Process::sent(Action& action, int error) {
  Message& message = *action.message;
  judge_.trace("life %lu: send of message %lu ends (%d)", life_.number, message.id, error);
  end(action);
  if (!(action.flags & core::kOpInject)) around_.arena.retire(action.buffer);
  if (action.cancelled != (error == ECANCELED))
    return judge_.fail("message %lu: cancelled %d, error %d", message.id, action.cancelled, error);
  if (action.cancelled) return around_.ledger.cancelled(message);
  around_.ledger.send_ended(message, error);
  if (!error) judge_fence(action);
  const bool promised = action.flags & (core::kOpTransmitComplete | core::kOpDeliveryComplete);
  if (error || !promised || around_.ledger.anybody_died()) return;
  Process& other = *(*others_)[message.to];
  if (other.has_endpoint() && other.taken_from(address_of(member_)) < around_.ledger.rank(message))
    judge_.fail("the send of message %lu is complete, but its receiver has not taken it",
                message.id);
}

// Which message it is, by all that tells: its bytes, its data, its tag.
Message* Process::identify(const struct fi_cq_tagged_entry& entry, const Action& action,
                           std::size_t placed) {
  std::uint64_t ids[3] = {};
  if (placed >= 8) {
    std::byte number[8] = {};
    std::size_t have = 0;
    if (action.kind == Kind::kMulti) {
      std::memcpy(number, entry.buf, 8);
    } else {
      for (const struct iovec& piece : action.buffer.iov()) {
        const std::size_t part = std::min<std::size_t>(piece.iov_len, 8 - have);
        std::memcpy(number + have, piece.iov_base, part);
        have += part;
      }
    }
    ids[0] = util::load<std::uint64_t>(number);
  }
  if (entry.flags & FI_REMOTE_CQ_DATA) ids[1] = entry.data;
  if (action.request.tagged) ids[2] = entry.tag >> 16;
  std::uint64_t id = 0;
  for (const std::uint64_t each : ids) {
    if (each && id && each != id) {
      judge_.fail("a message says that it is %lu, and %lu", id, each);
      return nullptr;
    }
    id = each ? each : id;
  }
  Message* message = around_.ledger.find(id);
  if (!message) judge_.fail("a message that nobody sent arrives: number %lu", id);
  return message;
}

void Process::received(Action& action, const struct fi_cq_tagged_entry& entry, std::size_t overflow,
                       fi_addr_t source) {
  const bool last = action.kind != Kind::kMulti || (entry.flags & FI_MULTI_RECV);
  const bool says_only_that_it_is_free = last && action.kind == Kind::kMulti && !entry.buf;
  if (!says_only_that_it_is_free) {
    Message* message = identify(entry, action, entry.len);
    if (!message) return;
    judge_.trace("life %lu: receive %lu gets message %lu (%zu bytes, %zu too many)", life_.number,
                 action.request.post, message->id, entry.len, overflow);
    check_taken(action, *message, entry, overflow);
    if (overflow == 0) check_source(*message, source);
    const std::size_t offset =
        action.kind == Kind::kMulti
            ? static_cast<std::size_t>(static_cast<std::byte*>(entry.buf) - action.buffer.first())
            : 0;
    around_.ledger.delivered(*message, life_, action.request, offset);
    judge_arrival(*message);
    suspect_older(action, *message);
  }
  if (!last) return;
  end(action);
  around_.arena.retire(action.buffer);
}

void Process::check_taken(const Action& action, const Message& message,
                          const struct fi_cq_tagged_entry& entry, std::size_t overflow) {
  const std::size_t room =
      action.kind == Kind::kMulti
          ? static_cast<std::size_t>(action.buffer.first() + action.buffer.size -
                                     static_cast<std::byte*>(entry.buf))
          : action.buffer.size;
  if (entry.len != std::min(message.length, room) || entry.len + overflow != message.length)
    return judge_.fail("message %lu has %zu bytes, but %zu arrived and %zu did not fit in %zu",
                       message.id, message.length, entry.len, overflow, room);
  const struct iovec part { entry.buf, entry.len };
  const bool whole = action.kind == Kind::kMulti
                         ? Ledger::holds(message, &part, 1, entry.len)
                         : Ledger::holds(message, action.buffer.pieces.data(), action.buffer.count,
                                         entry.len);
  if (!whole) return judge_.fail("message %lu arrives with other content", message.id);
  if (entry.tag != message.tag && message.tagged)
    return judge_.fail("message %lu arrives with another tag", message.id);
  if (((entry.flags & FI_REMOTE_CQ_DATA) != 0) != message.has_data)
    return judge_.fail("message %lu: CQ data appears or is lost", message.id);
  const std::uint64_t kind = message.tagged ? FI_TAGGED : FI_MSG;
  if ((entry.flags & (FI_RECV | FI_TAGGED | FI_MSG)) != (FI_RECV | kind))
    judge_.fail("message %lu: completion flags %lx", message.id, entry.flags);
}

// The book may have changed since; then nothing is said.
void Process::check_source(const Message& message, fi_addr_t source) {
  if (source == FI_ADDR_UNSPEC) return;
  if (!scenario_.source) return judge_.fail("a source that nobody asked for");
  for (unsigned i = 0; i < numbers_.size(); ++i)
    if (numbers_[i] == source && i != message.sender->member)
      judge_.fail("message %lu is said to come from member %u", message.id, i);
}

void Process::peeked(Action& action, const struct fi_cq_tagged_entry& entry) {
  end(action);
  if (action.kind == Kind::kPeekClaim) {
    if (scenario_.labelled) action.message = around_.ledger.find(entry.data);
    claims_.push_back(&action);
    return;
  }
  if (action.kind == Kind::kPeek) return;
  Message* message = around_.ledger.find(entry.data);
  // A discarded claim is not asked for its data again.
  if (action.kind == Kind::kClaimDiscard) message = action.message;
  if (!message) return judge_.fail("a discarded message is none that was sent");
  around_.ledger.delivered(*message, life_, action.request, 0);
}

void Process::receive_failed(Action& action, const struct fi_cq_err_entry& entry) {
  judge_.trace("life %lu: receive %lu fails (%d)", life_.number, action.request.post, entry.err);
  const bool looked = action.kind == Kind::kPeek || action.kind == Kind::kPeekClaim ||
                      action.kind == Kind::kPeekDiscard;
  if (looked) {
    if (entry.err != ENOMSG) judge_.fail("a peek ends with error %d", entry.err);
    return end(action);
  }
  if (entry.err == ECANCELED) {
    if (!action.cancelled) return judge_.fail("a receive is cancelled by nobody");
    if (action.suspect)
      return judge_.fail("receive %lu was free for message %lu, which went to a later one",
                         action.request.post, action.suspect);
    if (action.kind == Kind::kMulti && !(entry.flags & FI_MULTI_RECV)) return;  // more to come
  } else if (!around_.ledger.anybody_died()) {
    return judge_.fail("receive %lu of member %u fails (%d) although nobody has died",
                       action.request.post, member_, entry.err);
  }
  if (action.kind == Kind::kMulti && !(entry.flags & FI_MULTI_RECV)) return;
  end(action);
  around_.arena.retire(action.buffer);
}

// A receive posted earlier could have had the message: it must have one already, still under way.
void Process::suspect_older(const Action& action, const Message& message) {
  for (Action* other : open_) {
    const bool receives = other->kind == Kind::kReceive || other->kind == Kind::kMulti;
    if (receives && !other->cancelled && other != &action && other->request.post < action.request.post &&
        other->request.matches(message))
      other->suspect = message.id;
  }
}

}  // namespace xs::sim
