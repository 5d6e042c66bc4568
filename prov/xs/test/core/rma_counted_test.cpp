// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Operations on remote memory are counted on both sides, once, by the path that they take.
#include <gtest/gtest.h>
#include <rdma/fi_errno.h>

#include <vector>

#include "core/machine.hpp"

namespace xs::core::test {
namespace {

constexpr unsigned kLongest = 4000;  // passes
constexpr std::size_t kSize = 40'000;
constexpr std::uint64_t kKey = 7;

// Two neighbours. The second shows memory.
class RmaCountedTest : public testing::Test {
 protected:
  RmaCountedTest() : theirs(kSize) {
    shown.memory = UserMemory(std::as_writable_bytes(std::span(theirs)));
    shown.rights = kReadable | kWritable;
    shown.key = kKey;
    EXPECT_EQ(target.shared.add(shown), 0);
  }
  ~RmaCountedTest() override { target.shared.remove(shown); }

  void pass() {
    machine.network.set_time(machine.network.now() + util::kMicrosecond / 2);
    initiator.endpoint->progress();
    target.endpoint->progress();
  }
  void join() {
    initiator.send(target);
    for (unsigned i = 0; i < kLongest && !initiator.writes_to(target); ++i) pass();
    for (unsigned i = 0; i < kLongest && !target.writes_to(initiator); ++i) pass();
  }
  // Of one operation, with that error.
  void expect_end(Process& of, int error = 0) {
    struct fi_cq_tagged_entry entry;
    ssize_t count = 0;
    for (unsigned i = 0; i < kLongest && (count = of.queue.read(&entry, 1, nullptr)) == -FI_EAGAIN;
         ++i)
      pass();
    struct fi_cq_err_entry failed {};
    if (count == -FI_EAVAIL) (void)of.queue.read_error(&failed, 0);
    EXPECT_EQ(failed.err, error);
    EXPECT_EQ(count, error ? -FI_EAVAIL : 1);
  }
  void reach(Process& from, RmaKind kind, std::size_t size, std::uint64_t key = kKey,
             int error = 0) {
    const struct iovec bytes { ours.data(), size };
    ASSERT_EQ(from.endpoint->reach(RmaOp{.kind = kind,
                                         .iov = std::span(&bytes, 1),
                                         .to = from.book.insert(target.endpoint->name()),
                                         .address = 0,
                                         .key = key,
                                         .data = 0,
                                         .flags = kOpCompletion,
                                         .context = nullptr}),
              Status::kOk);
    expect_end(from, error);
  }
  // Of 8 bytes; 16 go out.
  void compare_and_swap(Process& from) {
    const struct iovec bytes { ours.data(), 8 };
    const std::span one(&bytes, 1);
    ASSERT_EQ(from.endpoint->reach(AtomicOp{.kind = RmaKind::kCompare,
                                            .operation = AtomicOperation::kSwapIfEqual,
                                            .datatype = Datatype::kUint64,
                                            .count = 1,
                                            .values = one,
                                            .compares = one,
                                            .results = one,
                                            .to = from.book.insert(target.endpoint->name()),
                                            .address = 0,
                                            .key = kKey,
                                            .flags = kOpCompletion,
                                            .context = nullptr}),
              Status::kOk);
    expect_end(from);
  }
  // One of each kind.
  void reach_thrice(Process& from) {
    reach(from, RmaKind::kWrite, kSize);
    reach(from, RmaKind::kRead, 100);
    compare_and_swap(from);
  }
  static PeerRma& of(Process& process, Process& peer) {
    return process.endpoint->peers().at(peer.endpoint->name())->rma;
  }
  static void expect(const RmaCount& count, std::uint64_t operations, std::uint64_t bytes) {
    EXPECT_EQ(count.operations, operations);
    EXPECT_EQ(count.bytes, bytes);
  }
  static void expect_three(const RmaCounters& counters) {
    expect(counters.writes, 1, kSize);
    expect(counters.reads, 1, 100);
    expect(counters.atomics, 1, 8);
  }

  Machine machine;
  Process initiator{machine, 10}, target{machine, 11};
  std::vector<std::byte> ours = std::vector<std::byte>(kSize);
  std::vector<std::byte> theirs;
  Registration shown;
};

TEST_F(RmaCountedTest, by_a_ring) {
  join();
  reach_thrice(initiator);
  expect_three(of(initiator, target).ring.initiated);
  expect_three(of(target, initiator).ring.served);
  EXPECT_FALSE(of(initiator, target).ring.served.any());
  EXPECT_FALSE(of(initiator, target).fabric.initiated.any());
  EXPECT_FALSE(of(target, initiator).ring.initiated.any());
  EXPECT_FALSE(of(target, initiator).fabric.served.any());
}

// The first one comes before there is a ring.
TEST_F(RmaCountedTest, by_the_fabric) {
  reach(initiator, RmaKind::kWrite, 10);
  expect(of(initiator, target).fabric.initiated.writes, 1, 10);
  expect(of(target, initiator).fabric.served.writes, 1, 10);
  EXPECT_FALSE(of(initiator, target).ring.initiated.any());
  EXPECT_FALSE(of(target, initiator).ring.served.any());
}

TEST_F(RmaCountedTest, on_our_own_memory) {
  reach_thrice(target);
  expect_three(of(target, target).fabric.initiated);
  expect_three(of(target, target).fabric.served);
}

TEST_F(RmaCountedTest, what_is_refused_was_initiated_and_not_served) {
  reach(initiator, RmaKind::kWrite, 10, kKey + 1, FI_ENOKEY);
  reach(target, RmaKind::kWrite, 10, kKey + 1, FI_ENOKEY);
  expect(of(initiator, target).fabric.initiated.writes, 1, 10);
  EXPECT_FALSE(of(target, initiator).fabric.served.any());
  expect(of(target, target).fabric.initiated.writes, 1, 10);
  EXPECT_FALSE(of(target, target).fabric.served.any());
}

}  // namespace
}  // namespace xs::core::test
