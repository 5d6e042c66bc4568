// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "proto/greeting.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "proto/frame.hpp"
#include "test/proto/hex.hpp"

namespace xs::proto {
namespace {

using test::encoded;
using test::from_hex;
using Body = std::vector<std::byte>;

constexpr std::size_t kTokenAt = 32;
constexpr std::size_t kHomeAt = 56;
constexpr std::size_t kAnswerAt = 88;
constexpr std::size_t kProviderAt = 120;

Address address_v4() {
  Address a{.family = 4, .port = 4000};
  const Body ip = from_hex("c0000201");  // 192.0.2.1
  std::copy(ip.begin(), ip.end(), a.ip.begin());
  return a;
}

Address address_v6() {
  Address a{.family = 6, .port = 0x1234, .scope = 3};
  const Body ip = from_hex("fe800000000000000000000000000001");
  std::copy(ip.begin(), ip.end(), a.ip.begin());
  return a;
}

Greeting greeting() {
  Greeting g;
  g.version_low = 1;
  g.version_high = 2;
  g.largest_frame = 16384;
  g.window = 512;
  g.sender = {.high = 0x1112131415161718, .low = 0x0102030405060708};
  g.token = 0x2122232425262728;
  g.addressee = {.high = 0x4142434445464748, .low = 0x3132333435363738};
  g.lane = 0x51525354;
  g.home = address_v4();
  g.answer = address_v6();
  g.provider = provider_name("tcp;ofi_rxm");
  g.card[0] = std::byte{0x77};
  g.card[63] = std::byte{0x99};
  return g;
}

Body greeting_golden() {
  return from_hex(
      "0100 0200 00400000 00020000 54535251"                                 // versions, largest frame, window, lane
      "0807060504030201 1817161514131211"                                  // sender
      "2827262524232221"                                                   // token
      "3837363534333231 4847464544434241"                                  // addressee
      "0400 0fa0 00000000 c0000201000000000000000000000000 0000000000000000"  // home 192.0.2.1:4000
      "0600 1234 03000000 fe800000000000000000000000000001 0000000000000000"  // answer [fe80::1%3]:4660
      "7463703b6f66695f72786d00 000000000000000000000000"                  // "tcp;ofi_rxm"
      "7700000000000000 0000000000000000 0000000000000000 0000000000000000"  // card
      "0000000000000000 0000000000000000 0000000000000000 0000000000000099");
}

void expect_same(const Greeting& a, const Greeting& b) {
  EXPECT_EQ(a.version_low, b.version_low);
  EXPECT_EQ(a.version_high, b.version_high);
  EXPECT_EQ(a.largest_frame, b.largest_frame);
  EXPECT_EQ(a.window, b.window);
  EXPECT_EQ(a.sender, b.sender);
  EXPECT_EQ(a.token, b.token);
  EXPECT_EQ(a.addressee, b.addressee);
  EXPECT_EQ(a.lane, b.lane);
  EXPECT_EQ(a.home, b.home);
  EXPECT_EQ(a.answer, b.answer);
  EXPECT_EQ(a.provider, b.provider);
  EXPECT_EQ(a.card, b.card);
}

// Whether the body is still taken after these bytes were written over it.
template <class Decode>
bool takes(Body body, std::size_t at, std::string_view hex, Decode decode) {
  const Body bytes = from_hex(hex);
  std::copy(bytes.begin(), bytes.end(), body.begin() + static_cast<std::ptrdiff_t>(at));
  return decode(body).has_value();
}

bool greeting_takes(std::size_t at, std::string_view hex) { return takes(greeting_golden(), at, hex, decode_greeting); }

template <class Decode>
void expect_exact_size(const Body& golden, Decode decode) {
  EXPECT_TRUE(decode(golden));
  for (std::size_t size = 0; size <= golden.size() + 8; ++size) {
    Body other = golden;
    other.resize(size);
    EXPECT_EQ(decode(other).has_value(), size == golden.size()) << size;
  }
}

TEST(Greeting, GoldenBytes) {
  EXPECT_EQ(encoded(greeting(), kGreetingSize), greeting_golden());
  const auto decoded = decode_greeting(greeting_golden());
  ASSERT_TRUE(decoded);
  expect_same(*decoded, greeting());
  expect_exact_size(greeting_golden(), decode_greeting);
}

TEST(Greeting, RefusesReservedFieldsInUse) {
  for (const std::size_t field : {kHomeAt + 4, kHomeAt + 12, kHomeAt + 16, kHomeAt + 20, kHomeAt + 24, kHomeAt + 28,
                                  kAnswerAt + 24, kAnswerAt + 28}) {
    for (std::size_t at = field; at < field + 4; ++at) EXPECT_FALSE(greeting_takes(at, "01")) << at;
  }
}

TEST(Greeting, NeedsASender) {
  EXPECT_FALSE(greeting_takes(16, "0000000000000000 0000000000000000"));
  EXPECT_TRUE(greeting_takes(16, "0000000000000000"));
  EXPECT_TRUE(greeting_takes(24, "0000000000000000"));
}

TEST(Greeting, NeedsAToken) { EXPECT_FALSE(greeting_takes(kTokenAt, "0000000000000000")); }

TEST(Greeting, NeedsNoAddressee) { EXPECT_TRUE(greeting_takes(40, "0000000000000000 0000000000000000")); }

TEST(Greeting, NeedsTwoAddresses) {
  for (const std::size_t at : {kHomeAt, kAnswerAt}) {
    EXPECT_FALSE(greeting_takes(at, "0000")) << at;
    EXPECT_FALSE(greeting_takes(at, "0500")) << at;
    EXPECT_FALSE(greeting_takes(at + 2, "0000")) << at;
  }
}

TEST(Greeting, NeedsAPaddedProviderName) {
  EXPECT_FALSE(greeting_takes(kProviderAt + 23, "61"));
  EXPECT_FALSE(greeting_takes(kProviderAt + 12, "61"));
  EXPECT_FALSE(greeting_takes(kProviderAt, "616161616161616161616161616161616161616161616161"));
  EXPECT_TRUE(greeting_takes(kProviderAt, "6161616161616161616161616161616161616161616161 00"));
}

TEST(Greeting, LeavesVersionsAndLimitsToTheSession) {
  EXPECT_TRUE(greeting_takes(0, "0900 0300 00000000 ffffffff"));
}

TEST(Refuse, GoldenBytes) {
  Body golden = from_hex("02000000 00000000");
  const Body inner = greeting_golden();
  golden.insert(golden.end(), inner.begin(), inner.end());
  std::fill_n(golden.begin() + 8 + kTokenAt, 8, std::byte{});

  EXPECT_EQ(encoded(Refuse{RefuseReason::kProvider, greeting()}, Refuse::kSize), golden);
  const auto decoded = decode_refuse(golden);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->reason, RefuseReason::kProvider);
  Greeting without_token = greeting();
  without_token.token = 0;
  expect_same(decoded->greeting, without_token);
  expect_exact_size(golden, decode_refuse);
}

TEST(Refuse, TakesKnownReasonsOnly) {
  const Body body = encoded(Refuse{RefuseReason::kVersion, greeting()}, Refuse::kSize);
  EXPECT_FALSE(takes(body, 0, "00000000", decode_refuse));
  for (const char* reason : {"01", "02", "03", "04"}) EXPECT_TRUE(takes(body, 0, reason, decode_refuse)) << reason;
  EXPECT_FALSE(takes(body, 0, "05000000", decode_refuse));
  EXPECT_FALSE(takes(body, 0, "01000080", decode_refuse));
}

TEST(Refuse, RefusesReservedFieldsInUse) {
  const Body body = encoded(Refuse{RefuseReason::kVersion, greeting()}, Refuse::kSize);
  for (std::size_t at = 4; at < 8; ++at) EXPECT_FALSE(takes(body, at, "01", decode_refuse)) << at;
  EXPECT_FALSE(takes(body, 8 + kTokenAt, "01", decode_refuse));
}

TEST(Reset, GoldenBytes) {
  const Body golden = from_hex("0200000000000000 0100000000000000 02000000 07000000");
  EXPECT_EQ(encoded(Reset{.sender = {.high = 1, .low = 2}, .reason = ResetReason::kEnded, .route = 7}, Reset::kSize), golden);
  const auto decoded = decode_reset(golden);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->sender, (Incarnation{.high = 1, .low = 2}));
  EXPECT_EQ(decoded->reason, ResetReason::kEnded);
  EXPECT_EQ(decoded->route, 7u);
  expect_exact_size(golden, decode_reset);
}

TEST(Reset, RefusesWhatIsImpossible) {
  const Body body = encoded(Reset{.sender = {.high = 0, .low = 2}, .reason = ResetReason::kUnknown, .route = 0}, Reset::kSize);
  EXPECT_TRUE(decode_reset(body));
  EXPECT_FALSE(takes(body, 0, "00", decode_reset));
  for (const char* reason : {"00", "03", "01000080"}) EXPECT_FALSE(takes(body, 16, reason, decode_reset)) << reason;
}

Ping ping() { return {.sender = {.high = 0, .low = 2}, .home = address_v4(), .lane = 3, .answer = address_v6()}; }

TEST(Ping, GoldenBytes) {
  const Body golden = from_hex(
      "0200000000000000 0000000000000000"                                     // sender
      "0400 0fa0 00000000 c0000201000000000000000000000000 0000000000000000"  // home
      "03000000 00000000"                                                     // lane, zero
      "0600 1234 03000000 fe800000000000000000000000000001 0000000000000000"  // answer
  );
  EXPECT_EQ(encoded(ping(), Ping::kSize), golden);
  const auto decoded = decode_ping(golden);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->sender, ping().sender);
  EXPECT_EQ(decoded->home, address_v4());
  EXPECT_EQ(decoded->lane, 3u);
  EXPECT_EQ(decoded->answer, address_v6());
  expect_exact_size(golden, decode_ping);
}

TEST(Ping, RefusesWhatIsImpossible) {
  const Body body = encoded(ping(), Ping::kSize);
  EXPECT_FALSE(takes(body, 0, "00", decode_ping));
  EXPECT_FALSE(takes(body, 16, "00", decode_ping));
  EXPECT_FALSE(takes(body, 56, "00", decode_ping));
  for (std::size_t at = 52; at < 56; ++at) EXPECT_FALSE(takes(body, at, "01", decode_ping)) << at;
  EXPECT_FALSE(takes(body, 87, "01", decode_ping));
}

TEST(Bodies, FitTheFramesThatCarryThem) {
  EXPECT_TRUE(is_body_size(Kind::kHello, kGreetingSize));
  EXPECT_TRUE(is_body_size(Kind::kWelcome, kGreetingSize));
  EXPECT_TRUE(is_body_size(Kind::kRefuse, Refuse::kSize));
  EXPECT_TRUE(is_body_size(Kind::kReset, Reset::kSize));
  EXPECT_TRUE(is_body_size(Kind::kPing, Ping::kSize));
  EXPECT_LE(kPrefixSize + Refuse::kSize, kSmallestFrame);
}

TEST(ProviderName, IsCutBeforeTheLastZero) {
  EXPECT_EQ(provider_name(""), ProviderName{});
  EXPECT_STREQ(provider_name("tcp").data(), "tcp");
  EXPECT_STREQ(provider_name("abcdefghijklmnopqrstuvw").data(), "abcdefghijklmnopqrstuvw");
  EXPECT_STREQ(provider_name("abcdefghijklmnopqrstuvwxyz").data(), "abcdefghijklmnopqrstuvw");
}

TEST(Incarnation, IsKnownIfAnyBitIs) {
  EXPECT_FALSE(Incarnation{});
  EXPECT_TRUE((Incarnation{.high = 1, .low = 0}));
  EXPECT_TRUE((Incarnation{.high = 0, .low = 1}));
}

}  // namespace
}  // namespace xs::proto
