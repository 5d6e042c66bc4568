// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/reporter.hpp"

#include <gtest/gtest.h>

namespace xs::core {
namespace {

struct ReporterTest : testing::Test {
  ssize_t read() { return queue.read(&entry, 1, &source); }

  CompletionQueue queue{FI_CQ_FORMAT_TAGGED, 1};
  Reporter reporter{&queue, &queue, true};
  struct fi_cq_tagged_entry entry {};
  fi_addr_t source = 0;
};

TEST_F(ReporterTest, success_is_told_to_who_asked) {
  reporter.sent(kOpTagged, this);
  EXPECT_EQ(read(), -FI_EAGAIN);
  reporter.sent(kOpTagged | kOpCompletion, this);
  ASSERT_EQ(read(), 1);
  EXPECT_EQ(entry.op_context, this);
  EXPECT_EQ(entry.flags, static_cast<std::uint64_t>(FI_SEND | FI_TAGGED));
}

TEST_F(ReporterTest, failure_is_told_always) {
  reporter.send_failed(0, this, EIO);
  EXPECT_EQ(read(), -FI_EAVAIL);
}

TEST_F(ReporterTest, failed_inject_has_nobody_to_tell) {
  reporter.send_failed(kOpInject | kOpUnheard, nullptr, EIO);
  reporter.operation_ended(RmaKind::kWrite, kOpInject | kOpUnheard, nullptr, EIO);
  EXPECT_EQ(read(), -FI_EAGAIN);
}

// FI_INJECT says what becomes of the buffer, and a selective queue hears of failures all the same.
TEST_F(ReporterTest, failure_of_what_only_gave_its_buffer_back_is_told) {
  reporter.send_failed(kOpInject, this, EIO);
  EXPECT_EQ(read(), -FI_EAVAIL);
  struct fi_cq_err_entry error {};
  ASSERT_EQ(queue.read_error(&error, 0), 1);
  EXPECT_EQ(error.op_context, this);
  reporter.operation_ended(RmaKind::kWrite, kOpInject, this, EIO);
  EXPECT_EQ(read(), -FI_EAVAIL);
}

TEST_F(ReporterTest, failed_inject_with_a_completion_is_told) {
  reporter.send_failed(kOpInject | kOpCompletion, this, EIO);
  EXPECT_EQ(read(), -FI_EAVAIL);
}

TEST_F(ReporterTest, last_of_a_multi_receive_is_never_withheld) {
  reporter.received(kOpMultiReceive, {.context = this});
  EXPECT_EQ(read(), -FI_EAGAIN);
  reporter.received(kOpMultiReceive, {.context = this, .flags = FI_MULTI_RECV});
  EXPECT_EQ(read(), 1);
}

TEST_F(ReporterTest, source_is_told_if_it_was_asked_for) {
  reporter.received(kOpCompletion, {.source = 3});
  ASSERT_EQ(read(), 1);
  EXPECT_EQ(source, 3u);
  Reporter silent(&queue, &queue, false);
  silent.received(kOpCompletion, {.source = 3});
  ASSERT_EQ(read(), 1);
  EXPECT_EQ(source, FI_ADDR_NOTAVAIL);
}

TEST_F(ReporterTest, full_queue_has_no_room) {
  reporter.sent(kOpCompletion, this);
  EXPECT_FALSE(reporter.send_room(kOpCompletion));
  EXPECT_TRUE(reporter.send_room(0)) << "it needs no entry";
  EXPECT_FALSE(reporter.receive_room());
}

struct CountingTest : ReporterTest {
  static Counters counters(Counter& sends, Counter& receives) {
    Counters all;
    all.set(Counted::kSend, sends);
    all.set(Counted::kReceive, receives);
    return all;
  }

  Counter sends;
  Counter receives;
  Reporter counting{&queue, &queue, false, counters(sends, receives)};
};

TEST_F(CountingTest, success_is_counted_whether_it_is_told_or_not) {
  counting.sent(0, this);
  counting.received(0, {});
  EXPECT_EQ(read(), -FI_EAGAIN);
  counting.sent(kOpCompletion, this);
  EXPECT_EQ(read(), 1);
  counting.received(kOpCompletion, {});
  EXPECT_EQ(read(), 1);
  EXPECT_EQ(sends.value(), 2u);
  EXPECT_EQ(receives.value(), 2u);
}

TEST_F(CountingTest, failure_is_counted_also_of_an_inject) {
  counting.send_failed(kOpInject | kOpUnheard, nullptr, EIO);
  counting.receive_failed(0, {}, ECANCELED);
  EXPECT_EQ(sends.errors(), 1u);
  EXPECT_EQ(receives.errors(), 1u);
  EXPECT_EQ(sends.value() + receives.value(), 0u);
}

TEST_F(CountingTest, a_peek_and_a_free_buffer_are_no_receives) {
  counting.tell(0, {.flags = FI_MULTI_RECV});
  EXPECT_EQ(read(), 1);
  counting.tell_failure(0, {}, ENOMSG);
  EXPECT_EQ(read(), -FI_EAVAIL);
  EXPECT_EQ(receives.value() + receives.errors(), 0u);
}

TEST_F(CountingTest, the_quick_way_is_for_who_does_not_count) {
  EXPECT_TRUE(counting.counts_sends());
  EXPECT_FALSE(reporter.counts_sends());
  const Completion done{.context = this, .flags = FI_RECV | FI_TAGGED, .length = 1, .tag = 1};
  for (const std::uint32_t flags : {std::uint32_t{kOpCompletion}, std::uint32_t{0}}) {
    EXPECT_FALSE(counting.received_whole(flags, done));
    EXPECT_TRUE(reporter.received_whole(flags, done));
    EXPECT_EQ(read(), flags == kOpCompletion ? 1 : -FI_EAGAIN);
  }
  EXPECT_EQ(receives.value(), 0u);
}

TEST_F(CountingTest, without_a_queue_there_is_still_a_counter) {
  Reporter alone(nullptr, nullptr, false, counters(sends, receives));
  alone.sent(kOpCompletion, this);
  alone.received(kOpCompletion, {});
  EXPECT_EQ(sends.value(), 1u);
  EXPECT_EQ(receives.value(), 1u);
  EXPECT_FALSE(alone.received_whole(kOpCompletion, {.context = this, .flags = FI_RECV}));
}

TEST_F(CountingTest, mute_counts_nothing) {
  counting.mute();
  counting.sent(0, this);
  counting.send_failed(0, this, EIO);
  counting.received(0, {});
  counting.receive_failed(0, {}, EIO);
  EXPECT_EQ(sends.value() + sends.errors() + receives.value() + receives.errors(), 0u);
}

TEST_F(ReporterTest, mute_tells_nothing) {
  reporter.mute();
  reporter.sent(kOpCompletion, this);
  reporter.send_failed(0, this, EIO);
  reporter.received(kOpCompletion, {});
  reporter.receive_failed(0, {}, EIO);
  EXPECT_EQ(read(), -FI_EAGAIN);
}

}  // namespace
}  // namespace xs::core
