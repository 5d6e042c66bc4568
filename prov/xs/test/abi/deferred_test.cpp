// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Operations that wait for a counter: FI_TRIGGER and deferred work.
#include <rdma/fi_trigger.h>

#include <array>
#include <cstring>
#include <thread>

#include "face/face.hpp"
#include "face/time.hpp"

namespace xs::abi::test {
namespace {

FidPtr<struct fid_cntr> open_counter(const Face& face) {
  struct fi_cntr_attr attr {};
  attr.wait_obj = FI_WAIT_UNSPEC;
  struct fid_cntr* counter = nullptr;
  EXPECT_EQ(fi_cntr_open(face.domain.get(), &attr, &counter, nullptr), 0);
  return FidPtr<struct fid_cntr>(counter);
}

InfoPtr trigger_hints() {
  InfoPtr hints = make_hints();
  hints->caps = FI_MSG | FI_TAGGED | FI_TRIGGER;
  return hints;
}

// An endpoint that talks to itself, and tells a queue and two counters.
struct Triggerable : Face {
  explicit Triggerable(const struct fi_info* hints = trigger_hints().get())
      : Face(hints),
        trigger(open_counter(*this)),
        done(open_counter(*this)),
        sends(open_counter(*this)),
        receives(open_counter(*this)),
        cq(open_cq()),
        av(open_av()),
        ep(open_ep()) {
    EXPECT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT | FI_RECV), 0);
    EXPECT_EQ(fi_ep_bind(ep.get(), &sends->fid, FI_SEND), 0);
    EXPECT_EQ(fi_ep_bind(ep.get(), &receives->fid, FI_RECV), 0);
    EXPECT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
    EXPECT_EQ(fi_enable(ep.get()), 0);
    self = number_of(*ep, *av);
  }

  struct fi_triggered_context at(std::uint64_t threshold) const {
    struct fi_triggered_context context {};
    context.event_type = FI_TRIGGER_THRESHOLD;
    context.trigger.threshold = {trigger.get(), threshold};
    return context;
  }
  // A tagged message of one byte.
  ssize_t send(struct fi_triggered_context* context, char* byte, std::uint64_t tag = 1,
               std::uint64_t flags = FI_TRIGGER | FI_COMPLETION) const {
    const struct iovec iov { byte, 1 };
    struct fi_msg_tagged msg {};
    msg.msg_iov = &iov;
    msg.iov_count = 1;
    msg.addr = self;
    msg.tag = tag;
    msg.context = context;
    return fi_tsendmsg(ep.get(), &msg, flags);
  }
  void receive(char* byte, std::uint64_t tag = 1) const {
    ASSERT_EQ(fi_trecv(ep.get(), byte, 1, nullptr, FI_ADDR_UNSPEC, tag, 0, byte), 0);
  }
  void advance(std::uint64_t by = 1) const { EXPECT_EQ(fi_cntr_add(trigger.get(), by), 0); }
  // The next completion; null: there is none.
  void* next() const {
    struct fi_cq_tagged_entry entry {};
    return fi_cq_read(cq.get(), &entry, 1) == 1 ? entry.op_context : nullptr;
  }

  FidPtr<struct fid_cntr> trigger;
  FidPtr<struct fid_cntr> done;
  FidPtr<struct fid_cntr> sends;
  FidPtr<struct fid_cntr> receives;
  FidPtr<struct fid_cq> cq;
  FidPtr<struct fid_av> av;
  FidPtr<struct fid_ep> ep;
  fi_addr_t self = FI_ADDR_NOTAVAIL;
};

// ---- FI_TRIGGER ----

TEST(TriggerTest, is_granted_to_who_asks) {
  InfoPtr info;
  ASSERT_EQ(ask(trigger_hints().get(), &info), 0);
  EXPECT_TRUE(info->caps & FI_TRIGGER);
  InfoPtr hints = make_hints();
  hints->caps = FI_TAGGED;
  Triggerable side(hints.get());
  struct fi_triggered_context when = side.at(0);
  char byte = 0;
  EXPECT_EQ(side.send(&when, &byte), -FI_EBADFLAGS) << "the endpoint can't";
}

TEST(TriggerTest, a_send_waits_for_its_counter) {
  Triggerable side;
  char in = 0, out = 'x';
  side.receive(&in);
  struct fi_triggered_context when = side.at(2);
  ASSERT_EQ(side.send(&when, &out), 0);
  side.advance();
  EXPECT_EQ(side.next(), nullptr);
  EXPECT_EQ(fi_cntr_adderr(side.trigger.get(), 1), 0);
  EXPECT_EQ(side.next(), nullptr) << "an error is no success";
  side.advance();
  std::array<void*, 2> contexts{side.next(), side.next()};
  EXPECT_TRUE(contexts[0] == &when || contexts[1] == &when);
  EXPECT_EQ(in, 'x');
  EXPECT_EQ(fi_cntr_read(side.sends.get()), 1u);
}

TEST(TriggerTest, what_is_reached_starts_at_once) {
  Triggerable side;
  char in = 0, out = 'x';
  side.receive(&in);
  struct fi_triggered_context when = side.at(0);
  ASSERT_EQ(side.send(&when, &out), 0);
  EXPECT_EQ(in, 'x');
}

TEST(TriggerTest, thresholds_tell_the_order_and_then_who_came_first) {
  Triggerable side;
  std::array<char, 4> in{}, out{'3', '1', '2', '4'};
  std::array<struct fi_triggered_context, 4> when{side.at(3), side.at(1), side.at(1), side.at(9)};
  for (char& byte : in) side.receive(&byte);
  for (std::size_t i = 0; i < when.size(); ++i) ASSERT_EQ(side.send(&when[i], &out[i]), 0);
  side.advance(20);
  EXPECT_EQ(std::string_view(in.data(), in.size()), "1234");
}

TEST(TriggerTest, a_receive_waits_too) {
  Triggerable side;
  char in = 0, out = 'x';
  const struct iovec iov { &in, 1 };
  struct fi_triggered_context when = side.at(1);
  struct fi_msg msg {};
  msg.msg_iov = &iov;
  msg.iov_count = 1;
  msg.addr = FI_ADDR_UNSPEC;
  msg.context = &when;
  ASSERT_EQ(fi_recvmsg(side.ep.get(), &msg, FI_TRIGGER | FI_COMPLETION), 0);
  ASSERT_EQ(fi_inject(side.ep.get(), &out, 1, side.self), 0);
  EXPECT_EQ(fi_cntr_read(side.receives.get()), 0u);
  side.advance();
  EXPECT_EQ(side.next(), &when);
  EXPECT_EQ(in, 'x');
}

TEST(TriggerTest, an_alias_puts_all_of_its_operations_off) {
  Triggerable side;
  struct fid_ep* found = nullptr;
  ASSERT_EQ(fi_ep_alias(side.ep.get(), &found, FI_TRANSMIT | FI_TRIGGER), 0);
  const FidPtr<struct fid_ep> alias(found);
  char in = 0, out = 'x';
  side.receive(&in);
  struct fi_triggered_context when = side.at(1);
  ASSERT_EQ(fi_tsend(alias.get(), &out, 1, nullptr, side.self, 1, &when), 0);
  EXPECT_EQ(fi_cntr_read(side.sends.get()), 0u);
  side.advance();
  EXPECT_EQ(fi_cntr_read(side.sends.get()), 1u);
  EXPECT_EQ(in, 'x');
}

TEST(TriggerTest, what_is_refused) {
  Triggerable side, other;
  char byte = 0;
  EXPECT_EQ(side.send(nullptr, &byte), -FI_EINVAL);
  struct fi_triggered_context when = side.at(1);
  when.event_type = FI_TRIGGER_XPU;
  EXPECT_EQ(side.send(&when, &byte), -FI_ENOSYS);
  when = other.at(1);
  EXPECT_EQ(side.send(&when, &byte), -FI_EINVAL) << "a counter of another domain";
  when = side.at(1);
  EXPECT_EQ(side.send(&when, &byte, 1, FI_TRIGGER | FI_INJECT), -FI_EINVAL);
  EXPECT_EQ(side.send(&when, nullptr), -FI_EINVAL);
  struct fi_msg_tagged msg {};
  msg.context = &when;
  EXPECT_EQ(fi_trecvmsg(side.ep.get(), &msg, FI_TRIGGER | FI_PEEK), -FI_EINVAL);
  const auto idle = side.open_ep();
  EXPECT_EQ(fi_trecvmsg(idle.get(), &msg, FI_TRIGGER), -FI_EOPBADSTATE);
}

TEST(TriggerTest, ends_with_its_endpoint_and_keeps_its_counter_until_then) {
  Triggerable side;
  char byte = 0;
  struct fi_triggered_context when = side.at(1);
  ASSERT_EQ(side.send(&when, &byte), 0);
  EXPECT_EQ(fi_close(&side.trigger->fid), -FI_EBUSY);
  side.ep.reset();
  side.advance();
  EXPECT_EQ(side.next(), nullptr);
  side.trigger.reset();
}

// ---- Deferred work ----

// A tagged message of one byte as deferred work.
struct TaggedWork {
  TaggedWork(const Triggerable& side, enum fi_op_type type, std::uint64_t threshold, char* byte,
             std::uint64_t flags = 0)
      : iov{byte, 1} {
    op.ep = side.ep.get();
    op.msg.msg_iov = &iov;
    op.msg.iov_count = 1;
    op.msg.addr = type == FI_OP_TSEND ? side.self : FI_ADDR_UNSPEC;
    op.msg.tag = 1;
    op.msg.context = this;
    op.flags = flags;
    work.threshold = threshold;
    work.triggering_cntr = side.trigger.get();
    work.completion_cntr = side.done.get();
    work.op_type = type;
    work.op.tagged = &op;
  }
  int queue(const Triggerable& side) { return fi_control(&side.domain->fid, FI_QUEUE_WORK, &work); }

  struct iovec iov;
  struct fi_op_tagged op {};
  struct fi_deferred_work work {};
};

TEST(DeferredWorkTest, counts_where_it_says_and_tells_nobody) {
  Triggerable side;
  char in = 0, out = 'x';
  TaggedWork receive(side, FI_OP_TRECV, 1, &in), send(side, FI_OP_TSEND, 2, &out);
  ASSERT_EQ(send.queue(side), 0);
  ASSERT_EQ(receive.queue(side), 0);
  side.advance(2);
  EXPECT_EQ(fi_cntr_wait(side.done.get(), 2, kSoon), 0);
  EXPECT_EQ(in, 'x');
  EXPECT_EQ(fi_cntr_read(side.sends.get()) + fi_cntr_read(side.receives.get()), 0u);
  EXPECT_EQ(side.next(), nullptr);
}

TEST(DeferredWorkTest, tells_the_queue_if_asked_to) {
  Triggerable side;
  struct fid_ep* found = nullptr;
  ASSERT_EQ(fi_ep_alias(side.ep.get(), &found, FI_TRANSMIT), 0);
  const FidPtr<struct fid_ep> alias(found);
  char in = 0, out = 'x';
  TaggedWork receive(side, FI_OP_TRECV, 0, &in, FI_COMPLETION);
  TaggedWork send(side, FI_OP_TSEND, 0, &out, FI_COMPLETION);
  send.op.ep = alias.get();
  ASSERT_EQ(receive.queue(side), 0);
  ASSERT_EQ(send.queue(side), 0);
  const std::array<void*, 2> told{side.next(), side.next()};
  EXPECT_TRUE((told[0] == &send && told[1] == &receive) ||
              (told[1] == &send && told[0] == &receive));
}

TEST(DeferredWorkTest, untagged_messages_too) {
  Triggerable side;
  char in = 0, out = 'x';
  struct iovec iovs[] = {{&in, 1}, {&out, 1}};
  std::array<struct fi_op_msg, 2> ops{};
  std::array<struct fi_deferred_work, 2> works{};
  for (std::size_t i = 0; i < ops.size(); ++i) {
    ops[i].ep = side.ep.get();
    ops[i].msg.msg_iov = &iovs[i];
    ops[i].msg.iov_count = 1;
    ops[i].msg.addr = i == 0 ? FI_ADDR_UNSPEC : side.self;
    works[i].triggering_cntr = side.trigger.get();
    works[i].completion_cntr = side.done.get();
    works[i].op_type = i == 0 ? FI_OP_RECV : FI_OP_SEND;
    works[i].op.msg = &ops[i];
    ASSERT_EQ(fi_control(&side.domain->fid, FI_QUEUE_WORK, &works[i]), 0);
  }
  EXPECT_EQ(fi_cntr_wait(side.done.get(), 2, kSoon), 0);
  EXPECT_EQ(in, 'x');
}

TEST(DeferredWorkTest, one_makes_the_next_ready) {
  Triggerable side;
  char in = 0, out = 'x';
  // The end of the send triggers a change of a counter.
  struct fi_op_cntr set {
    side.receives.get(), 40
  }, add{side.receives.get(), 2};
  struct fi_deferred_work changes[2]{};
  for (auto& work : changes) work.triggering_cntr = side.done.get();
  changes[0].threshold = 2;
  changes[0].op_type = FI_OP_CNTR_SET;
  changes[0].op.cntr = &set;
  changes[1].threshold = 2;
  changes[1].op_type = FI_OP_CNTR_ADD;
  changes[1].op.cntr = &add;
  for (auto& work : changes) ASSERT_EQ(fi_control(&side.domain->fid, FI_QUEUE_WORK, &work), 0);
  TaggedWork receive(side, FI_OP_TRECV, 1, &in), send(side, FI_OP_TSEND, 1, &out);
  ASSERT_EQ(receive.queue(side), 0);
  ASSERT_EQ(send.queue(side), 0);
  side.advance();
  EXPECT_EQ(fi_cntr_wait(side.receives.get(), 42, kSoon), 0);
}

TEST(DeferredWorkTest, errors_are_ends_and_are_counted) {
  Triggerable side;
  char out = 'x';
  TaggedWork receive(side, FI_OP_TRECV, 1, nullptr), send(side, FI_OP_TSEND, 1, &out);
  receive.iov.iov_len = 0;  // too short for the message
  ASSERT_EQ(receive.queue(side), 0);
  ASSERT_EQ(send.queue(side), 0);
  EXPECT_EQ(fi_cntr_adderr(side.trigger.get(), 1), 0);
  EXPECT_EQ(fi_cntr_wait(side.done.get(), 1, kSoon), 0);
  EXPECT_EQ(fi_cntr_readerr(side.done.get()), 1u);
  EXPECT_EQ(side.next(), nullptr);
}

TEST(DeferredWorkTest, is_cancelled_or_flushed_while_it_waits) {
  Triggerable side;
  char byte = 0;
  TaggedWork first(side, FI_OP_TSEND, 1, &byte), second(side, FI_OP_TSEND, 1, &byte);
  struct fid* domain = &side.domain->fid;
  EXPECT_EQ(fi_control(domain, FI_CANCEL_WORK, &first.work), -FI_ENOENT);
  ASSERT_EQ(first.queue(side), 0);
  ASSERT_EQ(second.queue(side), 0);
  EXPECT_EQ(fi_close(&side.trigger->fid), -FI_EBUSY);
  EXPECT_EQ(fi_close(&side.done->fid), -FI_EBUSY);
  EXPECT_EQ(fi_control(domain, FI_CANCEL_WORK, &first.work), 0);
  EXPECT_EQ(fi_control(domain, FI_CANCEL_WORK, &first.work), -FI_ENOENT);
  EXPECT_EQ(fi_control(domain, FI_FLUSH_WORK, nullptr), 0);
  side.advance();
  EXPECT_EQ(fi_cntr_read(side.done.get()), 0u);
  side.done.reset();
  side.trigger.reset();
}

TEST(DeferredWorkTest, what_is_refused) {
  Triggerable side, other;
  char byte = 0;
  struct fid* domain = &side.domain->fid;
  EXPECT_EQ(fi_control(domain, FI_QUEUE_WORK, nullptr), -FI_EINVAL);
  EXPECT_EQ(fi_control(domain, FI_CANCEL_WORK, nullptr), -FI_EINVAL);
  EXPECT_EQ(fi_control(domain, FI_FLUSH_WORK, &side), -FI_EINVAL);
  EXPECT_EQ(fi_control(domain, FI_ENABLE, nullptr), -FI_ENOSYS);
  const auto refused = [&](int error, auto change) {
    TaggedWork work(side, FI_OP_TSEND, 1, &byte);
    change(work);
    EXPECT_EQ(work.queue(side), error);
  };
  refused(-FI_EINVAL, [](TaggedWork& w) { w.work.triggering_cntr = nullptr; });
  refused(-FI_EINVAL, [&](TaggedWork& w) { w.work.triggering_cntr = other.trigger.get(); });
  refused(-FI_EINVAL, [&](TaggedWork& w) { w.work.completion_cntr = other.done.get(); });
  refused(-FI_EINVAL, [](TaggedWork& w) { w.work.op.tagged = nullptr; });
  refused(-FI_EINVAL, [](TaggedWork& w) { w.op.ep = nullptr; });
  refused(-FI_EINVAL, [&](TaggedWork& w) { w.op.ep = other.ep.get(); });
  refused(-FI_EINVAL, [](TaggedWork& w) { w.op.flags = FI_INJECT; });
  refused(-FI_EINVAL, [](TaggedWork& w) { w.op.msg.iov_count = 100; });
  refused(-FI_EMSGSIZE, [](TaggedWork& w) { w.iov.iov_len = ~std::size_t{0}; });
  refused(-FI_EBADFLAGS, [](TaggedWork& w) { w.op.flags = FI_PEEK; });
  refused(-FI_ENOSYS, [](TaggedWork& w) { w.work.op_type = static_cast<enum fi_op_type>(99); });
  struct fi_op_cntr change {
    side.done.get(), 1
  };
  refused(-FI_EINVAL, [&](TaggedWork& w) {
    w.work.op_type = FI_OP_CNTR_ADD;
    w.work.op.cntr = &change;  // beside a completion counter
  });
}

// Nobody but the one who adds does anything.
TEST(DeferredWorkTest, wakes_who_sleeps_for_it) {
  Triggerable side;
  char in = 0, out = 'x';
  TaggedWork receive(side, FI_OP_TRECV, 1, &in), send(side, FI_OP_TSEND, 1, &out);
  ASSERT_EQ(receive.queue(side), 0);
  ASSERT_EQ(send.queue(side), 0);
  std::thread adder([&] {
    let_sleep();
    side.advance();
  });
  EXPECT_EQ(fi_cntr_wait(side.done.get(), 2, kSoon), 0);
  adder.join();
}

}  // namespace
}  // namespace xs::abi::test
