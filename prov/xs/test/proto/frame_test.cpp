// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "proto/frame.hpp"

#include <gtest/gtest.h>

#include <map>

#include "test/proto/hex.hpp"

namespace xs::proto {
namespace {

using test::from_hex;
using Frame = std::vector<std::byte>;

struct BodySize {
  std::uint32_t smallest;
  bool exact;
};

// Every kind of protocol version 1, by its number on the wire.
const std::map<int, BodySize> kKinds = {
    {1, {208, true}}, {2, {208, true}}, {3, {24, true}},   {4, {88, true}},  {5, {0, true}},
    {6, {216, true}}, {32, {16, false}}, {33, {40, true}}, {34, {48, true}}, {35, {16, false}},
    {36, {16, true}}, {37, {16, true}},  {38, {8, true}},
    {39, {40, false}}, {40, {16, false}}, {41, {32, true}}, {42, {16, false}}, {43, {40, false}}, {44, {16, true}},
    {45, {24, false}}, {46, {24, false}}, {47, {24, true}},
    {48, {48, true}}, {49, {8, true}},   {50, {16, true}}};

bool carries_seq(int kind) { return (kind >= 32 && kind < 48) || kind == 4; }

// A frame of that kind that decode_frame() takes, if it takes bodies of that size.
Frame frame_of(int kind, std::uint32_t length) {
  Frame frame(kPrefixSize + length);
  encode(Prefix{.kind = static_cast<Kind>(kind), .length = length, .token = 9, .seq = carries_seq(kind) ? 1u : 0u},
         frame.data());
  return frame;
}

Frame eager_golden() {
  return from_hex(
      "20 09 5853 13000000"  // EAGER, ACK_NOW and TAGGED, "XS", 19 bytes follow
      "8877665544332211"     // token
      "0500000000000000"     // seq
      "0700000001000000"     // ack
      "efcdab8967452301"     // tag
      "2a00000000000000"     // CQ data
      "616263");             // payload "abc"
}

TEST(Prefix, GoldenBytes) {
  const Frame golden = eager_golden();
  Frame frame = golden;
  std::fill_n(frame.begin(), kPrefixSize, std::byte{0xee});
  encode(Prefix{.kind = Kind::kEager,
                .flags = kAckNow | kTagged,
                .length = 19,
                .token = 0x1122334455667788,
                .seq = 5,
                .ack = 0x100000007},
         frame.data());
  EXPECT_EQ(frame, golden);
}

TEST(Prefix, DecodesGoldenBytes) {
  const Frame golden = eager_golden();
  const auto view = decode_frame(golden);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->prefix.kind, Kind::kEager);
  EXPECT_EQ(view->prefix.flags, kAckNow | kTagged);
  EXPECT_EQ(view->prefix.length, 19u);
  EXPECT_EQ(view->prefix.token, 0x1122334455667788u);
  EXPECT_EQ(view->prefix.seq, 5u);
  EXPECT_EQ(view->prefix.ack, 0x100000007u);
  EXPECT_EQ(view->body.data(), golden.data() + kPrefixSize);
  EXPECT_EQ(view->body.size(), 19u);
}

TEST(Prefix, RefreshChangesFlagsAndAckOnly) {
  Frame frame = eager_golden();
  refresh(frame.data(), kRtsOnly, 0x0102030405060708);
  EXPECT_EQ(frame, from_hex("20 02 5853 13000000 8877665544332211 0500000000000000 0807060504030201"
                            "efcdab8967452301 2a00000000000000 616263"));
}

TEST(DecodeFrame, TakesEveryKindAtItsSizesOnly) {
  for (const auto& [kind, size] : kKinds) {
    SCOPED_TRACE(kind);
    EXPECT_TRUE(decode_frame(frame_of(kind, size.smallest)));
    EXPECT_EQ(decode_frame(frame_of(kind, size.smallest + 1)).has_value(), !size.exact);
    if (size.smallest == 0) continue;
    EXPECT_FALSE(decode_frame(frame_of(kind, size.smallest - 1)));
  }
}

TEST(DecodeFrame, RefusesUnknownKinds) {
  for (int kind = 0; kind < 256; ++kind) {
    if (kKinds.contains(kind)) continue;
    for (std::uint32_t length = 0; length <= 160; length += 8) {
      Frame frame = frame_of(kind, length);
      EXPECT_FALSE(decode_frame(frame)) << kind;
      util::store<std::uint64_t>(frame.data() + 16, 1);
      EXPECT_FALSE(decode_frame(frame)) << kind;
    }
  }
}

TEST(DecodeFrame, RefusesWhatIsShorterThanAPrefix) {
  const Frame ack = frame_of(5, 0);
  for (std::size_t size = 0; size < kPrefixSize; ++size) {
    // Its own allocation, so that a sanitizer sees a read past the end.
    const Frame cut(ack.begin(), ack.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(decode_frame(cut)) << size;
  }
}

TEST(DecodeFrame, RefusesAnotherMagic) {
  for (const std::size_t at : {2, 3}) {
    Frame frame = eager_golden();
    frame[at] ^= std::byte{1};
    EXPECT_FALSE(decode_frame(frame)) << at;
  }
}

TEST(DecodeFrame, TakesKnownFlagsOnly) {
  for (int flags = 0; flags < 256; ++flags) {
    Frame frame = eager_golden();
    frame[1] = static_cast<std::byte>(flags);
    EXPECT_EQ(decode_frame(frame).has_value(), flags < 0x80) << flags;
  }
}

TEST(DecodeFrame, RefusesALengthThatIsNotWhatArrived) {
  for (const std::uint32_t length : {0u, 18u, 20u, 19u + 32u, 0xffffffffu}) {
    Frame frame = eager_golden();
    util::store(frame.data() + 4, length);
    EXPECT_FALSE(decode_frame(frame)) << length;
  }
  Frame longer = eager_golden();
  longer.emplace_back();
  EXPECT_FALSE(decode_frame(longer));
}

TEST(DecodeFrame, TakesNoTokenInHelloOnly) {
  for (const auto& [kind, size] : kKinds) {
    Frame frame = frame_of(kind, size.smallest);
    util::store<std::uint64_t>(frame.data() + 8, 0);
    EXPECT_EQ(decode_frame(frame).has_value(), kind == 1) << kind;
  }
}

TEST(DecodeFrame, TakesSequenceNumbersWhereTheyBelong) {
  for (const auto& [kind, size] : kKinds) {
    SCOPED_TRACE(kind);
    Frame frame = frame_of(kind, size.smallest);
    util::store<std::uint64_t>(frame.data() + 16, 0);
    EXPECT_EQ(decode_frame(frame).has_value(), !carries_seq(kind));
    util::store<std::uint64_t>(frame.data() + 16, 1ull << 40);
    const bool may = kind == 1 || kind == 2 || kind == 5;  // HELLO, WELCOME, ACK
    EXPECT_EQ(decode_frame(frame).has_value(), carries_seq(kind) || may);
  }
}

TEST(ClaimedToken, IsReadFromFramesThatAreRefused) {
  Frame frame = eager_golden();
  frame[0] = std::byte{0xff};
  ASSERT_FALSE(decode_frame(frame));
  EXPECT_EQ(claimed_token(frame), 0x1122334455667788u);
}

TEST(ClaimedToken, IsNoneInWhatIsNoFrame) {
  Frame frame = eager_golden();
  EXPECT_EQ(claimed_token(util::Bytes(frame).first(kPrefixSize - 1)), 0u);
  frame[2] = std::byte{0};
  EXPECT_EQ(claimed_token(frame), 0u);
}

TEST(Kind, SequencedFrom32To47) {
  for (const auto& [kind, size] : kKinds)
    EXPECT_EQ(is_sequenced(static_cast<Kind>(kind)), kind >= 32 && kind < 48) << kind;
}

// A body of another size is refused, whatever it holds.
template <class Decode>
void expect_exact_size(const Frame& golden, Decode decode) {
  EXPECT_TRUE(decode(golden));
  Frame longer = golden;
  longer.emplace_back();
  EXPECT_FALSE(decode(longer));
  const Frame shorter(golden.begin(), golden.end() - 1);
  EXPECT_FALSE(decode(shorter));
  EXPECT_FALSE(decode(Frame{}));
}

TEST(Envelope, GoldenBytes) {
  const Frame golden = from_hex("0807060504030201 1817161514131211");
  EXPECT_EQ(test::encoded(Envelope{.tag = 0x0102030405060708, .data = 0x1112131415161718}, kEnvelopeSize), golden);
  const auto body = decode_envelope(golden);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->tag, 0x0102030405060708u);
  EXPECT_EQ(body->data, 0x1112131415161718u);
}

TEST(Envelope, MayBeFollowedButNotCutShort) {
  Frame body(kEnvelopeSize + 5);
  EXPECT_TRUE(decode_envelope(body));
  body.resize(kEnvelopeSize - 1);
  EXPECT_FALSE(decode_envelope(body));
}

TEST(Rts, GoldenBytes) {
  const Frame golden = from_hex("0100000000000000 0200000000000000 0000000003000000 0400000000000080 0500000000000000");
  const Rts rts{.envelope = {.tag = 1, .data = 2}, .length = 3ull << 32, .send_id = 0x8000000000000004, .address = 5};
  EXPECT_EQ(test::encoded(rts, Rts::kSize), golden);
  const auto body = decode_rts(golden);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->envelope.tag, 1u);
  EXPECT_EQ(body->envelope.data, 2u);
  EXPECT_EQ(body->length, 3ull << 32);
  EXPECT_EQ(body->send_id, 0x8000000000000004u);
  EXPECT_EQ(body->address, 5u);
  expect_exact_size(golden, decode_rts);
}

TEST(Cts, GoldenBytes) {
  const Frame golden = from_hex(
      "0100000000000000 0200000000000000 0300000000000000 0400000000000000 02000000 05000000 06000000 00000000");
  const Cts cts{
      .send_id = 1, .receive_id = 2, .bulk_tag = 3, .length = 4, .mode = BulkMode::kBulk, .attempt = 5, .lane = 6};
  EXPECT_EQ(test::encoded(cts, Cts::kSize), golden);
  const auto body = decode_cts(golden);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->send_id, 1u);
  EXPECT_EQ(body->receive_id, 2u);
  EXPECT_EQ(body->bulk_tag, 3u);
  EXPECT_EQ(body->length, 4u);
  EXPECT_EQ(body->mode, BulkMode::kBulk);
  EXPECT_EQ(body->attempt, 5u);
  EXPECT_EQ(body->lane, 6u);
  expect_exact_size(golden, decode_cts);
}

TEST(Cts, RefusesAReservedFieldInUse) {
  for (std::size_t at = 44; at < Cts::kSize; ++at) {
    Frame body(Cts::kSize);
    util::store(body.data() + 32, BulkMode::kStream);
    EXPECT_TRUE(decode_cts(body));
    body[at] = std::byte{1};
    EXPECT_FALSE(decode_cts(body)) << at;
  }
}

TEST(Cts, TakesKnownModesOnly) {
  for (const std::uint32_t mode : {0u, 1u, 2u, 3u, 0x100u, 0x80000001u}) {
    Frame body(Cts::kSize);
    util::store(body.data() + 32, mode);
    EXPECT_EQ(decode_cts(body).has_value(), mode == 1 || mode == 2) << mode;
  }
}

TEST(DataHead, GoldenBytes) {
  const Frame golden = from_hex("0900000000000000 0000010000000000 6162");
  EXPECT_EQ(test::encoded(DataHead{.receive_id = 9, .offset = 65536}, DataHead::kSize),
            Frame(golden.begin(), golden.begin() + DataHead::kSize));
  const auto head = decode_data(golden);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->receive_id, 9u);
  EXPECT_EQ(head->offset, 65536u);
  EXPECT_FALSE(decode_data(util::Bytes(golden).first(DataHead::kSize - 1)));
}

TEST(DataHead, OffsetAndBytesFit64Bits) {
  Frame body(DataHead::kSize + 8);
  util::store(body.data() + 8, ~0ull - 8);
  EXPECT_TRUE(decode_data(body));
  util::store(body.data() + 8, ~0ull - 7);
  EXPECT_FALSE(decode_data(body));
}

TEST(Fin, GoldenBytes) {
  const Frame golden = from_hex("0700000000000000 09010000 00000000");
  EXPECT_EQ(test::encoded(Fin{.send_id = 7, .status = 265}, Fin::kSize), golden);
  const auto body = decode_fin(golden);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->send_id, 7u);
  EXPECT_EQ(body->status, 265u);
  expect_exact_size(golden, decode_fin);
}

TEST(Fin, Advises) {
  const Frame golden = from_hex("0700000000000000 00000000 02000000");
  EXPECT_EQ(test::encoded(Fin{.send_id = 7, .stream_long = true}, Fin::kSize), golden);
  for (std::uint32_t advice = 0; advice < 4; ++advice) {
    Frame body(Fin::kSize);
    util::store(body.data() + 12, advice);
    const auto fin = decode_fin(body);
    ASSERT_TRUE(fin) << advice;
    EXPECT_EQ(fin->copy_short, (advice & 1) != 0) << advice;
    EXPECT_EQ(fin->stream_long, (advice & 2) != 0) << advice;
    EXPECT_EQ(test::encoded(*fin, Fin::kSize), body) << advice;
  }
}

TEST(Fin, RefusesUnknownAdvice) {
  for (std::uint32_t bit = 4; bit != 0; bit <<= 1) {
    Frame body(Fin::kSize);
    util::store(body.data() + 12, bit);
    EXPECT_FALSE(decode_fin(body)) << bit;
  }
}

TEST(Fin, StatusIsAnErrno) {
  EXPECT_TRUE(decode_fin(test::encoded(Fin{.send_id = 1, .status = 4095}, Fin::kSize)));
  EXPECT_FALSE(decode_fin(test::encoded(Fin{.send_id = 1, .status = 4096}, Fin::kSize)));
}

TEST(Sent, GoldenBytes) {
  const Frame golden = from_hex("0700000000000000 03000000 05000000");
  EXPECT_EQ(test::encoded(Sent{.receive_id = 7, .attempt = 3, .status = 5}, Sent::kSize), golden);
  const auto body = decode_sent(golden);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->receive_id, 7u);
  EXPECT_EQ(body->attempt, 3u);
  EXPECT_EQ(body->status, 5u);
  expect_exact_size(golden, decode_sent);
}

TEST(Goodbye, GoldenBytes) {
  const Frame golden = from_hex("0700000000000000");
  EXPECT_EQ(test::encoded(Goodbye{.taken = 7}, Goodbye::kSize), golden);
  const auto body = decode_goodbye(golden);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->taken, 7u);
  expect_exact_size(golden, decode_goodbye);
  EXPECT_FALSE(decode_goodbye(from_hex("0000000000000000")));  // numbers begin at 1
}

TEST(Sent, StatusIsAnErrno) {
  EXPECT_TRUE(decode_sent(test::encoded(Sent{.receive_id = 1, .status = 4095}, Sent::kSize)));
  EXPECT_FALSE(decode_sent(test::encoded(Sent{.receive_id = 1, .status = 4096}, Sent::kSize)));
}

}  // namespace
}  // namespace xs::proto
