// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "worker/fabric_side.hpp"

#include <chrono>
#include <utility>
#include <vector>

#include "common/buffer.hpp"
#include "common/statistics.hpp"
#include "common/stopwatch.hpp"
#include "worker/fabric_link.hpp"
#include "worker/idle_peers.hpp"

namespace xs::bench {
namespace {

constexpr std::uint64_t kDataTag = 1;
constexpr std::uint64_t kReadyTag = 2;

// Every message finds its receive already posted: what is measured is a
// transport, not its store of unexpected messages.
class FabricSide final : public Side {
 public:
  FabricSide(unsigned number, const std::string& provider, bool asleep, unsigned idle)
      : number_(number), link_(provider, asleep), idle_(provider, idle) {}

  ~FabricSide() override { idle_.close(std::move(link_)); }
  FabricSide(const FabricSide&) = delete;
  FabricSide& operator=(const FabricSide&) = delete;

  std::string address() override { return link_.address(); }
  void connect(const std::string& peer) override {
    link_.connect(peer);
    idle_.meet(link_, peer, number_ == 0);
  }
  void progress() override { link_.progress(); }

  Timing run(const Task& task) override {
    link_.reset_counts();
    if (task.metric == Metric::kFirst) return number_ == 0 ? call(task) : answer(task);
    if (task.metric == Metric::kLatency) return number_ == 0 ? ping(task) : pong(task);
    return number_ == 0 ? produce(task) : consume(task);
  }

 private:
  void post_data_receive(std::uint64_t index, std::size_t bytes) {
    link_.post_receive(incoming_.slot(index, bytes), bytes, kDataTag);
  }

  // Side 1 says by an empty message that its receives are posted.
  void expect_ready() { link_.post_receive(nullptr, 0, kReadyTag); }
  void await_ready() { link_.wait_received(++receives_); }
  void say_ready() {
    link_.post_send(nullptr, 0, kReadyTag);
    ++sends_;
  }

  Timing call(const Task& task);
  Timing answer(const Task& task);
  Timing ping(const Task& task);
  Timing pong(const Task& task);
  Timing produce(const Task& task);
  Timing consume(const Task& task);

  unsigned number_;
  Buffer incoming_;
  Buffer outgoing_;
  FabricLink link_;  // closed with the idle ones, before the buffers go
  IdlePeers idle_;
  std::uint64_t sends_ = 0;  // operations of this run that are awaited or done
  std::uint64_t receives_ = 0;
};

// When turns became ten times as fast as those right after the first one, and stayed so for ten.
double change_in(const std::vector<double>& ends) {
  constexpr std::size_t kBefore = 5, kAfter = 10;
  if (ends.size() <= kBefore + kAfter) return 0;
  const auto length = [&](std::size_t turn) { return ends[turn] - ends[turn - 1]; };
  std::vector<double> before;
  for (std::size_t turn = 1; turn <= kBefore; ++turn) before.push_back(length(turn));
  const double fast = summarize(before).median / 10;
  std::size_t in_a_row = 0;
  for (std::size_t turn = 1; turn < ends.size(); ++turn) {
    in_a_row = length(turn) < fast ? in_a_row + 1 : 0;
    if (in_a_row == kAfter) return ends[turn - kAfter];
  }
  return 0;
}

// No word that it may begin: it would be the first message.
Timing FabricSide::call(const Task& task) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> ends;
  const auto begin = Clock::now();
  for (std::uint64_t turn = 0; turn < task.turns; ++turn) {
    post_data_receive(0, task.bytes);
    link_.post_send(outgoing_.slot(0, task.bytes), task.bytes, kDataTag);
    link_.wait_received(turn + 1);
    link_.wait_sent(turn + 1);
    ends.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return {.first = ends.front(), .change = change_in(ends)};
}

Timing FabricSide::answer(const Task& task) {
  for (std::uint64_t turn = 0; turn < task.turns; ++turn) {
    post_data_receive(0, task.bytes);
    link_.wait_received(turn + 1);
    link_.post_send(outgoing_.slot(0, task.bytes), task.bytes, kDataTag);
    link_.wait_sent(turn + 1);
  }
  return {};
}

// Two receives are open at any time, so that posting the next one is off the
// path that is timed.
Timing FabricSide::ping(const Task& task) {
  sends_ = receives_ = 0;
  expect_ready();
  await_ready();
  const std::uint64_t total = task.warmup + task.turns;
  Stopwatch watch(task);
  post_data_receive(0, task.bytes);
  for (std::uint64_t turn = 0; turn < total; ++turn) {
    watch.before_turn(turn);
    link_.post_send(outgoing_.slot(0, task.bytes), task.bytes, kDataTag);
    if (turn + 1 < total) post_data_receive(turn + 1, task.bytes);
    link_.wait_received(++receives_);
    link_.wait_sent(++sends_);
  }
  return watch.stop();
}

Timing FabricSide::pong(const Task& task) {
  sends_ = receives_ = 0;
  const std::uint64_t total = task.warmup + task.turns;
  for (std::uint64_t turn = 0; turn < 2 && turn < total; ++turn)
    post_data_receive(turn, task.bytes);
  say_ready();
  for (std::uint64_t turn = 0; turn < total; ++turn) {
    link_.wait_received(++receives_);
    link_.wait_sent(sends_);
    link_.post_send(outgoing_.slot(0, task.bytes), task.bytes, kDataTag);
    ++sends_;
    if (turn + 2 < total) post_data_receive(turn + 2, task.bytes);
  }
  link_.wait_sent(sends_);
  return {};
}

Timing FabricSide::produce(const Task& task) {
  sends_ = receives_ = 0;
  const std::size_t window = task.window;
  expect_ready();
  await_ready();
  Stopwatch watch(task);
  for (std::uint64_t turn = 0; turn < task.warmup + task.turns; ++turn) {
    watch.before_turn(turn);
    expect_ready();
    for (std::size_t i = 0; i < window; ++i)
      link_.post_send(outgoing_.slot(i, task.bytes), task.bytes, kDataTag);
    link_.wait_sent(sends_ += window);
    await_ready();
  }
  return watch.stop();
}

Timing FabricSide::consume(const Task& task) {
  sends_ = receives_ = 0;
  const std::size_t window = task.window;
  const auto post_window = [&] {
    for (std::size_t i = 0; i < window; ++i) post_data_receive(i, task.bytes);
  };
  const std::uint64_t total = task.warmup + task.turns;
  post_window();
  say_ready();
  for (std::uint64_t turn = 0; turn < total; ++turn) {
    link_.wait_received(receives_ += window);
    if (turn + 1 < total) post_window();
    link_.wait_sent(sends_);
    say_ready();
  }
  link_.wait_sent(sends_);
  return {};
}

}  // namespace

std::unique_ptr<Side> make_fabric_side(unsigned number, const std::string& provider, bool asleep,
                                       unsigned idle) {
  return std::make_unique<FabricSide>(number, provider, asleep, idle);
}

}  // namespace xs::bench
