// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/ledger.hpp"

#include <algorithm>
#include <cstring>

namespace xs::sim {

namespace {

// Byte i of a message: word 0 is its number, the others follow from it.
std::uint64_t word(std::uint64_t id, std::size_t index) noexcept {
  if (index == 0) return id;
  std::uint64_t z = id * 0x9e3779b97f4a7c15u + index * 0xbf58476d1ce4e5b9u;
  return z ^ (z >> 29);
}

// Calls f(at, expected bytes, count) for every stretch of at most a word.
template <class F>
void each_word(std::uint64_t id, const struct iovec* pieces, std::size_t count, std::size_t size,
               F&& f) {
  std::size_t offset = 0;
  for (std::size_t i = 0; i < count && offset < size; ++i) {
    auto* at = static_cast<std::byte*>(pieces[i].iov_base);
    for (std::size_t left = std::min(pieces[i].iov_len, size - offset); left > 0;) {
      const std::uint64_t bytes = word(id, offset / 8);
      const std::size_t part = std::min(left, 8 - offset % 8);
      if (!f(at, reinterpret_cast<const std::byte*>(&bytes) + offset % 8, part)) return;
      at += part;
      offset += part;
      left -= part;
    }
  }
}

}  // namespace

Life& Ledger::born(unsigned member) {
  const unsigned generation = lives_[member] ? lives_[member]->generation + 1 : 0;
  all_lives_.push_back({all_lives_.size() + 1, member, generation});
  return *(lives_[member] = &all_lives_.back());
}

void Ledger::died(Life& life) noexcept {
  life.ended = life.over = true;
  ++deaths_;
}

Message& Ledger::draft(const Life& sender, unsigned to, bool tagged, std::size_t length) {
  messages_.push_back({messages_.size() + 1, 0, &sender, to, tagged, false, 0, length});
  return messages_.back();
}

void Ledger::accepted(Message& message) {
  message.order = ++next_order_[{message.sender->number, message.to}];
  undelivered_[message.to].push_back(&message);
}

void Ledger::fill(const Message& message, const Buffer& buffer) noexcept {
  each_word(message.id, buffer.pieces.data(), buffer.count, buffer.size,
            [](std::byte* at, const std::byte* bytes, std::size_t part) {
              std::memcpy(at, bytes, part);
              return true;
            });
}

bool Ledger::holds(const Message& message, const struct iovec* pieces, std::size_t count,
                   std::size_t size) noexcept {
  bool same = true;
  each_word(message.id, pieces, count, size,
            [&](const std::byte* at, const std::byte* bytes, std::size_t part) {
              return same = std::memcmp(at, bytes, part) == 0;
            });
  return same;
}

Message* Ledger::find(std::uint64_t id) noexcept {
  return id > 0 && id <= messages_.size() ? &messages_[id - 1] : nullptr;
}

void Ledger::delivered(Message& message, const Life& receiver, const Request& request,
                       std::size_t offset) {
  if (message.receiver)
    return judge_.fail("message %lu arrives twice: at life %lu and at life %lu", message.id,
                       message.receiver->number, receiver.number);
  if (message.fate == Fate::kCancelled)
    return judge_.fail("message %lu arrives although its send was cancelled", message.id);
  if (message.to != receiver.member)
    return judge_.fail("message %lu for member %u arrives at member %u", message.id, message.to,
                       receiver.member);
  if (!request.matches(message))
    return judge_.fail("message %lu (tag %lx) meets a receive that doesn't match it", message.id,
                       message.tag);
  message.receiver = &receiver;
  std::erase(undelivered_[message.to], &message);
  const std::pair channel(message.sender->number, receiver.number);
  const auto [first, fresh] = first_.emplace(channel, message.order);
  if (!fresh) first->second = std::min(first->second, message.order);
  matches_.push_back({&message, &receiver, request, offset});
}

// Whether nothing that has happened excuses its loss.
bool Ledger::certain(const Message& message) const {
  const Life* receiver = lives_[message.to];
  if (message.sender->ended || !receiver || receiver->over) return false;
  if (receiver->generation == 0 || message.sender->number >= receiver->number) return true;
  // The receiver was born again: the sender may have talked to the one before without knowing it.
  const auto first = first_.find({message.sender->number, receiver->number});
  return first != first_.end() && message.order > first->second;
}

void Ledger::send_ended(Message& message, int error) {
  if (message.fate != Fate::kUnderWay)
    return judge_.fail("the send of message %lu ends twice", message.id);
  message.fate = error ? Fate::kFailed : Fate::kSent;
  if (!error) return;
  if (certain(message))
    judge_.fail("the send of message %lu fails (%d) although both sides live", message.id, error);
  else if (message.receiver && !message.receiver->ended && !message.sender->ended)
    judge_.fail("the send of message %lu fails (%d), but life %lu got it and parted in peace",
                message.id, error, message.receiver->number);
  std::erase(undelivered_[message.to], &message);
}

void Ledger::cancelled(Message& message) {
  if (message.receiver) judge_.fail("message %lu was cancelled after its arrival", message.id);
  message.fate = Fate::kCancelled;
  std::erase(undelivered_[message.to], &message);
}

Outstanding Ledger::outstanding(const Life& receiver, bool tagged) const {
  Outstanding sum;
  for (const Message* message : undelivered_[receiver.member]) {
    if (message->tagged != tagged || message->sender->ended) continue;
    ++(certain(*message) ? sum.certain : sum.uncertain);
    sum.longest = std::max(sum.longest, message->length);
  }
  return sum;
}

const Message* Ledger::first_outstanding(const Life& receiver) const {
  for (const Message* message : undelivered_[receiver.member])
    if (certain(*message)) return message;
  return nullptr;
}

std::size_t Ledger::rank(const Message& message) const {
  return static_cast<std::size_t>(
      std::count_if(messages_.begin(), messages_.end(), [&](const Message& each) {
        return each.sender == message.sender && each.to == message.to && each.order != 0 &&
               each.order <= message.order && each.fate != Fate::kCancelled;
      }));
}

void Ledger::check_order() {
  const auto channel = [](const Match& each) {
    return std::tuple(each.receiver->number, each.message->sender->number, each.message->order);
  };
  std::sort(matches_.begin(), matches_.end(),
            [&](const Match& a, const Match& b) { return channel(a) < channel(b); });
  for (auto later = matches_.begin(); later != matches_.end(); ++later)
    for (auto earlier = later; earlier != matches_.begin();) {
      --earlier;
      if (earlier->receiver != later->receiver ||
          earlier->message->sender != later->message->sender)
        break;
      check_pair(*earlier, *later);
    }
}

// The later message took a receive that the earlier one could have had: the earlier one must have
// had an earlier one.
void Ledger::check_pair(const Match& earlier, const Match& later) {
  if (!later.request.matches(*earlier.message)) return;
  if (std::pair(earlier.request.post, earlier.offset) <=
      std::pair(later.request.post, later.offset))
    return;
  judge_.fail("message %lu overtakes message %lu (receives %lu and %lu of life %lu)",
              later.message->id, earlier.message->id, later.request.post, earlier.request.post,
              later.receiver->number);
}

}  // namespace xs::sim
