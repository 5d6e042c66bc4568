// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/rma_target.hpp"

#include <gtest/gtest.h>
#include <rdma/fi_errno.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include "core/rig.hpp"

namespace xs::core::test {
namespace {

using proto::Kind;

constexpr std::uint64_t kKey = 7;

// An endpoint that shows 4096 bytes under a key; a stranger that reaches for them.
struct RmaTargetTest : testing::Test {
  RmaTargetTest() {
    for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<std::byte>(i * 7);
    shown.memory = UserMemory(std::span(memory));
    shown.rights = kReadable | kWritable;
    shown.key = kKey;
    EXPECT_EQ(rig.memory.add(shown), 0);
    rig.meet(peer);
  }
  ~RmaTargetTest() override {
    if (shown.number != 0) close();
  }
  void close() {
    rig.memory.remove(shown);
    shown.number = 0;
  }

  static Frame joined(Frame head, const Frame& bytes) {
    head.insert(head.end(), bytes.begin(), bytes.end());
    return head;
  }
  // The first frame of a write, with these bytes.
  void write(proto::Write head, const Frame& bytes, std::uint8_t flags = 0) {
    rig.hear(peer.next(Kind::kWrite, joined(body_of(head), bytes), flags));
  }
  void put(std::uint64_t id, std::uint64_t offset, const Frame& bytes) {
    rig.hear(peer.next(Kind::kPut, data(id, offset, bytes)));
  }
  void read(std::uint64_t id, std::uint64_t address, std::uint64_t length,
            std::uint64_t key = kKey) {
    rig.hear(peer.next(Kind::kRead, body_of(proto::Read{id, key, address, length})));
  }
  // Of the one DONE that went out.
  void expect_done(std::uint64_t id, std::uint32_t status) {
    const auto frames = of_kind(rig.said(), Kind::kDone);
    ASSERT_EQ(frames.size(), 1u);
    const auto done = proto::decode_done(body_in(frames[0]));
    ASSERT_TRUE(done);
    EXPECT_EQ(done->id, id);
    EXPECT_EQ(done->status, status);
  }
  void expect_untouched() { EXPECT_EQ(memory, before); }
  void expect_lie() {
    EXPECT_EQ(rig.counters().lies, 1u);
    EXPECT_EQ(rig.session_of(peer), nullptr);
  }
  bool stands(std::size_t at, const char* characters) const {
    return std::memcmp(memory.data() + at, characters, std::strlen(characters)) == 0;
  }
  // What a read of that id has brought so far.
  Frame brought(std::uint64_t id) {
    for (const Handed& frame : of_kind(rig.said(), Kind::kGot)) {
      const auto part = proto::decode_part(body_in(frame));
      if (!part || part->id != id || part->offset != bytes.size()) ADD_FAILURE();
      bytes.insert(bytes.end(), body_in(frame).begin() + proto::PartHead::kSize,
                   body_in(frame).end());
    }
    return bytes;
  }

  Rig rig;
  Stranger peer{2000};
  std::array<std::byte, 4096> memory;
  std::array<std::byte, 4096> before = [] {
    std::array<std::byte, 4096> made;
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<std::byte>(i * 7);
    return made;
  }();
  Registration shown;
  Frame bytes;
};

TEST_F(RmaTargetTest, write_is_placed_and_answered) {
  write({.id = 1, .key = kKey, .address = 10, .length = 5}, text("hello"));
  EXPECT_TRUE(stands(10, "hello"));
  expect_done(1, 0);
  EXPECT_FALSE(rig.outcome()) << "without CQ data the target hears nothing";
}

TEST_F(RmaTargetTest, write_in_parts_is_answered_at_its_end) {
  write({.id = 1, .key = kKey, .address = 4086, .length = 10}, text("hel"));
  put(1, 3, text("lowo"));
  EXPECT_TRUE(of_kind(rig.said(), Kind::kDone).empty());
  put(1, 7, text("rld"));
  EXPECT_TRUE(stands(4086, "helloworld"));
  expect_done(1, 0);
}

TEST_F(RmaTargetTest, data_is_told_when_all_is_written) {
  write({.id = 1, .key = kKey, .address = 0, .length = 10, .data = 99}, text("hello"),
        proto::kCqData);
  EXPECT_FALSE(rig.outcome());
  put(1, 5, text("world"));
  struct fi_cq_tagged_entry entry;
  ASSERT_EQ(rig.queue.read(&entry, 1, nullptr), 1);
  EXPECT_EQ(entry.flags, FI_RMA | FI_REMOTE_WRITE | FI_REMOTE_CQ_DATA);
  EXPECT_EQ(entry.data, 99u);
  EXPECT_EQ(entry.len, 10u);
  EXPECT_EQ(entry.op_context, nullptr);
}

TEST_F(RmaTargetTest, refused_write_tells_nobody) {
  write({.id = 1, .key = 8, .address = 0, .length = 5, .data = 99}, text("hello"), proto::kCqData);
  expect_done(1, FI_ENOKEY);
  EXPECT_FALSE(rig.outcome());
}

TEST_F(RmaTargetTest, range_is_checked_before_the_first_byte) {
  write({.id = 1, .key = kKey, .address = 4090, .length = 7}, text("hello"));
  put(1, 5, text("!!"));
  expect_done(1, EACCES);
  write({.id = 2, .key = kKey, .address = 100, .length = std::numeric_limits<std::uint64_t>::max()},
        text("hello"));
  expect_untouched();
}

TEST_F(RmaTargetTest, rights_are_kept) {
  shown.rights = kReadable;
  write({.id = 1, .key = kKey, .address = 0, .length = 5}, text("hello"));
  expect_done(1, EACCES);
  expect_untouched();
  shown.rights = kWritable;
  read(2, 0, 5);
  expect_done(2, EACCES);
}

// Not a byte after fi_close; nor into another registration under the same key.
TEST_F(RmaTargetTest, registration_closed_in_the_middle_of_a_write) {
  write({.id = 1, .key = kKey, .address = 0, .length = 10}, text("hello"));
  close();
  Registration other;
  other.memory = UserMemory(std::span(memory));
  other.rights = kWritable;
  other.key = kKey;
  ASSERT_EQ(rig.memory.add(other), 0);
  before = memory;
  put(1, 5, text("world"));
  expect_done(1, FI_ENOKEY);
  expect_untouched();
  rig.memory.remove(other);
}

TEST_F(RmaTargetTest, read_brings_what_stands_there) {
  read(1, 100, 3000);
  const Frame whole = brought(1);
  ASSERT_EQ(whole.size(), 3000u);
  EXPECT_TRUE(std::equal(whole.begin(), whole.end(), before.begin() + 100));
  EXPECT_TRUE(of_kind(rig.said(), Kind::kDone).empty());
}

TEST_F(RmaTargetTest, empty_operations_are_answered) {
  read(1, 4096, 0);
  expect_done(1, 0);
  write({.id = 2, .key = kKey, .address = 4096, .length = 0}, {});
  expect_done(2, 0);
}

TEST_F(RmaTargetTest, refused_read_says_why) {
  read(1, 0, 5, 8);
  expect_done(1, FI_ENOKEY);
  read(2, 4000, 97);
  expect_done(2, EACCES);
  read(3, ~0ull - 3, 5);
  expect_done(3, EACCES);
}

// The window is full of answers: the rest waits, and stands in the registration alone.
TEST_F(RmaTargetTest, registration_closed_in_the_middle_of_a_read) {
  for (std::uint64_t id = 1; id <= 3; ++id) read(id, 0, 4096);
  rig.said();
  close();
  rig.hear(peer.ack_up_to(9));
  const auto done = of_kind(rig.said(), Kind::kDone);
  ASSERT_FALSE(done.empty());
  for (const Handed& frame : done) EXPECT_EQ(proto::decode_done(body_in(frame))->status, FI_ENOKEY);
  EXPECT_EQ(rig.counters().lies, 0u);
}

// Order: what a read brings is older than what is written behind it, as far as it has been given.
TEST_F(RmaTargetTest, given_parts_are_copies) {
  rig.inner.answer = carrier::Posted::kAgain;
  read(1, 0, 100);
  write({.id = 2, .key = kKey, .address = 0, .length = 5}, text("hello"));
  rig.inner.answer = carrier::Posted::kOk;
  rig.pass(10 * util::kMillisecond);
  const Frame whole = brought(1);
  ASSERT_EQ(whole.size(), 100u);
  EXPECT_TRUE(std::equal(whole.begin(), whole.end(), before.begin()));
}

TEST_F(RmaTargetTest, full_queue_keeps_answers_back) {
  for (std::uint64_t id = 1; id <= 70; ++id) {
    write({.id = id, .key = kKey, .address = 0, .length = 1, .data = id}, text("x"),
          proto::kCqData);
    rig.hear(peer.ack_up_to(std::min<std::uint64_t>(id, 65)));
  }
  EXPECT_EQ(of_kind(rig.said(), Kind::kDone).size(), 64u);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(rig.outcome());
  rig.pass(util::kMillisecond);
  EXPECT_EQ(of_kind(rig.said(), Kind::kDone).size(), 6u);
}

// Nobody reads the queue any more, and the writes are done.
TEST_F(RmaTargetTest, answers_kept_back_go_out_before_goodbye) {
  for (std::uint64_t id = 1; id <= 65; ++id) {
    write({.id = id, .key = kKey, .address = 0, .length = 1, .data = id}, text("x"),
          proto::kCqData);
    rig.hear(peer.ack_up_to(id));
  }
  rig.said();
  rig.endpoint->part();
  EXPECT_FALSE(rig.endpoint->parted()) << "GOODBYE is not acknowledged";
  const auto said = rig.said();
  const auto done = of_kind(said, Kind::kDone);
  const auto goodbye = of_kind(said, Kind::kGoodbye);
  ASSERT_EQ(done.size(), 1u);
  ASSERT_EQ(goodbye.size(), 1u);
  EXPECT_LT(prefix_of(done[0]).seq, prefix_of(goodbye[0]).seq);
}

TEST_F(RmaTargetTest, endpoint_that_exposes_nothing_gives_nothing) {
  rig.endpoint = nullptr;
  auto opened = Endpoint::open({.config = rig.config,
                                .inner = rig.inner,
                                .clock = rig.clock,
                                .random = rig.random,
                                .send_queue = &rig.queue,
                                .receive_queue = &rig.queue,
                                .book = &rig.book});
  ASSERT_TRUE(opened);
  rig.endpoint = std::move(*opened);
  rig.inner.endpoints.erase(rig.inner.endpoints.begin());
  peer = Stranger{2000};
  rig.meet(peer);
  read(1, 0, 5);
  expect_done(1, EACCES);
}

TEST_F(RmaTargetTest, end_of_a_peer_drops_what_it_had_under_way) {
  write({.id = 1, .key = kKey, .address = 0, .length = 10}, text("hello"));
  rig.hear(peer.reset(proto::ResetReason::kEnded));
  EXPECT_FALSE(rig.endpoint->peers().at(peer.home)->rma.arriving.open);
  EXPECT_EQ(rig.counters().lies, 0u);
}

// ---- What only a liar says ----

TEST_F(RmaTargetTest, write_in_the_middle_of_another_is_a_lie) {
  write({.id = 1, .key = kKey, .address = 0, .length = 10}, text("hello"));
  write({.id = 2, .key = kKey, .address = 0, .length = 5}, text("hello"));
  expect_lie();
}

TEST_F(RmaTargetTest, read_in_the_middle_of_a_write_is_a_lie) {
  write({.id = 1, .key = kKey, .address = 0, .length = 10}, text("hello"));
  read(2, 0, 10);
  expect_lie();
}

TEST_F(RmaTargetTest, part_of_nothing_is_a_lie) {
  put(1, 0, text("x"));
  expect_lie();
}

TEST_F(RmaTargetTest, part_of_another_write_is_a_lie) {
  write({.id = 1, .key = kKey, .address = 0, .length = 10}, text("hello"));
  put(2, 5, text("x"));
  expect_lie();
}

TEST_F(RmaTargetTest, part_at_another_place_is_a_lie) {
  write({.id = 1, .key = kKey, .address = 0, .length = 10}, text("hello"));
  put(1, 6, text("x"));
  expect_lie();
}

TEST_F(RmaTargetTest, empty_part_is_a_lie) {
  write({.id = 1, .key = kKey, .address = 0, .length = 10}, text("hello"));
  put(1, 5, {});
  expect_lie();
}

TEST_F(RmaTargetTest, part_beyond_the_end_is_a_lie) {
  write({.id = 1, .key = kKey, .address = 0, .length = 6}, text("hello"));
  put(1, 5, text("xy"));
  expect_lie();
  EXPECT_TRUE(std::equal(memory.begin() + 5, memory.end(), before.begin() + 5));
}

TEST_F(RmaTargetTest, more_bytes_than_the_write_has_are_a_lie) {
  write({.id = 1, .key = kKey, .address = 0, .length = 4}, text("hello"));
  expect_lie();
  expect_untouched();
}

// Our own stream takes nothing: answers pile up, to a bound.
TEST_F(RmaTargetTest, more_operations_than_a_sender_may_have_are_a_lie) {
  rig.inner.answer = carrier::Posted::kAgain;
  for (std::uint64_t id = 1; id <= 8 + kSendLimit; ++id) read(id, 0, 4096);
  EXPECT_EQ(rig.counters().lies, 1u);
}

}  // namespace
}  // namespace xs::core::test
