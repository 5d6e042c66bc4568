// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "proto/rma_frame.hpp"

#include <gtest/gtest.h>

#include "proto/frame.hpp"
#include "test/proto/hex.hpp"

namespace xs::proto {
namespace {

using test::from_hex;
using Frame = std::vector<std::byte>;

template <class Decode>
void expect_at_least(const Frame& golden, std::size_t size, Decode decode) {
  EXPECT_TRUE(decode(golden));
  for (std::size_t shorter = 0; shorter < size; ++shorter)
    EXPECT_FALSE(decode(util::Bytes(golden).first(shorter))) << shorter;
}

TEST(Write, GoldenBytes) {
  const Frame golden = from_hex(
      "0900000001000000 0100000000000080 0010000000000000 0000000000000001 2a00000000000000 6162");
  const Write write{.id = 0x100000009,
                    .key = 0x8000000000000001,
                    .address = 4096,
                    .length = 1ull << 56,
                    .data = 42};
  EXPECT_EQ(test::encoded(write, Write::kSize),
            Frame(golden.begin(), golden.begin() + Write::kSize));
  const auto body = decode_write(golden);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->id, 0x100000009u);
  EXPECT_EQ(body->key, 0x8000000000000001u);
  EXPECT_EQ(body->address, 4096u);
  EXPECT_EQ(body->length, 1ull << 56);
  EXPECT_EQ(body->data, 42u);
  expect_at_least(golden, Write::kSize, decode_write);
}

TEST(Write, CarriesNoMoreThanItAnnounces) {
  Frame body(Write::kSize + 8);
  util::store<std::uint64_t>(body.data() + 24, 8);
  EXPECT_TRUE(decode_write(body));
  util::store<std::uint64_t>(body.data() + 24, 7);
  EXPECT_FALSE(decode_write(body));
}

TEST(PartHead, GoldenBytes) {
  const Frame golden = from_hex("0900000000000000 0000010000000000 6162");
  EXPECT_EQ(test::encoded(PartHead{.id = 9, .offset = 65536}, PartHead::kSize),
            Frame(golden.begin(), golden.begin() + PartHead::kSize));
  const auto head = decode_part(golden);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->id, 9u);
  EXPECT_EQ(head->offset, 65536u);
  expect_at_least(golden, PartHead::kSize, decode_part);
}

TEST(PartHead, OffsetAndBytesFit64Bits) {
  Frame body(PartHead::kSize + 8);
  util::store(body.data() + 8, ~0ull - 8);
  EXPECT_TRUE(decode_part(body));
  util::store(body.data() + 8, ~0ull - 7);
  EXPECT_FALSE(decode_part(body));
}

TEST(Read, GoldenBytes) {
  const Frame golden =
      from_hex("0100000000000000 0200000000000000 0300000000000000 0000000004000000");
  EXPECT_EQ(test::encoded(Read{.id = 1, .key = 2, .address = 3, .length = 4ull << 32}, Read::kSize),
            golden);
  const auto body = decode_read(golden);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->id, 1u);
  EXPECT_EQ(body->key, 2u);
  EXPECT_EQ(body->address, 3u);
  EXPECT_EQ(body->length, 4ull << 32);
  Frame longer = golden;
  longer.emplace_back();
  EXPECT_FALSE(decode_read(longer));
  expect_at_least(golden, Read::kSize, decode_read);
}

Frame atomic_golden() {
  return from_hex(
      "0100000000000000 0200000000000000 0300000000000000"  // id, key, address
      "0c 07 03 00 02000000"                                // CSWAP, UINT64, compare; two elements
      "20000000 00000000"                                   // 32 bytes of operands
      "6162");
}

TEST(Atomic, GoldenBytes) {
  const Frame golden = atomic_golden();
  const Atomic atomic{.id = 1,
                      .key = 2,
                      .address = 3,
                      .operation = 12,
                      .datatype = 7,
                      .form = AtomicForm::kCompare,
                      .count = 2,
                      .length = 32};
  EXPECT_EQ(test::encoded(atomic, Atomic::kSize),
            Frame(golden.begin(), golden.begin() + Atomic::kSize));
  const auto body = decode_atomic(golden);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->id, 1u);
  EXPECT_EQ(body->key, 2u);
  EXPECT_EQ(body->address, 3u);
  EXPECT_EQ(body->operation, 12u);
  EXPECT_EQ(body->datatype, 7u);
  EXPECT_EQ(body->form, AtomicForm::kCompare);
  EXPECT_EQ(body->count, 2u);
  EXPECT_EQ(body->length, 32u);
  expect_at_least(golden, Atomic::kSize, decode_atomic);
}

TEST(Atomic, RefusesReservedFieldsInUse) {
  for (const std::size_t at : {27, 36, 37, 38, 39}) {
    Frame body = atomic_golden();
    body[at] = std::byte{1};
    EXPECT_FALSE(decode_atomic(body)) << at;
  }
}

TEST(Atomic, TakesKnownFormsOnly) {
  for (int form = 0; form < 256; ++form) {
    Frame body = atomic_golden();
    body[26] = static_cast<std::byte>(form);
    EXPECT_EQ(decode_atomic(body).has_value(), form >= 1 && form <= 3) << form;
  }
}

TEST(Atomic, OperandsHaveABound) {
  Frame body = atomic_golden();
  util::store(body.data() + 32, kLargestOperands);
  EXPECT_TRUE(decode_atomic(body));
  util::store(body.data() + 32, kLargestOperands + 1);
  EXPECT_FALSE(decode_atomic(body));
  util::store<std::uint32_t>(body.data() + 32, 1);  // two stand there
  EXPECT_FALSE(decode_atomic(body));
}

TEST(Done, GoldenBytes) {
  const Frame golden = from_hex("0700000000000000 09010000 00000000");
  EXPECT_EQ(test::encoded(Done{.id = 7, .status = 265}, Done::kSize), golden);
  const auto body = decode_done(golden);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->id, 7u);
  EXPECT_EQ(body->status, 265u);
  Frame longer = golden;
  longer.emplace_back();
  EXPECT_FALSE(decode_done(longer));
  expect_at_least(golden, Done::kSize, decode_done);
}

TEST(Done, RefusesAReservedFieldInUseAndWhatIsNoErrno) {
  for (std::size_t at = 12; at < Done::kSize; ++at) {
    Frame body(Done::kSize);
    body[at] = std::byte{1};
    EXPECT_FALSE(decode_done(body)) << at;
  }
  EXPECT_TRUE(decode_done(test::encoded(Done{.id = 1, .status = 4095}, Done::kSize)));
  EXPECT_FALSE(decode_done(test::encoded(Done{.id = 1, .status = 4096}, Done::kSize)));
}

}  // namespace
}  // namespace xs::proto
