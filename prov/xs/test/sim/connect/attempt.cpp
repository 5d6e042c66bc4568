// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/connect/attempt.hpp"

#include <algorithm>
#include <cerrno>

#include "proto/connect_frame.hpp"
#include "sim/dice.hpp"

namespace xs::sim {

namespace {
constexpr const char* kNames[] = {"client", "server"};

std::vector<std::byte> filled(std::size_t size, std::uint64_t seed) {
  Dice dice(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& each : bytes) each = static_cast<std::byte>(dice.next());
  return bytes;
}
}  // namespace

std::vector<std::byte> Attempt::words(Words what) const {
  const std::uint64_t seed = number_ * 3 + static_cast<std::uint64_t>(what);
  const std::size_t size = 8 + Dice(seed).below(proto::kConnectDataLimit - 7);
  std::vector<std::byte> bytes = filled(size, seed);
  util::store(bytes.data(), number_);
  return bytes;
}

std::uint64_t Attempt::number_in(util::Bytes words) noexcept {
  return words.size() < 8 ? 0 : util::load<std::uint64_t>(words.data());
}

bool Attempt::is(util::Bytes data, Words what) const {
  return std::ranges::equal(data, words(what));
}

std::vector<std::byte> Attempt::message(Who who, std::size_t index, std::size_t size) const {
  std::vector<std::byte> bytes = filled(size, (number_ << 20) + 2 * index + who);
  util::store(bytes.data(), number_);
  util::store<std::uint64_t>(bytes.data() + 8, who);
  util::store<std::uint64_t>(bytes.data() + 16, index);
  return bytes;
}

void Attempt::fail(Who who, const char* what) noexcept {
  judge_.fail("attempt %lu: the %s %s", number_, kNames[who], what);
}

// ---- What users are told ----

void Attempt::requested(util::Bytes data) noexcept {
  judge_.trace("attempt %lu is requested", number_);
  if (requested_) judge_.fail("attempt %lu is requested twice", number_);
  if (!is(data, Words::kAsk)) judge_.fail("attempt %lu is requested with other data", number_);
  requested_ = true;
}

void Attempt::connected(Who who, util::Bytes data) noexcept {
  judge_.trace("attempt %lu: the %s is connected", number_, kNames[who]);
  Side& side = sides_[who];
  if (side.connected || side.failed || side.over) fail(who, "is connected after another event");
  if (side.closed || side.killed) fail(who, "is told something after it has closed");
  if (!accepted_) fail(who, "is connected though nobody has accepted");
  if (who == kClient && !is(data, Words::kAccept)) fail(who, "is accepted with other data");
  if (who == kServer && !data.empty()) fail(who, "is connected with data");
  const Side& client = sides_[kClient];
  if (who == kServer && !client.connected && !client.closed && !client.killed)
    fail(who, "is connected before its client");
  side.connected = true;
}

void Attempt::failed(Who who, int error, util::Bytes data, bool calm) noexcept {
  judge_.trace("attempt %lu: the %s fails with %d", number_, kNames[who], error);
  Side& side = sides_[who];
  if (side.connected || side.failed || side.over) fail(who, "fails after another event");
  if (side.closed || side.killed) fail(who, "is told something after it has closed");
  if (error <= 0) fail(who, "fails without an error");
  const bool told_why = who == kClient && rejected_ && error == ECONNREFUSED;
  if (!data.empty() && (!told_why || !is(data, Words::kReject))) fail(who, "fails with other data");
  side.failed = true;
  if (calm && !excused_ && !sides_[other(who)].gone()) fail(who, "fails though nothing is wrong");
}

void Attempt::over(Who who) noexcept {
  judge_.trace("attempt %lu: the %s is disconnected", number_, kNames[who]);
  Side& side = sides_[who];
  if (!side.connected) fail(who, "is disconnected and never was connected");
  if (side.over) fail(who, "is disconnected twice");
  if (side.closed || side.killed) fail(who, "is told something after it has closed");
  if (!side.shut && !sides_[other(who)].gone()) fail(who, "is disconnected by nobody");
  side.over = true;
}

void Attempt::heard(Who who, std::size_t index, util::Bytes bytes) noexcept {
  Side& from = sides_[other(who)];
  if (!sides_[who].connected) return fail(who, "hears a message before it is connected");
  if (index >= from.said.size() || bytes.size() != from.said[index].size ||
      !std::ranges::equal(bytes, message(other(who), index, bytes.size())))
    return fail(who, "hears another message than the next one");
  if (from.said[index].heard) fail(who, "hears a message twice");
  from.said[index].heard = true;
}

// ---- The end ----

void Attempt::judge_messages(Who from) noexcept {
  const Side& side = sides_[from];
  const Side& listener = sides_[other(from)];
  if (side.killed || listener.killed || !listener.drained) return;
  if (side.closed && !side.parted) return;
  // Nobody hears of an error of what he injected.
  const bool fails_silently = listener.shut || side.gave_up;
  for (const Said& said : side.said)
    if (said.ended && said.error == 0 && !said.heard && !(said.injected && fails_silently))
      fail(from, "was told of a message that never came");
}

void Attempt::judge_end() noexcept {
  for (const Who who : {kClient, kServer}) {
    const Side& side = sides_[who];
    if (!side.exists || side.killed) continue;
    if (!side.settled()) fail(who, "was never told what became of it");
    if (side.connected && !side.over && !side.closed) fail(who, "was never told of the end");
    judge_messages(who);
  }
}

Attempt& Attempts::begin(unsigned asked) {
  Attempt& made = all_.emplace_back(all_.size() + 1, asked, judge_);
  if (!listening_.contains(asked)) made.excuse();
  return made;
}

void Attempts::listens(unsigned member, bool does) noexcept {
  if (does)
    listening_.insert(member);
  else
    listening_.erase(member);
  for (Attempt& each : all_)
    if (!does && each.asked() == member && !each.side(kClient).settled()) each.excuse();
}

void Attempts::judge_end() noexcept {
  for (Attempt& each : all_) each.judge_end();
}

Attempts::Count Attempts::count() const noexcept {
  Count count;
  for (const Attempt& each : all_) {
    ++count.attempts;
    for (const Who who : {kClient, kServer}) {
      const Side& side = each.side(who);
      count.connected += side.connected;
      count.failed += side.failed;
      count.over += side.over;
      for (const Said& said : side.said) count.heard += said.heard;
    }
  }
  return count;
}

}  // namespace xs::sim
