// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// fi_cq_read of messages that come by a ring meanwhile: their completions are written where it
// reads to, in the order of the queue all the same.
#include <array>
#include <deque>
#include <initializer_list>
#include <vector>

#include "face/machines.hpp"

namespace xs::abi::test {
namespace {

constexpr std::uint64_t kTag = 7;

struct RingReadsTest : MachinesTest {
  // One receive of each size at b, and as many messages of 8 bytes to it.
  void exchange(std::initializer_list<std::size_t> sizes) {
    talk_until_ring();
    for (const std::size_t size : sizes) {
      auto& [bytes, context] = places.emplace_back();
      ASSERT_EQ(
          fi_trecv(b.ep.get(), bytes.data(), size, nullptr, FI_ADDR_UNSPEC, kTag, 0, &context), 0);
    }
    for (std::uint64_t i = 0; i < places.size(); ++i)
      ASSERT_EQ(fi_tinjectdata(a.ep.get(), &i, sizeof i, 100 + i, to_b, kTag), 0);
  }
  // Reads of that many entries until all have come, or an error is first in line.
  void read(std::size_t wanted, std::size_t at_once) {
    std::array<struct fi_cq_tagged_entry, 8> into;
    until([&] {
      const ssize_t count = fi_cq_read(b.cq.get(), into.data(), at_once);
      if (count == -FI_EAVAIL) return true;
      if (count > 0) came.insert(came.end(), into.begin(), into.begin() + count);
      return came.size() >= wanted;
    });
  }
  void expect_whole(std::size_t at, std::size_t place) {
    const struct fi_cq_tagged_entry& entry = came.at(at);
    EXPECT_EQ(entry.op_context, &places[place].context);
    EXPECT_EQ(entry.flags, FI_RECV | FI_TAGGED | FI_REMOTE_CQ_DATA);
    EXPECT_EQ(entry.len, sizeof(std::uint64_t));
    EXPECT_EQ(entry.buf, nullptr);
    EXPECT_EQ(entry.data, 100 + place);
    EXPECT_EQ(entry.tag, kTag);
    EXPECT_EQ(places[place].bytes[0], static_cast<char>(place));
  }

  struct Place {
    std::array<char, 64> bytes{};
    struct fi_context2 context;
  };
  std::deque<Place> places;
  std::vector<struct fi_cq_tagged_entry> came;
};

TEST_F(RingReadsTest, many_in_a_read) {
  ASSERT_NO_FATAL_FAILURE(exchange({64, 8, 64, 64, 8, 64, 64, 64, 64, 64}));
  read(10, 8);
  for (std::size_t i = 0; i < 10; ++i) expect_whole(i, i);
}

TEST_F(RingReadsTest, more_than_a_read_takes) {
  ASSERT_NO_FATAL_FAILURE(exchange({64, 64, 64, 64, 64, 64, 64, 64, 64, 64}));
  read(10, 2);
  for (std::size_t i = 0; i < 10; ++i) expect_whole(i, i);
}

TEST_F(RingReadsTest, an_error_among_them) {
  ASSERT_NO_FATAL_FAILURE(exchange({64, 64, 64, 3, 64, 64}));
  read(6, 8);
  ASSERT_EQ(came.size(), 3u) << "those before it";
  struct fi_cq_err_entry error {};
  ASSERT_EQ(fi_cq_readerr(b.cq.get(), &error, 0), 1);
  EXPECT_EQ(error.op_context, &places[3].context);
  EXPECT_EQ(error.err, FI_ETRUNC);
  EXPECT_EQ(error.olen, 5u);
  read(5, 8);
  for (std::size_t i = 0; i < 3; ++i) expect_whole(i, i);
  for (std::size_t i = 3; i < 5; ++i) expect_whole(i, i + 1);
}

TEST_F(RingReadsTest, sends_that_were_told_before_stay_before) {
  ASSERT_NO_FATAL_FAILURE(exchange({64, 64}));
  struct fi_context2 context;
  ASSERT_EQ(fi_tsend(b.ep.get(), nullptr, 0, nullptr, to_a, kTag, &context), 0);
  read(3, 8);
  EXPECT_EQ(came.at(0).op_context, &context);
  EXPECT_EQ(came.at(0).flags, FI_SEND | FI_TAGGED);
  for (std::size_t i = 0; i < 2; ++i) expect_whole(i + 1, i);
}

TEST_F(RingReadsTest, nothing_is_written_where_nothing_is_read) {
  ASSERT_NO_FATAL_FAILURE(exchange({64, 64}));
  EXPECT_EQ(fi_cq_read(b.cq.get(), nullptr, 0), -FI_EAGAIN);
  fi_addr_t sources[8];
  std::array<struct fi_cq_tagged_entry, 8> into;
  until([&] {
    const ssize_t count = fi_cq_readfrom(b.cq.get(), into.data(), into.size(), sources);
    for (ssize_t i = 0; i < count; ++i) came.push_back(into[static_cast<std::size_t>(i)]);
    return came.size() == 2;
  });
  for (std::size_t i = 0; i < 2; ++i) expect_whole(i, i);
}

TEST_F(RingReadsTest, who_reads_on_is_told_at_once_that_there_is_no_more) {
  ASSERT_NO_FATAL_FAILURE(exchange({64}));
  read(1, 8);
  auto& [bytes, context] = places.emplace_back();
  ASSERT_EQ(fi_trecv(b.ep.get(), bytes.data(), 64, nullptr, FI_ADDR_UNSPEC, kTag, 0, &context), 0);
  ASSERT_EQ(fi_tinject(a.ep.get(), "more", 4, to_b, kTag), 0);
  std::array<struct fi_cq_tagged_entry, 8> into;
  EXPECT_EQ(fi_cq_read(b.cq.get(), into.data(), into.size()), -FI_EAGAIN) << "made a pass";
  EXPECT_EQ(fi_cq_read(b.cq.get(), into.data(), into.size()), 1) << "made none";
}

TEST_F(RingReadsTest, what_was_told_meanwhile_is_read_at_once) {
  ASSERT_NO_FATAL_FAILURE(exchange({64}));
  read(1, 8);
  struct fi_context2 context;
  ASSERT_EQ(fi_tsend(b.ep.get(), nullptr, 0, nullptr, to_a, kTag, &context), 0);
  std::array<struct fi_cq_tagged_entry, 8> into;
  ASSERT_EQ(fi_cq_read(b.cq.get(), into.data(), into.size()), 1);
  EXPECT_EQ(into[0].op_context, &context);
}

}  // namespace
}  // namespace xs::abi::test
