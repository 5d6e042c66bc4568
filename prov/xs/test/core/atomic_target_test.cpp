// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Atomics at the target, asked for by a stranger.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/rig.hpp"

namespace xs::core::test {
namespace {

using proto::AtomicForm;
using proto::Kind;

constexpr std::uint64_t kKey = 7;
constexpr std::size_t kElements = 512;

struct AtomicTargetTest : testing::Test {
  AtomicTargetTest() {
    for (std::size_t i = 0; i < kElements; ++i) numbers[i] = 1000 + i;
    shown.memory = UserMemory(std::as_writable_bytes(std::span(numbers)));
    shown.rights = kReadable | kWritable;
    shown.key = kKey;
    EXPECT_EQ(rig.memory.add(shown), 0);
    rig.meet(peer);
  }
  ~AtomicTargetTest() override {
    if (shown.number != 0) rig.memory.remove(shown);
  }

  static proto::Atomic atomic(AtomicForm form, AtomicOperation operation, std::uint32_t count) {
    const bool compares = form == AtomicForm::kCompare;
    return {.id = 1,
            .key = kKey,
            .address = 0,
            .operation = static_cast<std::uint8_t>(operation),
            .datatype = static_cast<std::uint8_t>(Datatype::kUint64),
            .form = form,
            .count = count,
            .length = count * 8 *
                      (compares                              ? 2
                       : operation == AtomicOperation::kRead ? 0
                                                             : 1)};
  }
  static Frame words(std::initializer_list<std::uint64_t> values) {
    Frame bytes(values.size() * 8);
    std::size_t at = 0;
    for (const std::uint64_t value : values) util::store(bytes.data() + 8 * at++, value);
    return bytes;
  }
  void say(const proto::Atomic& head, const Frame& operands) {
    Frame body = body_of(head);
    body.insert(body.end(), operands.begin(), operands.end());
    rig.hear(peer.next(Kind::kAtomic, body));
  }
  void put(std::uint64_t offset, const Frame& bytes) {
    rig.hear(peer.next(Kind::kPut, data(1, offset, bytes)));
  }
  void expect_done(std::uint32_t status) {
    const auto frames = of_kind(rig.said(), Kind::kDone);
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(proto::decode_done(body_in(frames[0]))->status, status);
  }
  void expect_got(std::initializer_list<std::uint64_t> values) {
    const auto said = rig.said();
    EXPECT_TRUE(of_kind(said, Kind::kDone).empty());
    const auto frames = of_kind(said, Kind::kGot);
    ASSERT_EQ(frames.size(), 1u);
    const auto body = body_in(frames[0]);
    const Frame expected = words(values);
    ASSERT_EQ(body.size(), proto::PartHead::kSize + expected.size());
    EXPECT_EQ(std::memcmp(body.data() + proto::PartHead::kSize, expected.data(), expected.size()),
              0);
  }
  void expect_untouched() {
    for (std::size_t i = 0; i < kElements; ++i) EXPECT_EQ(numbers[i], 1000 + i);
  }

  Rig rig;
  Stranger peer{2000};
  std::array<std::uint64_t, kElements> numbers;
  Registration shown;
};

TEST_F(AtomicTargetTest, update_is_answered_by_done) {
  say(atomic(AtomicForm::kUpdate, AtomicOperation::kSum, 2), words({5, 6}));
  EXPECT_EQ(numbers[0], 1005u);
  EXPECT_EQ(numbers[1], 1007u);
  EXPECT_EQ(numbers[2], 1002u);
  expect_done(0);
}

TEST_F(AtomicTargetTest, fetch_brings_what_stood_there) {
  say(atomic(AtomicForm::kFetch, AtomicOperation::kSum, 2), words({5, 6}));
  EXPECT_EQ(numbers[0], 1005u);
  expect_got({1000, 1001});
}

TEST_F(AtomicTargetTest, read_has_no_operands) {
  say(atomic(AtomicForm::kFetch, AtomicOperation::kRead, 3), {});
  expect_got({1000, 1001, 1002});
  expect_untouched();
}

TEST_F(AtomicTargetTest, compare_has_values_first) {
  say(atomic(AtomicForm::kCompare, AtomicOperation::kSwapIfEqual, 2), words({5, 6, 1000, 7}));
  EXPECT_EQ(numbers[0], 5u);
  EXPECT_EQ(numbers[1], 1001u);
  expect_got({1000, 1001});
}

// Nothing is computed before the last operand has come.
TEST_F(AtomicTargetTest, operands_may_come_in_parts) {
  say(atomic(AtomicForm::kUpdate, AtomicOperation::kSum, 2), words({5}));
  expect_untouched();
  put(8, words({6}));
  EXPECT_EQ(numbers[0], 1005u);
  EXPECT_EQ(numbers[1], 1007u);
  expect_done(0);
}

// As the whole is checked again then.
TEST_F(AtomicTargetTest, registration_closed_between_its_parts) {
  say(atomic(AtomicForm::kUpdate, AtomicOperation::kSum, 2), words({5}));
  rig.memory.remove(shown);
  shown.number = 0;
  put(8, words({6}));
  expect_done(kNoKey);
  expect_untouched();
}

TEST_F(AtomicTargetTest, elements_may_stand_in_two_pieces) {
  rig.memory.remove(shown);
  std::array<std::byte, 12> front{};
  std::array<std::byte, 12> back{};
  const struct iovec iov[] = {{front.data(), 12}, {back.data(), 12}};
  shown.memory = UserMemory(iov);
  ASSERT_EQ(rig.memory.add(shown), 0);
  say(atomic(AtomicForm::kUpdate, AtomicOperation::kSum, 3), words({1, 0x0807060504030201, 3}));
  expect_done(0);
  EXPECT_EQ(util::load<std::uint64_t>(front.data()), 1u);
  EXPECT_EQ(util::load<std::uint32_t>(front.data() + 8), 0x04030201u);
  EXPECT_EQ(util::load<std::uint32_t>(back.data()), 0x08070605u);
  EXPECT_EQ(util::load<std::uint64_t>(back.data() + 4), 3u);
}

TEST_F(AtomicTargetTest, reading_writes_neither_piece) {
  rig.memory.remove(shown);
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const at = mmap(nullptr, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(at, MAP_FAILED);
  const struct iovec iov[] = {{at, 12}, {at, 12}};
  shown.memory = UserMemory(iov);
  shown.rights = kReadable;
  ASSERT_EQ(rig.memory.add(shown), 0);
  say(atomic(AtomicForm::kFetch, AtomicOperation::kRead, 3), {});
  expect_got({0, 0, 0});
  munmap(at, page);
}

TEST_F(AtomicTargetTest, what_is_refused_touches_nothing) {
  proto::Atomic wrong = atomic(AtomicForm::kUpdate, AtomicOperation::kSum, 2);
  wrong.key = 8;
  say(wrong, words({5, 6}));
  expect_done(kNoKey);
  wrong.key = kKey;
  wrong.address = 8 * kElements - 8;
  say(wrong, words({5, 6}));
  expect_done(EACCES);
  wrong.address = 0;
  wrong.datatype = 77;
  say(wrong, words({5, 6}));
  expect_done(EOPNOTSUPP);
  wrong.datatype = static_cast<std::uint8_t>(Datatype::kUint64);
  wrong.operation = static_cast<std::uint8_t>(AtomicOperation::kSwapIfEqual);
  say(wrong, words({5, 6}));
  expect_done(EOPNOTSUPP);
  wrong.operation = static_cast<std::uint8_t>(AtomicOperation::kSum);
  wrong.count = 3;
  say(wrong, words({5, 6}));
  expect_done(EINVAL);
  wrong.count = 0x20000002;  // times 8 this would be 16 in 32 bits
  say(wrong, words({5, 6}));
  expect_done(EINVAL);
  EXPECT_EQ(rig.counters().lies, 0u);
  expect_untouched();
}

TEST_F(AtomicTargetTest, rights_are_those_of_what_it_does) {
  shown.rights = kWritable;
  say(atomic(AtomicForm::kFetch, AtomicOperation::kSum, 1), words({5}));
  expect_done(EACCES);
  say(atomic(AtomicForm::kUpdate, AtomicOperation::kSum, 1), words({5}));
  expect_done(0);
  shown.rights = kReadable;
  say(atomic(AtomicForm::kUpdate, AtomicOperation::kSum, 1), words({5}));
  expect_done(EACCES);
  say(atomic(AtomicForm::kFetch, AtomicOperation::kRead, 1), {});
  expect_got({1005});
}

TEST_F(AtomicTargetTest, more_operands_than_were_told_are_a_lie) {
  say(atomic(AtomicForm::kUpdate, AtomicOperation::kSum, 1), words({5, 6}));
  EXPECT_EQ(rig.counters().lies, 1u);
  expect_untouched();
}

TEST_F(AtomicTargetTest, another_operation_between_its_parts_is_a_lie) {
  say(atomic(AtomicForm::kUpdate, AtomicOperation::kSum, 2), words({5}));
  say(atomic(AtomicForm::kUpdate, AtomicOperation::kSum, 1), words({5}));
  EXPECT_EQ(rig.counters().lies, 1u);
  expect_untouched();
}

// ---- The initiator, who hears the answers ----

TEST_F(AtomicTargetTest, initiator_gives_operands_and_takes_results) {
  const PeerAddress to = rig.address_of(peer);
  std::array<std::uint64_t, 2> values{5, 6}, compares{7, 8}, results{};
  const auto piece = [](auto& of) { return iovec{of.data(), sizeof of}; };
  const struct iovec v = piece(values), c = piece(compares), r = piece(results);
  ASSERT_EQ(rig.endpoint->reach(AtomicOp{.kind = RmaKind::kCompare,
                                         .operation = AtomicOperation::kSwapIfEqual,
                                         .datatype = Datatype::kUint64,
                                         .count = 2,
                                         .values = {&v, 1},
                                         .compares = {&c, 1},
                                         .results = {&r, 1},
                                         .to = to,
                                         .address = 64,
                                         .key = 3,
                                         .flags = kOpCompletion,
                                         .context = &values}),
            Status::kOk);
  values = compares = {};  // copied
  rig.settle();
  const auto frames = of_kind(rig.said(), Kind::kAtomic);
  ASSERT_EQ(frames.size(), 1u);
  const auto body = body_in(frames[0]);
  const auto head = proto::decode_atomic(body);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->address, 64u);
  EXPECT_EQ(head->key, 3u);
  EXPECT_EQ(head->count, 2u);
  EXPECT_EQ(head->form, AtomicForm::kCompare);
  EXPECT_EQ(head->length, 32u);
  const Frame operands = words({5, 6, 7, 8});
  ASSERT_EQ(body.size(), proto::Atomic::kSize + operands.size());
  EXPECT_EQ(std::memcmp(body.data() + proto::Atomic::kSize, operands.data(), operands.size()), 0);
  rig.hear(peer.next(Kind::kGot, data(head->id, 0, words({20}))));
  EXPECT_FALSE(rig.outcome());
  rig.hear(peer.next(Kind::kGot, data(head->id, 8, words({21}))));
  const auto outcome = rig.outcome();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->error, 0);
  EXPECT_EQ(results, (std::array<std::uint64_t, 2>{20, 21}));
}

}  // namespace
}  // namespace xs::core::test
