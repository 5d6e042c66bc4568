// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Operations on remote memory that wait for a counter, and those of an alias.
#include <rdma/fi_atomic.h>
#include <rdma/fi_rma.h>
#include <rdma/fi_trigger.h>

#include <array>
#include <cstring>
#include <string_view>

#include "face/face.hpp"

namespace xs::abi::test {
namespace {

constexpr std::uint64_t kKey = 1;

InfoPtr remote_hints(std::uint64_t more = FI_TRIGGER) {
  InfoPtr hints = make_hints();
  hints->caps = FI_MSG | FI_RMA | FI_ATOMIC | more;
  return hints;
}

struct Remote : Loop {
  explicit Remote(std::uint64_t more_caps = FI_TRIGGER)
      : Loop(remote_hints(more_caps).get()), trigger(open_counter()), done(open_counter()) {
    struct fid_mr* fid = nullptr;
    EXPECT_EQ(fi_mr_reg(domain.get(), memory.data(), memory.size(),
                        FI_REMOTE_READ | FI_REMOTE_WRITE, 0, kKey, 0, &fid, nullptr),
              0);
    mr.reset(fid);
    when.event_type = FI_TRIGGER_THRESHOLD;
    when.trigger.threshold = {trigger.get(), 1};
  }
  FidPtr<struct fid_cntr> open_counter() const {
    struct fi_cntr_attr attr {};
    struct fid_cntr* counter = nullptr;
    EXPECT_EQ(fi_cntr_open(domain.get(), &attr, &counter, nullptr), 0);
    return FidPtr<struct fid_cntr>(counter);
  }
  std::uint64_t number() const {
    std::uint64_t value;
    std::memcpy(&value, memory.data(), sizeof value);
    return value;
  }
  struct fi_msg_rma message(const struct iovec& iov, void* context) {
    there = {0, iov.iov_len, kKey};
    struct fi_msg_rma msg {};
    msg.msg_iov = &iov;
    msg.iov_count = 1;
    msg.addr = self;
    msg.rma_iov = &there;
    msg.rma_iov_count = 1;
    msg.context = context;
    return msg;
  }
  struct fi_msg_atomic atomic(const struct fi_ioc& value, void* context, enum fi_op op = FI_SUM) {
    element = {0, 1, kKey};
    struct fi_msg_atomic msg {};
    msg.msg_iov = &value;
    msg.iov_count = 1;
    msg.addr = self;
    msg.rma_iov = &element;
    msg.rma_iov_count = 1;
    msg.datatype = FI_UINT64;
    msg.op = op;
    msg.context = context;
    return msg;
  }
  // One operation waits, and is done when the counter has moved.
  void expect_deferred(ssize_t rc, std::uint64_t flags) {
    EXPECT_EQ(rc, 0);
    struct fi_cq_tagged_entry entry;
    EXPECT_EQ(try_next(entry), 0) << "it waits";
    EXPECT_EQ(fi_cntr_add(trigger.get(), 1), 0);
    entry = next();
    EXPECT_EQ(entry.op_context, &when);
    EXPECT_EQ(entry.flags, flags);
    ++when.trigger.threshold.threshold;
  }

  alignas(8) std::array<char, 16> memory{};
  struct fi_rma_iov there {};
  struct fi_rma_ioc element {};
  struct fi_triggered_context when {};
  FidPtr<struct fid_cntr> trigger, done;
  FidPtr<struct fid_mr> mr;
};

TEST(DeferredRemoteTest, writes_and_reads_with_a_trigger) {
  Remote side;
  std::array<char, 3> bytes{'a', 'b', 'c'};
  const struct iovec iov { bytes.data(), bytes.size() };
  const auto msg = side.message(iov, &side.when);
  struct fid_ep* const ep = side.ep.get();
  side.expect_deferred(fi_writemsg(ep, &msg, FI_TRIGGER | FI_COMPLETION), FI_RMA | FI_WRITE);
  EXPECT_EQ(std::string_view(side.memory.data(), 3), "abc");
  bytes = {};
  side.expect_deferred(fi_readmsg(ep, &msg, FI_TRIGGER | FI_COMPLETION), FI_RMA | FI_READ);
  EXPECT_EQ(std::string_view(bytes.data(), 3), "abc");
}

TEST(DeferredRemoteTest, atomics_with_a_trigger) {
  Remote side;
  std::uint64_t operand = 5, before = 77, compare = 5;
  const struct fi_ioc value { &operand, 1 }, compares{&compare, 1};
  struct fi_ioc result {
    &before, 1
  };
  struct fid_ep* const ep = side.ep.get();
  auto msg = side.atomic(value, &side.when);
  constexpr std::uint64_t kFlags = FI_TRIGGER | FI_COMPLETION;
  side.expect_deferred(fi_atomicmsg(ep, &msg, kFlags), FI_ATOMIC | FI_WRITE);
  EXPECT_EQ(side.number(), 5u);
  side.expect_deferred(fi_fetch_atomicmsg(ep, &msg, &result, nullptr, 1, kFlags),
                       FI_ATOMIC | FI_READ);
  EXPECT_EQ(before, 5u);
  EXPECT_EQ(side.number(), 10u);
  msg.op = FI_CSWAP;
  compare = 10;
  side.expect_deferred(
      fi_compare_atomicmsg(ep, &msg, &compares, nullptr, 1, &result, nullptr, 1, kFlags),
      FI_ATOMIC | FI_READ);
  EXPECT_EQ(side.number(), 5u);
}

// Every call of an alias that puts off.
TEST(DeferredRemoteTest, by_the_flag_of_an_alias) {
  Remote side;
  struct fid_ep* fid = nullptr;
  ASSERT_EQ(fi_ep_alias(side.ep.get(), &fid, FI_TRANSMIT | FI_TRIGGER | FI_COMPLETION), 0);
  const FidPtr<struct fid_ep> alias(fid);
  std::array<char, 3> bytes{'a', 'b', 'c'};
  const struct iovec iov { bytes.data(), bytes.size() };
  constexpr std::uint64_t kWrite = FI_RMA | FI_WRITE, kRead = FI_RMA | FI_READ;
  void* const at = &side.when;
  const fi_addr_t to = side.self;
  side.expect_deferred(fi_write(fid, bytes.data(), 3, nullptr, to, 1, kKey, at), kWrite);
  EXPECT_EQ(std::string_view(side.memory.data() + 1, 3), "abc");
  side.expect_deferred(fi_writev(fid, &iov, nullptr, 1, to, 8, kKey, at), kWrite);
  EXPECT_EQ(std::string_view(side.memory.data() + 8, 3), "abc");
  bytes = {};
  side.expect_deferred(fi_read(fid, bytes.data(), 3, nullptr, to, 1, kKey, at), kRead);
  EXPECT_EQ(std::string_view(bytes.data(), 3), "abc");
  side.expect_deferred(fi_readv(fid, &iov, nullptr, 1, to, 7, kKey, at), kRead);
  EXPECT_EQ(std::string_view(bytes.data() + 1, 2), "ab");
  side.memory = {};
  std::uint64_t operand = 3, before = 0, compare = 6;
  constexpr std::uint64_t kUpdate = FI_ATOMIC | FI_WRITE, kFetch = FI_ATOMIC | FI_READ;
  side.expect_deferred(fi_atomic(fid, &operand, 1, nullptr, to, 0, kKey, FI_UINT64, FI_SUM, at),
                       kUpdate);
  EXPECT_EQ(side.number(), 3u);
  side.expect_deferred(fi_fetch_atomic(fid, &operand, 1, nullptr, &before, nullptr, to, 0, kKey,
                                       FI_UINT64, FI_SUM, at),
                       kFetch);
  EXPECT_EQ(before, 3u);
  side.expect_deferred(fi_compare_atomic(fid, &operand, 1, nullptr, &compare, nullptr, &before,
                                         nullptr, to, 0, kKey, FI_UINT64, FI_CSWAP, at),
                       kFetch);
  EXPECT_EQ(side.number(), 3u);
}

// Without that flag they are done at once; injected ones, and messages with flags of their own, are
// the endpoint's.
TEST(AliasRemoteTest, every_call) {
  Remote side;
  struct fid_ep* fid = nullptr;
  ASSERT_EQ(fi_ep_alias(side.ep.get(), &fid, FI_TRANSMIT | FI_COMPLETION), 0);
  const FidPtr<struct fid_ep> alias(fid);
  std::array<char, 3> bytes{'a', 'b', 'c'};
  const struct iovec iov { bytes.data(), bytes.size() };
  auto rma = side.message(iov, nullptr);
  const auto reached = [&](ssize_t rc, int completions) {
    EXPECT_EQ(rc, 0);
    for (int i = 0; i < completions; ++i) side.next();
    struct fi_cq_tagged_entry entry;
    EXPECT_EQ(side.try_next(entry), 0);
    EXPECT_EQ(std::string_view(side.memory.data(), 3), "abc");
    side.memory = {};
  };
  const fi_addr_t to = side.self;
  reached(fi_writemsg(fid, &rma, FI_COMPLETION), 1);
  reached(fi_inject_write(fid, "abc", 3, to, 0, kKey), 0);
  reached(fi_writedata(fid, "abc", 3, nullptr, 9, to, 0, kKey, nullptr), 2);
  reached(fi_inject_writedata(fid, "abc", 3, 9, to, 0, kKey), 1);
  EXPECT_EQ(fi_readmsg(fid, &rma, FI_COMPLETION), 0);
  EXPECT_EQ(side.next().flags, FI_RMA | FI_READ);
  EXPECT_EQ(bytes[0], '\0');
  std::uint64_t operand = 3, before = 0, compare = 6;
  const struct fi_ioc value { &operand, 1 }, compares{&compare, 1};
  struct fi_ioc result {
    &before, 1
  };
  const auto atomic = side.atomic(value, nullptr);
  EXPECT_EQ(fi_inject_atomic(fid, &operand, 1, to, 0, kKey, FI_UINT64, FI_SUM), 0);
  EXPECT_EQ(side.number(), 3u);
  EXPECT_EQ(fi_atomicmsg(fid, &atomic, 0), 0);
  EXPECT_EQ(fi_atomicv(fid, &value, nullptr, 1, to, 0, kKey, FI_UINT64, FI_SUM, nullptr), 0);
  EXPECT_EQ(side.number(), 9u);
  EXPECT_EQ(fi_fetch_atomicmsg(fid, &atomic, &result, nullptr, 1, 0), 0);
  EXPECT_EQ(before, 9u);
  EXPECT_EQ(fi_fetch_atomicv(fid, &value, nullptr, 1, &result, nullptr, 1, to, 0, kKey, FI_UINT64,
                             FI_SUM, nullptr),
            0);
  EXPECT_EQ(side.number(), 15u);
  auto swap = atomic;
  swap.op = FI_CSWAP;
  compare = 15;
  EXPECT_EQ(fi_compare_atomicmsg(fid, &swap, &compares, nullptr, 1, &result, nullptr, 1, 0), 0);
  EXPECT_EQ(side.number(), 3u);
  compare = 3;
  operand = 4;
  EXPECT_EQ(fi_compare_atomicv(fid, &value, nullptr, 1, &compares, nullptr, 1, &result, nullptr, 1,
                               to, 0, kKey, FI_UINT64, FI_CSWAP, nullptr),
            0);
  EXPECT_EQ(side.number(), 4u);
  std::size_t count = 0;
  EXPECT_EQ(fi_atomicvalid(fid, FI_UINT64, FI_SUM, &count), 0);
  EXPECT_EQ(fi_fetch_atomicvalid(fid, FI_UINT64, FI_SUM, &count), 0);
  EXPECT_EQ(fi_compare_atomicvalid(fid, FI_UINT64, FI_CSWAP, &count), 0);
  EXPECT_EQ(fi_write(fid, nullptr, 3, nullptr, to, 0, kKey, nullptr), -FI_EINVAL);
}

TEST(AliasRemoteTest, without_the_capability_there_are_no_calls) {
  const InfoPtr hints = make_hints();
  hints->caps = FI_MSG;
  Loop loop(hints.get());
  struct fid_ep* fid = nullptr;
  ASSERT_EQ(fi_ep_alias(loop.ep.get(), &fid, FI_TRANSMIT | FI_COMPLETION), 0);
  const FidPtr<struct fid_ep> alias(fid);
  EXPECT_EQ(fi_write(fid, "abc", 3, nullptr, loop.self, 0, kKey, nullptr), -FI_ENOSYS);
  EXPECT_EQ(fi_inject_atomic(fid, "a", 1, loop.self, 0, kKey, FI_UINT8, FI_SUM), -FI_ENOSYS);
}

// One after the other: each begins when the one before has counted.
TEST(DeferredRemoteTest, work_of_every_kind) {
  Remote side;
  struct fid_cntr* const counter = side.trigger.get();
  std::array<char, 8> bytes{5}, back{};
  const struct iovec out { bytes.data(), 8 }, in{back.data(), 8};
  std::uint64_t operand = 3, before = 0, compare = 11;
  const struct fi_ioc value { &operand, 1 }, compares{&compare, 1};
  struct fi_ioc result {
    &before, 1
  };
  struct fi_op_rma write {
    side.ep.get(), side.message(out, nullptr), 0
  };
  struct fi_op_rma read {
    side.ep.get(), side.message(in, nullptr), 0
  };
  struct fi_op_atomic update {
    side.ep.get(), side.atomic(value, nullptr), 0
  };
  struct fi_op_fetch_atomic fetch {};
  fetch.ep = side.ep.get();
  fetch.msg = side.atomic(value, nullptr);
  fetch.fetch.msg_iov = &result;
  fetch.fetch.iov_count = 1;
  struct fi_op_compare_atomic swap {};
  swap.ep = side.ep.get();
  swap.msg = side.atomic(value, &swap, FI_CSWAP);
  swap.fetch = fetch.fetch;
  swap.compare.msg_iov = &compares;
  swap.compare.iov_count = 1;
  swap.flags = FI_COMPLETION;
  std::array<struct fi_deferred_work, 5> works{};
  const std::array kinds{FI_OP_WRITE, FI_OP_READ, FI_OP_ATOMIC, FI_OP_FETCH_ATOMIC,
                         FI_OP_COMPARE_ATOMIC};
  works[0].op.rma = &write;
  works[1].op.rma = &read;
  works[2].op.atomic = &update;
  works[3].op.fetch_atomic = &fetch;
  works[4].op.compare_atomic = &swap;
  for (std::size_t i = 0; i < works.size(); ++i) {
    works[i].op_type = kinds[i];
    works[i].triggering_cntr = works[i].completion_cntr = counter;
    works[i].threshold = i + 1;
    ASSERT_EQ(fi_control(&side.domain->fid, FI_QUEUE_WORK, &works[i]), 0);
  }
  EXPECT_EQ(fi_cntr_read(counter), 0u);
  ASSERT_EQ(fi_cntr_add(counter, 1), 0);
  EXPECT_EQ(fi_cntr_read(counter), 6u);
  EXPECT_EQ(back, bytes);
  EXPECT_EQ(before, 11u);
  EXPECT_EQ(side.number(), 3u) << "5 + 3 + 3, swapped";
  EXPECT_EQ(side.next().op_context, &swap) << "it alone asked for that";
  struct fi_cq_tagged_entry entry;
  EXPECT_EQ(side.try_next(entry), 0);
}

// What fi_rdm_deferred_wq does, at the target.
TEST(DeferredRemoteTest, begins_when_a_peer_has_written) {
  Remote side;
  ASSERT_EQ(fi_mr_bind(side.mr.get(), &side.trigger->fid, FI_REMOTE_WRITE), 0);
  std::array<char, 8> back{};
  const struct iovec in { back.data(), 8 };
  struct fi_op_rma read {
    side.ep.get(), side.message(in, nullptr), 0
  };
  struct fi_deferred_work work {};
  work.op_type = FI_OP_READ;
  work.op.rma = &read;
  work.triggering_cntr = side.trigger.get();
  work.completion_cntr = side.done.get();
  work.threshold = 1;
  ASSERT_EQ(fi_control(&side.domain->fid, FI_QUEUE_WORK, &work), 0);
  EXPECT_EQ(fi_cntr_read(side.done.get()), 0u);
  ASSERT_EQ(fi_write(side.ep.get(), "written", 8, nullptr, side.self, 0, kKey, nullptr), 0);
  EXPECT_EQ(fi_cntr_wait(side.done.get(), 1, 5000), 0);
  EXPECT_EQ(std::string_view(back.data()), "written");
}

TEST(DeferredRemoteTest, work_that_fails_counts_as_an_error) {
  Remote side;
  const struct iovec out { side.memory.data(), 8 };
  struct fi_op_rma write {
    side.ep.get(), side.message(out, nullptr), 0
  };
  side.there.key = kKey + 1;
  struct fi_deferred_work work {};
  work.op_type = FI_OP_WRITE;
  work.op.rma = &write;
  work.triggering_cntr = side.trigger.get();
  work.completion_cntr = side.done.get();
  ASSERT_EQ(fi_control(&side.domain->fid, FI_QUEUE_WORK, &work), 0);
  EXPECT_EQ(fi_cntr_readerr(side.done.get()), 1u);
  EXPECT_EQ(fi_cntr_read(side.done.get()), 0u);
}

TEST(DeferredRemoteTest, what_is_refused) {
  Remote side, plain(0);
  const struct iovec iov { side.memory.data(), 8 };
  auto msg = side.message(iov, &side.when);
  EXPECT_EQ(fi_writemsg(side.ep.get(), &msg, FI_TRIGGER | FI_INJECT), -FI_EINVAL);
  msg.context = nullptr;
  EXPECT_EQ(fi_writemsg(side.ep.get(), &msg, FI_TRIGGER), -FI_EINVAL);
  EXPECT_EQ(fi_writemsg(plain.ep.get(), &msg, FI_TRIGGER), -FI_EBADFLAGS);
  struct fi_op_rma write {
    side.ep.get(), msg, FI_PEEK
  };
  struct fi_deferred_work work {};
  work.op_type = FI_OP_WRITE;
  work.triggering_cntr = side.trigger.get();
  const auto queue = [&] { return fi_control(&side.domain->fid, FI_QUEUE_WORK, &work); };
  EXPECT_EQ(queue(), -FI_EINVAL) << "no operation";
  work.op.rma = &write;
  EXPECT_EQ(queue(), -FI_EBADFLAGS);
  write.flags = FI_INJECT;
  EXPECT_EQ(queue(), -FI_EINVAL);
  for (const auto kind : {FI_OP_FETCH_ATOMIC, FI_OP_COMPARE_ATOMIC, FI_OP_ATOMIC}) {
    work.op_type = kind;
    work.op.rma = nullptr;
    EXPECT_EQ(queue(), -FI_EINVAL);
  }
  const InfoPtr hints = make_hints();
  hints->caps = FI_MSG | FI_TRIGGER;
  Loop without(hints.get());
  struct fi_cntr_attr attr {};
  struct fid_cntr* fid = nullptr;
  ASSERT_EQ(fi_cntr_open(without.domain.get(), &attr, &fid, nullptr), 0);
  const FidPtr<struct fid_cntr> counter(fid);
  work.op_type = FI_OP_WRITE;
  write = {without.ep.get(), msg, 0};
  work.op.rma = &write;
  work.triggering_cntr = fid;
  EXPECT_EQ(fi_control(&without.domain->fid, FI_QUEUE_WORK, &work), -FI_ENOSYS);
}

}  // namespace
}  // namespace xs::abi::test
