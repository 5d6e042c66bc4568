// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/cq.hpp"

#include <gtest/gtest.h>

#include <array>

namespace xs::core {
namespace {

class CompletionQueueTest : public testing::Test {
 protected:
  void write(int count) {
    for (int i = 0; i < count; ++i)
      queue_.write({.context = &contexts_[written_++], .flags = FI_SEND});
  }
  void expect_next() {
    struct fi_cq_tagged_entry entry {};
    ASSERT_EQ(queue_.read(&entry, 1, nullptr), 1);
    EXPECT_EQ(entry.op_context, &contexts_[read_++]);
  }
  CompletionQueue queue_{FI_CQ_FORMAT_TAGGED, 4};
  std::array<int, 64> contexts_;
  int written_ = 0, read_ = 0;
};

TEST_F(CompletionQueueTest, empty) {
  struct fi_cq_tagged_entry entry;
  struct fi_cq_err_entry error;
  EXPECT_EQ(queue_.read(&entry, 1, nullptr), -FI_EAGAIN);
  EXPECT_EQ(queue_.read(nullptr, 0, nullptr), -FI_EAGAIN);
  EXPECT_EQ(queue_.read_error(&error, 0), -FI_EAGAIN);
  EXPECT_FALSE(queue_.full());
  EXPECT_FALSE(queue_.has(1));
}

TEST_F(CompletionQueueTest, keeps_order) {
  for (int round = 0; round < 5; ++round) {
    write(3);
    for (int i = 0; i < 3; ++i) expect_next();
  }
}

TEST_F(CompletionQueueTest, tells_when_it_is_full_and_loses_nothing_beyond) {
  write(3);
  EXPECT_FALSE(queue_.full());
  write(1);
  EXPECT_TRUE(queue_.full());
  write(6);
  EXPECT_TRUE(queue_.has(10));
  EXPECT_FALSE(queue_.has(11));
  for (int i = 0; i < 3; ++i) expect_next();
  write(4);
  for (int i = 0; i < 11; ++i) expect_next();
  EXPECT_FALSE(queue_.has(1));
  EXPECT_FALSE(queue_.full());
}

TEST_F(CompletionQueueTest, reads_many_at_once) {
  write(4);
  std::array<struct fi_cq_tagged_entry, 8> entries;
  EXPECT_EQ(queue_.read(entries.data(), 3, nullptr), 3);
  EXPECT_EQ(queue_.read(entries.data(), 8, nullptr), 1);
  EXPECT_EQ(entries[0].op_context, &contexts_[3]);
}

TEST_F(CompletionQueueTest, an_error_waits_for_its_turn) {
  write(1);
  queue_.write_error({.completion = {.context = this, .flags = FI_RECV, .length = 2, .tag = 5},
                      .overflow = 7,
                      .error = FI_ETRUNC,
                      .provider_error = 9});
  write(1);
  std::array<struct fi_cq_tagged_entry, 4> entries;
  struct fi_cq_err_entry error {};
  EXPECT_EQ(queue_.read_error(&error, 0), -FI_EAGAIN);
  EXPECT_EQ(queue_.read(entries.data(), 4, nullptr), 1);
  EXPECT_EQ(queue_.read(entries.data(), 4, nullptr), -FI_EAVAIL);
  error.err_data = this;
  error.err_data_size = 12345;
  EXPECT_EQ(queue_.read_error(&error, 0), 1);
  EXPECT_EQ(error.op_context, this);
  EXPECT_EQ(error.flags, FI_RECV);
  EXPECT_EQ(error.len, 2u);
  EXPECT_EQ(error.tag, 5u);
  EXPECT_EQ(error.olen, 7u);
  EXPECT_EQ(error.err, FI_ETRUNC);
  EXPECT_EQ(error.prov_errno, 9);
  EXPECT_EQ(error.err_data, this);
  EXPECT_EQ(error.err_data_size, 0u);
  EXPECT_EQ(queue_.read_error(&error, 0), -FI_EAGAIN);
  EXPECT_EQ(queue_.read(entries.data(), 4, nullptr), 1);
}

TEST_F(CompletionQueueTest, errors_beyond_the_size_keep_their_place) {
  write(4);
  queue_.write_error({.completion = {.context = this}, .error = FI_ECANCELED});
  write(1);
  for (int i = 0; i < 4; ++i) expect_next();
  struct fi_cq_tagged_entry entry;
  EXPECT_EQ(queue_.read(&entry, 1, nullptr), -FI_EAVAIL);
  struct fi_cq_err_entry error {};
  EXPECT_EQ(queue_.read_error(&error, 0), 1);
  EXPECT_EQ(error.op_context, this);
  expect_next();
}

TEST_F(CompletionQueueTest, entries_are_lent_as_long_as_nothing_is_queued) {
  std::array<struct fi_cq_tagged_entry, 2> entries;
  EXPECT_EQ(queue_.claim_lent(), nullptr);
  queue_.lend(entries.data(), entries.size());
  EXPECT_EQ(queue_.claim_lent(), &entries[0]);
  EXPECT_EQ(queue_.claim_lent(), &entries[1]);
  EXPECT_EQ(queue_.claim_lent(), nullptr);
  EXPECT_EQ(queue_.take_back(), 2u);
  EXPECT_EQ(queue_.claim_lent(), nullptr);
  EXPECT_EQ(queue_.take_back(), 0u);
  queue_.lend(entries.data(), entries.size());
  EXPECT_EQ(queue_.claim_lent(), &entries[0]);
  queue_.write_error({.completion = {.context = this}, .error = FI_ETRUNC});
  EXPECT_EQ(queue_.claim_lent(), nullptr);
  EXPECT_EQ(queue_.take_back(), 1u);
}

TEST(CqFormatTest, narrow_entries_are_not_lent) {
  CompletionQueue queue(FI_CQ_FORMAT_DATA, 8);
  std::array<struct fi_cq_data_entry, 2> entries;
  queue.lend(entries.data(), entries.size());
  EXPECT_EQ(queue.claim_lent(), nullptr);
  EXPECT_EQ(queue.take_back(), 0u);
}

TEST_F(CompletionQueueTest, tells_sources) {
  queue_.write({.context = nullptr, .flags = FI_RECV, .source = 3});
  queue_.write({.context = nullptr, .flags = FI_RECV});
  std::array<struct fi_cq_tagged_entry, 2> entries;
  std::array<fi_addr_t, 2> sources;
  EXPECT_EQ(queue_.read(entries.data(), 2, sources.data()), 2);
  EXPECT_EQ(sources[0], 3u);
  EXPECT_EQ(sources[1], FI_ADDR_NOTAVAIL);
}

// Each narrower format is the beginning of the widest.
template <class Entry>
std::array<Entry, 3> two_in(enum fi_cq_format format) {
  CompletionQueue queue(format, 8);
  queue.write({.context = &queue, .flags = 1, .length = 2, .buffer = &queue, .data = 3, .tag = 4});
  queue.write({.context = nullptr, .flags = 5});
  std::array<Entry, 3> entries{};
  entries[2].op_context = &entries;
  EXPECT_EQ(queue.read(entries.data(), 3, nullptr), 2);
  EXPECT_EQ(entries[0].op_context, &queue);
  EXPECT_EQ(entries[1].op_context, nullptr);
  EXPECT_NE(entries[2].op_context, nullptr);
  return entries;
}

TEST(CqFormatTest, widths) {
  two_in<struct fi_cq_entry>(FI_CQ_FORMAT_CONTEXT);
  const auto msg = two_in<struct fi_cq_msg_entry>(FI_CQ_FORMAT_MSG);
  EXPECT_EQ(msg[0].len, 2u);
  EXPECT_EQ(msg[1].flags, 5u);
  const auto data = two_in<struct fi_cq_data_entry>(FI_CQ_FORMAT_DATA);
  EXPECT_EQ(data[0].data, 3u);
  EXPECT_EQ(data[1].flags, 5u);
  const auto tagged = two_in<struct fi_cq_tagged_entry>(FI_CQ_FORMAT_TAGGED);
  EXPECT_EQ(tagged[0].tag, 4u);
  EXPECT_EQ(tagged[1].flags, 5u);
}

TEST(CqFormatTest, none_means_the_narrowest) { two_in<struct fi_cq_entry>(FI_CQ_FORMAT_UNSPEC); }

}  // namespace
}  // namespace xs::core
