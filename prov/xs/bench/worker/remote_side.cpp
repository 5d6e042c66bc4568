// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "worker/remote_side.hpp"

#include "common/failure.hpp"
#include "common/stopwatch.hpp"
#include "worker/remote_link.hpp"

namespace xs::bench {
namespace {

using Word = RemoteLink::Word;

constexpr std::uint64_t kReadyTag = 1;
constexpr std::uint64_t kDoneTag = 2;

/// What a slot begins and ends with; at 8 bytes that is the same word.
Word& first_word(const Buffer& buffer, std::size_t index, std::size_t bytes) {
  return *reinterpret_cast<Word*>(buffer.slot(index, bytes));
}
Word& last_word(const Buffer& buffer, std::size_t index, std::size_t bytes) {
  return *reinterpret_cast<Word*>(buffer.slot(index, bytes) + bytes - sizeof(Word));
}

void mark(const Buffer& buffer, const Task& task, Word value) {
  for (std::size_t i = 0; i < task.window; ++i)
    first_word(buffer, i, task.bytes) = last_word(buffer, i, task.bytes) = value;
}

void expect_marks(const Buffer& buffer, const Task& task, Word value) {
  const std::size_t count = is_window(task.metric) ? task.window : 1;
  for (std::size_t i = 0; i < count; ++i)
    if (first_word(buffer, i, task.bytes) != value || last_word(buffer, i, task.bytes) != value)
      throw Failure("an operation was completed, but its bytes aren't there");
}

// Both sides count their runs, so each knows what the other's memory holds before and after one:
// a provider that says too early that something is done is found out.
class RemoteSide final : public Side {
 public:
  RemoteSide(unsigned number, const Suite& suite, const std::string& provider, bool asleep)
      : number_(number), link_(provider, suite, asleep) {}

  std::string address() override { return link_.address(); }
  void connect(const std::string& peer) override { link_.connect(peer); }
  void progress() override { link_.messages().progress(); }

  Timing run(const Task& task) override {
    link_.messages().reset_counts();
    operations_ = 0;
    ++runs_;
    return number_ == 0 ? operate(task) : lend(task);
  }

 private:
  Word theirs() const { return runs_ << 32; }  // in exposed memory, before the run
  Word ours() const { return ~theirs(); }      // what is written there

  Timing operate(const Task& task);
  Timing lend(const Task& task);
  void turn(const Task& task, std::uint64_t number);
  void fill_window(const Task& task);
  void check_own(const Task& task) const;
  void check_exposed(const Task& task) const;
  void wait(std::uint64_t operations = 1) { link_.messages().wait_sent(operations_ += operations); }

  unsigned number_;
  RemoteLink link_;
  std::uint64_t operations_ = 0;  // of this run that are awaited or done
  Word runs_ = 0;
};

Timing RemoteSide::operate(const Task& task) {
  FabricLink& messages = link_.messages();
  messages.post_receive(nullptr, 0, kReadyTag);
  mark(link_.own(), task, ours());
  if (task.metric == Metric::kFetchAdd || task.metric == Metric::kAdds) link_.operand() = 1;
  messages.wait_received(1);
  Stopwatch watch(task);
  const std::uint64_t total = task.warmup + task.turns;
  for (std::uint64_t number = 0; number < total; ++number) {
    watch.before_turn(number);
    turn(task, number);
  }
  const Timing timing = watch.stop();
  // Completed so far means as little as the provider likes.
  if (task.metric == Metric::kWriteDefault) {
    link_.post_write(0, task.bytes, Completion::kDelivered);
    wait();
  }
  check_own(task);
  messages.post_send(nullptr, 0, kDoneTag);
  wait();
  return timing;
}

// What the other side does takes no calls of ours but those that make progress.
Timing RemoteSide::lend(const Task& task) {
  FabricLink& messages = link_.messages();
  mark(link_.exposed(), task, theirs());
  messages.post_receive(nullptr, 0, kDoneTag);
  messages.post_send(nullptr, 0, kReadyTag);
  messages.wait_received(1);
  messages.wait_sent(1);
  check_exposed(task);
  return {};
}

void RemoteSide::turn(const Task& task, std::uint64_t number) {
  switch (task.metric) {
    case Metric::kWrite:
      link_.post_write(0, task.bytes, Completion::kDelivered);
      return wait();
    case Metric::kWriteDefault:
      link_.post_write(0, task.bytes, Completion::kDefault);
      return wait();
    case Metric::kRead:
      link_.post_read(0, task.bytes);
      return wait();
    case Metric::kFetchAdd:
      link_.post_fetch_add(0);
      return wait();
    case Metric::kCompareSwap:
      link_.comparand() = theirs() + number;
      link_.operand() = theirs() + number + 1;
      link_.post_compare_swap(0);
      return wait();
    case Metric::kWrites:
    case Metric::kReads:
    case Metric::kAdds:
      fill_window(task);
      return wait(task.window);
    default:
      throw Failure("that isn't measured with memory");
  }
}

// Who writes much asks once whether all is there, at the end.
void RemoteSide::fill_window(const Task& task) {
  for (std::size_t i = 0; i < task.window; ++i) {
    const auto completion = i + 1 == task.window ? Completion::kDelivered : Completion::kDefault;
    if (task.metric == Metric::kWrites)
      link_.post_write(i, task.bytes, completion);
    else if (task.metric == Metric::kReads)
      link_.post_read(i, task.bytes);
    else
      link_.post_add(i, completion);
  }
}

void RemoteSide::check_own(const Task& task) const {
  const bool is_read = task.metric == Metric::kRead || task.metric == Metric::kReads;
  if (is_read) expect_marks(link_.own(), task, theirs());
  const bool fetches = task.metric == Metric::kFetchAdd || task.metric == Metric::kCompareSwap;
  if (fetches && link_.result() != theirs() + task.warmup + task.turns - 1)
    throw Failure("an atomic operation has fetched something else than what was there");
}

void RemoteSide::check_exposed(const Task& task) const {
  switch (task.metric) {
    case Metric::kWrite:
    case Metric::kWriteDefault:
    case Metric::kWrites:
      return expect_marks(link_.exposed(), task, ours());
    case Metric::kFetchAdd:
    case Metric::kCompareSwap:
    case Metric::kAdds:
      return expect_marks(link_.exposed(), task, theirs() + task.warmup + task.turns);
    default:
      return;
  }
}

}  // namespace

std::unique_ptr<Side> make_remote_side(unsigned number, const Suite& suite,
                                       const std::string& provider, bool asleep) {
  return std::make_unique<RemoteSide>(number, suite, provider, asleep);
}

}  // namespace xs::bench
