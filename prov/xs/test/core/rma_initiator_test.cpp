// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/rma_initiator.hpp"

#include <gtest/gtest.h>
#include <rdma/fi_errno.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/rig.hpp"

namespace xs::core::test {
namespace {

using proto::Kind;

constexpr std::uint64_t kKey = 7;
constexpr std::uint64_t kAddress = 4096;

// A frame takes 1024 bytes of payload and an envelope: 1000 of a write's first, 1024 of the next.
struct RmaInitiatorTest : testing::Test {
  RmaInitiatorTest() {
    rig.meet(peer);
    for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<std::byte>(i);
  }

  Status reach(RmaKind kind, std::size_t size, std::uint32_t flags = kOpCompletion) {
    const struct iovec iov { memory.data(), size };
    return rig.endpoint->reach({.kind = kind,
                                .iov = std::span(&iov, 1),
                                .to = to,
                                .address = kAddress,
                                .key = kKey,
                                .data = 42,
                                .flags = flags,
                                .context = &memory});
  }
  Status update(std::size_t count) {
    const struct iovec iov { memory.data(), count };
    return rig.endpoint->reach(AtomicOp{.kind = RmaKind::kUpdate,
                                        .operation = AtomicOperation::kSum,
                                        .datatype = Datatype::kUint8,
                                        .count = count,
                                        .values = std::span(&iov, 1),
                                        .compares = {},
                                        .results = {},
                                        .to = to,
                                        .address = kAddress,
                                        .key = kKey,
                                        .flags = kOpCompletion,
                                        .context = &memory});
  }
  // The one frame of that kind that went out.
  std::vector<std::byte> body(Kind kind) {
    const auto frames = of_kind(rig.said(), kind);
    EXPECT_EQ(frames.size(), 1u);
    if (frames.empty()) return {};
    const auto bytes = body_in(frames[0]);
    return {bytes.begin(), bytes.end()};
  }
  std::uint64_t write(std::size_t size, std::uint32_t flags = kOpCompletion) {
    EXPECT_EQ(reach(RmaKind::kWrite, size, flags), Status::kOk);
    rig.settle();
    const auto head = proto::decode_write(body(Kind::kWrite));
    return head ? head->id : 0;
  }
  std::uint64_t read(std::size_t size) {
    EXPECT_EQ(reach(RmaKind::kRead, size), Status::kOk);
    rig.settle();
    const auto head = proto::decode_read(body(Kind::kRead));
    return head ? head->id : 0;
  }
  void done(std::uint64_t id, std::uint32_t status = 0) {
    rig.hear(peer.next(Kind::kDone, body_of(proto::Done{id, status})));
  }
  void got(std::uint64_t id, std::uint64_t offset, const Frame& bytes) {
    rig.hear(peer.next(Kind::kGot, data(id, offset, bytes)));
  }
  void expect_outcome(int error) {
    const auto outcome = rig.outcome();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->context, &memory);
    EXPECT_EQ(outcome->error, error);
    EXPECT_FALSE(rig.outcome());
  }
  void expect_lie() {
    EXPECT_EQ(rig.counters().lies, 1u);
    EXPECT_EQ(rig.session_of(peer), nullptr);
  }

  Rig rig;
  Stranger peer{2000};
  PeerAddress to = rig.address_of(peer);
  std::array<std::byte, 8192> memory;
};

TEST_F(RmaInitiatorTest, small_write_is_one_frame_and_ends_with_its_answer) {
  ASSERT_EQ(reach(RmaKind::kWrite, 100, kOpCompletion | kOpData), Status::kOk);
  rig.settle();
  const auto frames = of_kind(rig.said(), Kind::kWrite);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(prefix_of(frames[0]).flags, proto::kCqData);
  const auto bytes = body_in(frames[0]);
  const auto head = proto::decode_write(bytes);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->key, kKey);
  EXPECT_EQ(head->address, kAddress);
  EXPECT_EQ(head->length, 100u);
  EXPECT_EQ(head->data, 42u);
  ASSERT_EQ(bytes.size(), proto::Write::kSize + 100);
  EXPECT_TRUE(
      std::equal(memory.begin(), memory.begin() + 100, bytes.begin() + proto::Write::kSize));
  rig.hear(peer.ack_up_to(2));
  EXPECT_FALSE(rig.outcome()) << "taken is not answered";
  done(head->id);
  expect_outcome(0);
}

TEST_F(RmaInitiatorTest, large_write_goes_in_parts) {
  ASSERT_EQ(reach(RmaKind::kWrite, 3000), Status::kOk);
  rig.settle();
  const auto said = rig.said();
  const auto first = of_kind(said, Kind::kWrite);
  const auto rest = of_kind(said, Kind::kPut);
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(rest.size(), 2u);
  std::vector<std::byte> whole(body_in(first[0]).begin() + proto::Write::kSize,
                               body_in(first[0]).end());
  for (const Handed& frame : rest) {
    const auto part = proto::decode_part(body_in(frame));
    ASSERT_TRUE(part);
    EXPECT_EQ(part->id, proto::decode_write(body_in(first[0]))->id);
    EXPECT_EQ(part->offset, whole.size());
    whole.insert(whole.end(), body_in(frame).begin() + proto::PartHead::kSize,
                 body_in(frame).end());
  }
  EXPECT_TRUE(std::equal(whole.begin(), whole.end(), memory.begin(), memory.begin() + 3000));
}

// Its window holds less than the write: nothing may go between its frames.
TEST_F(RmaInitiatorTest, send_behind_a_write_does_not_overtake_it) {
  ASSERT_EQ(reach(RmaKind::kWrite, memory.size()), Status::kOk);
  std::byte letter{};
  ASSERT_EQ(rig.send(to, std::span(&letter, 1), 0, &letter), Status::kOk);
  rig.settle();
  EXPECT_TRUE(of_kind(rig.said(), Kind::kEager).empty());
  rig.hear(peer.ack_up_to(9));
  const auto said = rig.said();
  ASSERT_FALSE(said.empty());
  EXPECT_EQ(of_kind(said, Kind::kEager).size(), 1u);
  EXPECT_EQ(prefix_of(of_kind(said, Kind::kEager)[0]).seq, prefix_of(said.back()).seq);
}

// FI_ORDER_WAS and FI_ORDER_RAS: the window is full of sends, one of them with a rendezvous, and
// more wait for room. It comes frame by frame.
TEST_F(RmaInitiatorTest, write_and_read_behind_sends_do_not_overtake_them) {
  constexpr std::size_t kSends = 12, kAnnounced = 4;
  const std::span<std::byte> whole(memory);
  std::vector<Kind> expected;
  for (std::size_t i = 0; i < kSends; ++i) {
    const bool announced = i == kAnnounced;
    ASSERT_EQ(rig.send(to, whole.first(announced ? 4096 : 10), 0, &memory), Status::kOk);
    expected.push_back(announced ? Kind::kRts : Kind::kEager);
  }
  ASSERT_EQ(reach(RmaKind::kWrite, 10), Status::kOk);
  ASSERT_EQ(reach(RmaKind::kRead, 10), Status::kOk);
  ASSERT_EQ(update(10), Status::kOk);
  expected.insert(expected.end(), {Kind::kWrite, Kind::kRead, Kind::kAtomic});
  rig.settle();
  std::vector<Kind> given;
  const auto take = [&] {
    for (const Handed& frame : rig.said()) {
      const proto::Prefix prefix = prefix_of(frame);
      if (prefix.seq == 0) continue;  // no part of the stream
      given.push_back(prefix.kind);
      EXPECT_EQ(prefix.seq, given.size()) << "once, and in turn";
    }
  };
  take();
  EXPECT_EQ(given.size(), rig.config.window);
  for (std::uint64_t next = 2; next <= expected.size() + 1; ++next) {
    rig.hear(peer.ack_up_to(next));
    take();
    EXPECT_EQ(given.size(), std::min<std::size_t>(next - 1 + rig.config.window, expected.size()));
  }
  EXPECT_EQ(given, expected);
}

TEST_F(RmaInitiatorTest, injected_write_is_copied_at_once_and_silent) {
  rig.inner.answer = carrier::Posted::kAgain;
  ASSERT_EQ(reach(RmaKind::kWrite, 100, kOpInject), Status::kOk);
  const auto meant = memory;
  memory.fill(std::byte{0xee});
  rig.inner.answer = carrier::Posted::kOk;
  rig.pass(util::kMillisecond * 10);
  const auto bytes = body(Kind::kWrite);
  ASSERT_EQ(bytes.size(), proto::Write::kSize + 100);
  EXPECT_TRUE(std::equal(meant.begin(), meant.begin() + 100, bytes.begin() + proto::Write::kSize));
  done(proto::decode_write(bytes)->id);
  EXPECT_FALSE(rig.outcome());
  EXPECT_EQ(rig.counters().lies, 0u);
}

TEST_F(RmaInitiatorTest, refused_write_ends_in_error) {
  done(write(100), EACCES);
  expect_outcome(EACCES);
}

TEST_F(RmaInitiatorTest, empty_write_and_read_are_answered_too) {
  done(write(0));
  expect_outcome(0);
  done(read(0));
  expect_outcome(0);
}

TEST_F(RmaInitiatorTest, read_ends_with_its_last_byte) {
  const std::uint64_t id = read(10);
  got(id, 0, text("hello"));
  EXPECT_FALSE(rig.outcome());
  got(id, 5, text("world"));
  expect_outcome(0);
  EXPECT_EQ(std::memcmp(memory.data(), "helloworld", 10), 0);
}

TEST_F(RmaInitiatorTest, read_may_end_in_error_in_the_middle) {
  const std::uint64_t id = read(10);
  got(id, 0, text("hello"));
  done(id, FI_ENOKEY);
  expect_outcome(FI_ENOKEY);
}

TEST_F(RmaInitiatorTest, too_many_without_an_answer_wait_for_the_caller) {
  for (std::size_t i = 0; i < kSendLimit; ++i) ASSERT_EQ(reach(RmaKind::kRead, 1, 0), Status::kOk);
  EXPECT_EQ(reach(RmaKind::kRead, 1, 0), Status::kAgain);
}

// ---- Ends ----

TEST_F(RmaInitiatorTest, death_ends_all) {
  write(100);
  rig.hear(peer.reset(proto::ResetReason::kEnded));
  expect_outcome(ECONNRESET);
}

TEST_F(RmaInitiatorTest, goodbye_ends_what_is_given) {
  read(10);
  rig.hear(peer.ack_up_to(2));
  rig.hear(peer.next(Kind::kGoodbye));
  expect_outcome(ECONNRESET);
  rig.said();
  for (int i = 0; i < 10; ++i) rig.pass(rig.config.quiet);
  EXPECT_TRUE(of_kind(rig.said(), Kind::kPing).empty()) << "nothing is awaited any more";
}

// It may have been performed, or not: it is not repeated. What has not begun may go on.
TEST_F(RmaInitiatorTest, goodbye_ends_what_has_begun_and_no_more) {
  ASSERT_EQ(reach(RmaKind::kWrite, 8192), Status::kOk);
  rig.settle();
  ASSERT_EQ(reach(RmaKind::kRead, 10, 0), Status::kOk);
  rig.hear(peer.next(Kind::kGoodbye));
  expect_outcome(ECONNRESET);
  EXPECT_EQ(Sender::under_way(*rig.endpoint->peers().at(peer.home)), 1u);
}

TEST_F(RmaInitiatorTest, cancel_takes_back_what_has_not_begun) {
  rig.inner.answer = carrier::Posted::kAgain;
  Stranger other{2001, 0x6161};
  to = rig.address_of(other);
  ASSERT_EQ(reach(RmaKind::kRead, 10), Status::kOk);
  EXPECT_EQ(rig.endpoint->cancel(&memory), Status::kOk);
  expect_outcome(ECANCELED);
}

// Nobody would hear that it came to nothing, and its context is everybody's: none.
TEST_F(RmaInitiatorTest, cancel_does_not_touch_what_is_injected) {
  rig.inner.answer = carrier::Posted::kAgain;
  Stranger other{2001, 0x6161};
  to = rig.address_of(other);
  const struct iovec iov { memory.data(), 10 };
  ASSERT_EQ(rig.endpoint->reach({.kind = RmaKind::kWrite,
                                 .iov = std::span(&iov, 1),
                                 .to = to,
                                 .address = kAddress,
                                 .key = kKey,
                                 .data = 0,
                                 .flags = kOpInject | kOpUnheard,
                                 .context = nullptr}),
            Status::kOk);
  EXPECT_EQ(rig.endpoint->cancel(nullptr), Status::kNoMessage);
}

TEST_F(RmaInitiatorTest, cancel_does_not_touch_what_has_begun) {
  ASSERT_EQ(reach(RmaKind::kWrite, 8192), Status::kOk);
  EXPECT_EQ(rig.endpoint->cancel(&memory), Status::kNoMessage);
}

TEST_F(RmaInitiatorTest, ends_that_nobody_hears_of_leave_nothing) {
  ASSERT_EQ(reach(RmaKind::kWrite, 8192), Status::kOk);
  ASSERT_EQ(reach(RmaKind::kRead, 10), Status::kOk);
  rig.endpoint.reset();
  EXPECT_FALSE(rig.outcome());
}

// ---- What only a liar says ----

TEST_F(RmaInitiatorTest, answer_to_nothing_is_a_lie) {
  done(12345);
  expect_lie();
}

TEST_F(RmaInitiatorTest, second_answer_is_a_lie) {
  const std::uint64_t id = write(100);
  done(id);
  expect_outcome(0);
  done(id);
  expect_lie();
}

TEST_F(RmaInitiatorTest, answer_before_the_last_frame_is_a_lie) {
  ASSERT_EQ(reach(RmaKind::kWrite, memory.size()), Status::kOk);
  rig.settle();
  const auto first = of_kind(rig.said(), Kind::kWrite);
  ASSERT_EQ(first.size(), 1u);
  const std::uint64_t id = proto::decode_write(body_in(first[0]))->id;
  done(id, EACCES);
  expect_lie();
  expect_outcome(EPROTO);
}

TEST_F(RmaInitiatorTest, answer_of_another_peer_is_a_lie) {
  const std::uint64_t id = write(100);
  Stranger other{2001, 0x6161};
  rig.meet(other);
  rig.hear(other.next(Kind::kDone, body_of(proto::Done{id, 0})));
  EXPECT_EQ(rig.counters().lies, 1u);
  EXPECT_EQ(rig.session_of(other), nullptr);
  done(id);
  expect_outcome(0);
}

TEST_F(RmaInitiatorTest, success_of_a_read_that_lacks_bytes_is_a_lie) {
  const std::uint64_t id = read(10);
  got(id, 0, text("hello"));
  done(id);
  expect_lie();
  expect_outcome(EPROTO);
}

TEST_F(RmaInitiatorTest, bytes_for_a_write_are_a_lie) {
  got(write(100), 0, text("x"));
  expect_lie();
}

TEST_F(RmaInitiatorTest, bytes_at_another_place_are_a_lie) {
  const auto before = memory;
  got(read(10), 1, text("x"));
  expect_lie();
  EXPECT_EQ(memory, before);
}

TEST_F(RmaInitiatorTest, more_bytes_than_were_asked_for_are_a_lie) {
  const auto before = memory;
  got(read(10), 0, text("hello world"));
  expect_lie();
  EXPECT_EQ(memory, before);
}

TEST_F(RmaInitiatorTest, no_bytes_are_a_lie) {
  got(read(10), 0, {});
  expect_lie();
}

}  // namespace
}  // namespace xs::core::test
