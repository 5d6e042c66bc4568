// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "driver/pair.hpp"

#include <poll.h>

#include <algorithm>

#include "common/failure.hpp"

namespace xs::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kStartPatience = 20s;    // mpirun takes seconds on a busy machine
constexpr auto kConnectPatience = 60s;  // idle peers are met one after the other
constexpr auto kEndPatience = 3s;

std::chrono::milliseconds left_until(Clock::time_point until) {
  return std::max(0ms, std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()));
}

}  // namespace

Pair::Pair(Contestant contestant, const Listener& listener, std::string log)
    : contestant_(std::move(contestant)), listener_(&listener), log_(std::move(log)) {}

void Pair::start() {
  try {
    launch_and_connect();
  } catch (const Failure&) {
    stop();
    // The other side may have knocked already: the next pair mustn't find it.
    while (listener_->accept(0ms)) {
    }
    throw;
  }
}

void Pair::launch_and_connect() {
  for (const Command& command : contestant_.commands) processes_.emplace_back(command, log_);
  std::array<std::string, 2> addresses;
  const auto until = Clock::now() + kStartPatience;
  while (!running()) {
    if (auto channel = listener_->accept(50ms)) {
      greet(std::move(*channel), addresses);
      continue;
    }
    for (Process& process : processes_)
      if (process.ended(0ms)) throw Failure("it ended at once; see " + log_);
    if (Clock::now() > until) throw Failure("it didn't start in time; see " + log_);
  }
  for (const unsigned side : {0U, 1U})
    channels_[side]->send({.verb = Verb::kConnect, .side = side, .text = addresses[1 - side]});
  await_connected();
}

void Pair::await_connected() {
  const auto until = Clock::now() + kConnectPatience;
  std::array<bool, 2> waiting = {true, true};
  while (waiting[0] || waiting[1]) {
    const auto message = next_message(until, waiting);
    if (!message) throw Failure("its sides didn't find each other in time; see " + log_);
    if (message->verb != Verb::kConnected) throw Failure(message->text);
  }
}

void Pair::greet(Channel channel, std::array<std::string, 2>& addresses) {
  if (!channel.readable(kStartPatience)) throw Failure("it is stuck while it opens its endpoint");
  const auto hello = channel.receive();
  if (!hello) throw Failure("it ended while it opened its endpoint; see " + log_);
  if (hello->verb == Verb::kDeclined) throw Declined(hello->text);
  if (hello->verb != Verb::kHello) throw Failure(hello->text);
  addresses.at(hello->side) = hello->text;
  channels_.at(hello->side) = std::move(channel);
}

// Side 1 first: it posts what side 0 waits for.
Outcome Pair::measure(const Task& task, std::chrono::milliseconds deadline) {
  Outcome outcome;
  try {
    for (const unsigned side : {1U, 0U})
      channels_[side]->send({.verb = Verb::kRun, .side = side, .task = task});
    outcome = collect(deadline);
    if (outcome.kind == Outcome::Kind::kDone)
      for (const auto& channel : channels_) channel->send({.verb = Verb::kRest});
  } catch (const Failure& failure) {
    outcome = {Outcome::Kind::kFailed, {}, failure.what()};
  }
  if (outcome.kind != Outcome::Kind::kDone) stop();
  return outcome;
}

Outcome Pair::collect(std::chrono::milliseconds deadline) const {
  const auto until = Clock::now() + deadline;
  std::array<bool, 2> waiting = {true, true};
  Outcome outcome = {Outcome::Kind::kDone};
  while (waiting[0] || waiting[1]) {
    const auto message = next_message(until, waiting);
    if (!message) return {Outcome::Kind::kTooSlow};
    if (message->verb != Verb::kResult) return {Outcome::Kind::kFailed, {}, message->text};
    if (message->side == 0) outcome.timing = message->timing;
  }
  return outcome;
}

// Nothing at the deadline. Throws Failure if a worker is gone.
std::optional<Message> Pair::next_message(Clock::time_point until,
                                          std::array<bool, 2>& waiting) const {
  std::array<pollfd, 2> entries = {};
  for (const unsigned side : {0U, 1U})
    entries[side] = {waiting[side] ? channels_[side]->fd() : -1, POLLIN, 0};
  if (poll(entries.data(), entries.size(), static_cast<int>(left_until(until).count())) <= 0)
    return std::nullopt;
  const unsigned side = entries[0].revents != 0 ? 0 : 1;
  waiting[side] = false;
  auto message = channels_[side]->receive();
  if (!message) throw Failure("it died; see " + log_);
  return message;
}

// A closed channel is the workers' sign to leave; the stubborn are killed.
void Pair::stop() {
  for (auto& channel : channels_) channel.reset();
  for (Process& process : processes_) process.ended(kEndPatience);
  processes_.clear();
}

}  // namespace xs::bench
