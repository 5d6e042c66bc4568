// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "procs/traffic.hpp"

#include <rdma/fi_errno.h>

#include <algorithm>

#include "procs/failure.hpp"

namespace xs::test {

namespace {

constexpr std::size_t kLargest = 600'000;

// A number for each message that looks random and is the same on both sides.
std::uint64_t dice(std::uint64_t message) {
  std::uint64_t x = (message + 1) * 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  return x ^ (x >> 29);
}

// The message number that content is made of: no two of a run are alike.
std::uint64_t content_of(std::uint64_t message, unsigned side) { return message * 2 + side; }

}  // namespace

std::size_t message_size(Mix mix, std::uint64_t message) {
  const std::uint64_t roll = dice(message);
  const std::size_t eager = roll % 3 == 0 ? roll % 60'000 : roll % 300;
  const std::size_t large = 66'000 + roll % (kLargest - 66'000);
  switch (mix) {
    case Mix::kEager:
      return eager;
    case Mix::kRendezvous:
      return large;
    default:
      return (roll >> 20) % 4 == 0 ? large : eager;
  }
}

Traffic::Traffic(Node& node, fi_addr_t peer, Mix mix, unsigned id)
    : node_(node), peer_(peer), mix_(mix), id_(id), sends_(kWindow), receives_(kWindow) {
  for (Transfer& slot : receives_) post_receive(slot);
}

void Traffic::move() {
  fill_sends();
  node_.poll();
  take_receives();
}

void Traffic::fill_sends() {
  if (!sending_) return;
  for (Transfer& slot : sends_) {
    if (!slot.done) continue;
    if (slot.error != 0) throw Failure(std::string("a send ended with ") + fi_strerror(slot.error));
    post_send(slot);
  }
}

void Traffic::post_send(Transfer& slot) {
  constexpr std::uint64_t kHow[] = {kNoFlags, kNoFlags, FI_TRANSMIT_COMPLETE, FI_DELIVERY_COMPLETE};
  slot.bytes = pattern(message_size(mix_, sent_), content_of(sent_, id_));
  const std::uint64_t how = dice(sent_ + 7) % 5;
  if (how < 4)
    node_.send(slot, peer_, tag_of(id_), kHow[how]);
  else if (slot.bytes.size() <= node_.inject_limit())
    node_.inject(slot.bytes, peer_, tag_of(id_));
  else
    node_.send(slot, peer_, tag_of(id_));
  ++sent_;
}

void Traffic::post_receive(Transfer& slot) {
  slot.bytes.resize(kLargest);
  node_.receive(slot, tag_of(1 - id_));
  ++posted_;
}

void Traffic::take_receives() {
  for (;;) {
    Transfer& oldest = receives_[taken_ % kWindow];
    if (!oldest.done) return;
    check(oldest);
    ++taken_;
    post_receive(oldest);
  }
}

void Traffic::check(const Transfer& slot) {
  const std::string which = "message " + std::to_string(taken_);
  if (slot.error != 0) throw Failure(which + " ended with " + fi_strerror(slot.error));
  const Bytes awaited = pattern(message_size(mix_, taken_), content_of(taken_, 1 - id_));
  if (slot.length != awaited.size())
    throw Failure(which + " has " + std::to_string(slot.length) + " bytes instead of " +
                  std::to_string(awaited.size()));
  if (!std::equal(awaited.begin(), awaited.end(), slot.bytes.begin()))
    throw Failure(which + " has another content");
}

bool Traffic::finished(std::uint64_t theirs) const {
  if (taken_ > theirs) throw Failure("more messages came than were sent");
  return taken_ == theirs &&
         std::all_of(sends_.begin(), sends_.end(), [](const Transfer& t) { return t.good(); });
}

void Traffic::check_end() {
  for (Transfer& slot : receives_) node_.cancel(slot);
  for (Transfer& slot : receives_) {
    node_.until([&] { return slot.done; }, "a cancelled receive");
    if (slot.error != FI_ECANCELED) throw Failure("one message too many");
  }
  if (node_.peek(tag_of(1 - id_))) throw Failure("one unexpected message too many");
}

void talk(Worker& me, Node& node, fi_addr_t peer, Mix mix, unsigned id) {
  Traffic traffic(node, peer, mix, id);
  me.say("ready");
  if (node.hear() != "talk") throw Failure("the driver says something else");
  me.at("traffic");
  while (!me.heard()) traffic.move();
  me.say("sent " + std::to_string(traffic.stop_sending()));
  std::optional<std::string> theirs;
  me.at("how many messages the other side sent");
  while (!(theirs = me.heard())) traffic.move();  // never asleep for long: the driver wakes nobody
  node.until([&] { return traffic.move(), traffic.finished(std::stoull(*theirs)); },
             "the last messages", seconds(30));
  node.pass(2 * kQuiet);
  traffic.check_end();
  me.say("complete");
  node.hear();
}

void Conversation::begin(Mix mix, const Environment& environment) {
  const auto part = [this, mix](Worker& me, unsigned id) {
    const int i = static_cast<int>(id);
    Node node(me, host(i).address());
    talk(me, node, node.insert(host(1 - i).address()), mix, id);
  };
  start_apart(part, environment);
  let_talk();
}

void Conversation::start_apart(const Part& part, const Environment& environment) {
  for (int i : {0, 1})
    sides_[i] = &start(
        i == 0 ? "left" : "right", host(i),
        [part, i](Worker& me) { part(me, static_cast<unsigned>(i)); }, environment);
  for (Process* each : sides_) each->expect("ready");
}

void Conversation::begin_together(Mix mix, const Environment& left, const Environment& right) {
  const auto part = [this, mix](Worker& me, unsigned id) {
    const std::string& address = host(0).address();
    Node node(me, address, static_cast<std::uint16_t>(Node::kPort + id));
    talk(me, node, node.insert(address, static_cast<std::uint16_t>(Node::kPort + 1 - id)), mix, id);
  };
  start_together(part, left, right);
  for (Process* each : sides_) each->expect("ready");
  let_talk();
}

void Conversation::start_together(const Part& part, const Environment& left,
                                  const Environment& right) {
  sides_[0] = &start(
      "left", host(0), [part](Worker& me) { part(me, 0); }, left);
  sides_[1] = &start(
      "right", host(0), [part](Worker& me) { part(me, 1); }, right);
}

void Conversation::let_talk() {
  for (Process* each : sides_) each->tell("talk");
}

void Conversation::expect_flow() {
  for (Process* each : sides_) each->expect_sent(each->sent() + 40, seconds(20));
}

void Conversation::stop_talking() {
  std::string sent[2];
  for (Process* each : sides_) each->tell("enough");
  for (int i : {0, 1}) sent[i] = side(i).expect("sent", seconds(30));
  for (int i : {0, 1}) side(i).tell(sent[1 - i]);
  for (Process* each : sides_) each->expect("complete", seconds(60));
  for (Process* each : sides_) each->tell("close");
}

void Conversation::finish() {
  stop_talking();
  for (Process* each : sides_) each->expect_end();
}

}  // namespace xs::test
