// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What goes from one endpoint to another.
#include <algorithm>
#include <array>
#include <cerrno>

#include "contract/inner_contract.hpp"

namespace xs::test {

using carrier::InnerAddress;
using carrier::InnerCompletion;
using carrier::InnerOperation;
using carrier::Posted;

namespace {

TEST_P(InnerContract, NamesAreConcreteAndDistinct) {
  Side& a = open();
  Side& b = open();
  EXPECT_NE(a->name().port, 0);
  EXPECT_FALSE(a->name().is_wildcard());
  EXPECT_EQ(a->name().family, provider().source().family);
  EXPECT_NE(a->name(), b->name());
}

TEST_P(InnerContract, LimitsAreUsable) {
  EXPECT_GE(provider().inject_limit(), 32u) << "a prefix must fit";
  EXPECT_GE(provider().iov_limit(), 1u);
  EXPECT_GE(provider().receive_depth(), 64u);
  EXPECT_GE(provider().message_limit(), 1u << 20);
}

TEST_P(InnerContract, SameAddressSameNumber) {
  Side& a = open();
  Side& b = open();
  Side& c = open();
  EXPECT_EQ(number(a, b), number(a, b));
  EXPECT_NE(number(a, b), number(a, c));
}

TEST_P(InnerContract, RefusesAddressesThatCanNotBePeers) {
  Side& a = open();
  proto::Address other_family = a->name();
  other_family.family = other_family.family == 4 ? 6 : 4;
  auto refused = a->insert(other_family);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EINVAL);
  proto::Address no_port = a->name();
  no_port.port = 0;
  EXPECT_FALSE(a->insert(no_port));
}

TEST_P(InnerContract, ExchangesBothWays) {
  Side& a = open();
  Side& b = open();
  for (const std::size_t size : {1u, 64u, 4096u, 65536u}) {
    EXPECT_TRUE(exchange(a, b, size)) << size;
    EXPECT_TRUE(exchange(b, a, size)) << size;
  }
}

TEST_P(InnerContract, SendsToItself) {
  Side& a = open();
  EXPECT_TRUE(exchange(a, a));
  EXPECT_TRUE(exchange(a, a, 4096));
}

TEST_P(InnerContract, BothMayMeetAtOnce) {
  for (int round = 0; round < 8; ++round) {
    Side& a = open();
    Side& b = open();
    const Side::Transfer& at_a = a.receive(64);
    const Side::Transfer& at_b = b.receive(64);
    Side::Transfer& from_a = a.keep(pattern(64, 1));
    Side::Transfer& from_b = b.keep(pattern(64, 2));
    const struct iovec iov_a = from_a.iov();
    const struct iovec iov_b = from_b.iov();
    bool a_sent = false;
    bool b_sent = false;
    EXPECT_TRUE(until([&] {
      if (!a_sent) a_sent = a->send(number(a, b), {&iov_a, 1}, from_a) == Posted::kOk;
      if (!b_sent) b_sent = b->send(number(b, a), {&iov_b, 1}, from_b) == Posted::kOk;
      return a.end_of(at_a) && b.end_of(at_b);
    }));
    a.close();
    b.close();
  }
}

TEST_P(InnerContract, KeepsOrderOfSmallMessages) {
  constexpr unsigned kMessages = 300;
  constexpr unsigned kPosted = 32;
  Side& a = open();
  Side& b = open();
  ASSERT_TRUE(exchange(a, b));
  const InnerAddress to = number(a, b);
  const auto message = [](unsigned i) { return pattern(i % 3 ? 8 + i : 32, i); };
  std::vector<Side::Transfer*> receives;
  for (unsigned i = 0; i < kPosted; ++i) receives.push_back(&b.receive(2048));
  for (unsigned i = 0; i < kMessages; ++i) {
    const Bytes bytes = message(i);
    if (i % 3 == 0) {
      ASSERT_TRUE(until([&] { return a->inject(to, bytes.data(), bytes.size()) == Posted::kOk; }));
    } else {
      send(a, to, bytes);
    }
    if (i + kPosted < kMessages) receives.push_back(&b.receive(2048));
  }
  ASSERT_TRUE(until([&] { return b.ends().size() == kMessages + 1; }));
  for (unsigned i = 0; i < kMessages; ++i) {
    const Bytes bytes = message(i);
    const InnerCompletion& end = b.ends()[i + 1];
    ASSERT_EQ(end.operation, receives[i]) << i;
    ASSERT_EQ(end.error, 0) << i;
    ASSERT_EQ(end.length, bytes.size()) << i;
    ASSERT_TRUE(std::equal(bytes.begin(), bytes.end(), receives[i]->bytes.begin())) << i;
  }
}

TEST_P(InnerContract, InjectCopiesAndLeavesNoCompletion) {
  Side& a = open();
  Side& b = open();
  ASSERT_TRUE(exchange(a, b));
  const std::size_t ends = a.ends().size();
  const std::size_t size = std::min<std::size_t>(provider().inject_limit(), 128);
  const Side::Transfer& receive = b.receive(size);
  Bytes bytes = pattern(size, 9);
  const InnerAddress to = number(a, b);
  ASSERT_TRUE(until([&] { return a->inject(to, bytes.data(), size) == Posted::kOk; }));
  std::fill(bytes.begin(), bytes.end(), std::byte{0});
  ASSERT_TRUE(until([&] { return b.end_of(receive) != nullptr; }));
  EXPECT_EQ(receive.bytes, pattern(size, 9));
  settle();
  EXPECT_EQ(a.ends().size(), ends);
}

TEST_P(InnerContract, GathersAndScatters) {
  Side& a = open();
  Side& b = open();
  ASSERT_TRUE(exchange(a, b));
  const std::size_t parts = provider().iov_limit();
  const Bytes bytes = pattern(1000 * parts, 5);
  Bytes untagged(bytes.size());
  Bytes tagged(bytes.size());
  std::vector<struct iovec> from, into;
  for (std::size_t i = 0; i < parts; ++i) {
    from.push_back({const_cast<std::byte*>(bytes.data()) + 1000 * i, 1000});
    into.push_back({tagged.data() + 1000 * i, 1000});
  }
  InnerOperation receive, tagged_receive, send, tagged_send;
  ASSERT_EQ(b->receive(untagged.data(), untagged.size(), receive), Posted::kOk);
  ASSERT_EQ(b->tagged_receive(77, into, tagged_receive), Posted::kOk);
  const InnerAddress to = number(a, b);
  ASSERT_TRUE(until([&] { return a->send(to, from, send) == Posted::kOk; }));
  ASSERT_TRUE(until([&] { return a->tagged_send(to, 77, from, tagged_send) == Posted::kOk; }));
  ASSERT_TRUE(until([&] { return b.end_of(receive) && b.end_of(tagged_receive); }));
  EXPECT_EQ(b.end_of(receive)->length, bytes.size());
  EXPECT_EQ(untagged, bytes);
  EXPECT_EQ(b.end_of(tagged_receive)->length, bytes.size());
  EXPECT_EQ(tagged, bytes);
  EXPECT_TRUE(until([&] { return a.end_of(send) && a.end_of(tagged_send); }));
}

TEST_P(InnerContract, BulkGoesToItsTag) {
  constexpr std::size_t kSize = 3 << 20;
  constexpr std::uint64_t kHighest = ~0ull >> 1;
  Side& a = open();
  Side& b = open();
  ASSERT_TRUE(exchange(a, b));
  const Side::Transfer& low = b.tagged_receive(1, kSize);
  const Side::Transfer& high = b.tagged_receive(kHighest, kSize);
  const Bytes for_high = pattern(kSize - 1, 2);
  const Side::Transfer& first = tagged_send(a, number(a, b), kHighest, for_high);
  const Side::Transfer& second = tagged_send(a, number(a, b), 1, pattern(kSize, 1));
  ASSERT_TRUE(until([&] { return b.end_of(low) && b.end_of(high); }));
  EXPECT_EQ(b.end_of(high)->length, kSize - 1);
  EXPECT_TRUE(std::equal(for_high.begin(), for_high.end(), high.bytes.begin()));
  EXPECT_EQ(low.bytes, pattern(kSize, 1));
  EXPECT_TRUE(until([&] { return a.end_of(first) && a.end_of(second); }));
}

TEST_P(InnerContract, UntaggedPassBesidesPostedTags) {
  Side& a = open();
  Side& b = open();
  const Side::Transfer& tagged = b.tagged_receive(5, 64);
  EXPECT_TRUE(exchange(a, b));
  EXPECT_TRUE(exchange(a, b, 4096));
  EXPECT_EQ(b.end_of(tagged), nullptr);
}

TEST_P(InnerContract, LateReceivesGetWhatWaited) {
  Side& a = open();
  Side& b = open();
  ASSERT_TRUE(exchange(a, b));
  for (unsigned i = 0; i < 8; ++i) send(a, number(a, b), pattern(512, i));
  settle();
  EXPECT_EQ(b.ends().size(), 1u);
  for (unsigned i = 0; i < 8; ++i) {
    const Side::Transfer& receive = b.receive(512);
    ASSERT_TRUE(until([&] { return b.end_of(receive) != nullptr; })) << i;
    EXPECT_EQ(receive.bytes, pattern(512, i));
  }
}

TEST_P(InnerContract, AnEmptyPollIsEmpty) {
  Side& a = open();
  std::array<InnerCompletion, 4> out;
  EXPECT_EQ(a->poll(out), 0u);
  EXPECT_EQ(a->poll({}), 0u);
}

TEST_P(InnerContract, PollReportsNoMoreThanAskedFor) {
  Side& a = open();
  Side& b = open();
  ASSERT_TRUE(exchange(a, b));
  for (unsigned i = 0; i < 5; ++i) b.receive(64);
  for (unsigned i = 0; i < 5; ++i) send(a, number(a, b), pattern(16, i));
  std::array<InnerCompletion, 2> out;
  const std::size_t before = b.ends().size();
  std::size_t taken = 0;
  EXPECT_TRUE(until([&] {
    const std::size_t got = b->poll(std::span(out).first(1));
    EXPECT_LE(got, 1u);
    taken += got;
    return taken + b.ends().size() - before == 5;
  }));
}

}  // namespace

}  // namespace xs::test
