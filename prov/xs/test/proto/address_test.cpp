// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "proto/address.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <set>

#include "proto/limits.hpp"
#include "test/proto/hex.hpp"

namespace xs::proto {
namespace {

using test::from_hex;

struct sockaddr_in sockaddr_v4() {
  struct sockaddr_in in {};
  in.sin_family = AF_INET;
  in.sin_port = htons(4000);
  inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
  return in;
}

struct sockaddr_in6 sockaddr_v6() {
  struct sockaddr_in6 in {};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(4660);
  in.sin6_scope_id = 3;
  inet_pton(AF_INET6, "fe80::1", &in.sin6_addr);
  return in;
}

template <class Sockaddr>
std::optional<Address> address_of(const Sockaddr& in, std::size_t size = sizeof(Sockaddr)) {
  return Address::from_sockaddr(reinterpret_cast<const struct sockaddr*>(&in), size);
}

template <class Sockaddr>
void expect_survives(const Sockaddr& in) {
  const auto address = address_of(in);
  ASSERT_TRUE(address);
  struct sockaddr_storage out;
  std::memset(&out, 0xee, sizeof out);
  EXPECT_EQ(address->to_sockaddr(out), sizeof in);
  EXPECT_EQ(address->sockaddr_size(), sizeof in);
  EXPECT_EQ(std::memcmp(&out, &in, sizeof in), 0);
}

TEST(Address, SurvivesSockaddr) {
  expect_survives(sockaddr_v4());
  expect_survives(sockaddr_v6());
}

TEST(Address, HoldsWhatTheSockaddrSaid) {
  const Address v4 = *address_of(sockaddr_v4());
  EXPECT_EQ(v4.family, 4);
  EXPECT_EQ(v4.port, 4000);
  EXPECT_EQ(v4.scope, 0u);
  const Address v6 = *address_of(sockaddr_v6());
  EXPECT_EQ(v6.family, 6);
  EXPECT_EQ(v6.port, 4660);
  EXPECT_EQ(v6.scope, 3u);
}

TEST(Address, RefusesWhatIsNoInternetAddress) {
  EXPECT_FALSE(Address::from_sockaddr(nullptr, 0));
  EXPECT_FALSE(address_of(sockaddr_v4(), 1));
  EXPECT_FALSE(address_of(sockaddr_v4(), sizeof(struct sockaddr_in) - 1));
  EXPECT_FALSE(address_of(sockaddr_v6(), sizeof(struct sockaddr_in6) - 1));
  struct sockaddr_un un {};
  un.sun_family = AF_UNIX;
  EXPECT_FALSE(address_of(un));
}

TEST(Address, NoneHasNoSockaddr) {
  struct sockaddr_storage out;
  EXPECT_FALSE(Address{});
  EXPECT_EQ(Address{}.to_sockaddr(out), 0u);
  EXPECT_EQ(Address{}.sockaddr_size(), 0u);
}

TEST(Address, TextNamesHostAndPort) {
  EXPECT_EQ(address_of(sockaddr_v4())->text(), "192.0.2.1:4000");
  EXPECT_EQ(address_of(sockaddr_v6())->text(), "[fe80::1]:4660");
  EXPECT_EQ(Address{}.text(), "none:0");
}

TEST(Address, WildcardIsTheZeroHost) {
  struct sockaddr_in in = sockaddr_v4();
  EXPECT_FALSE(address_of(in)->is_wildcard());
  in.sin_addr.s_addr = htonl(INADDR_ANY);
  EXPECT_TRUE(address_of(in)->is_wildcard());
}

// Each field tells two addresses apart, and the hash spreads neighbours.
TEST(Address, IdentityIsEveryField) {
  const Address base = *address_of(sockaddr_v6());
  Address other = base;
  EXPECT_EQ(base, other);
  EXPECT_EQ(std::hash<Address>{}(base), std::hash<Address>{}(other));
  other.scope = 4;
  EXPECT_NE(base, other);
  other = base;
  other.port = 1;
  EXPECT_NE(base, other);
  other = base;
  other.ip[15] = std::byte{2};
  EXPECT_NE(base, other);
  other = base;
  other.family = 4;
  EXPECT_NE(base, other);
}

TEST(Address, HashSpreadsNeighbours) {
  std::set<std::size_t> hashes;
  Address address = *address_of(sockaddr_v4());
  for (int host = 0; host < 16; ++host) {
    address.ip[3] = static_cast<std::byte>(host);
    for (address.port = 4000; address.port < 4064; ++address.port) hashes.insert(std::hash<Address>{}(address) & 0xffff);
  }
  // 1024 balls into 65536 bins: 1016 bins hit on average, fewer than 990 with a chance below 1e-9.
  EXPECT_GE(hashes.size(), 990u);
}

using Wire = std::vector<std::byte>;

Wire wire(const Address& address) {
  Wire bytes(kAddressSize, std::byte{0xee});
  address.encode(bytes.data());
  return bytes;
}

const char* const kGoldenV4 = "0400 0fa0 00000000 c0000201000000000000000000000000 0000000000000000";
const char* const kGoldenV6 = "0600 1234 03000000 fe800000000000000000000000000001 0000000000000000";

TEST(AddressWire, GoldenBytes) {
  EXPECT_EQ(wire(*address_of(sockaddr_v4())), from_hex(kGoldenV4));
  EXPECT_EQ(wire(*address_of(sockaddr_v6())), from_hex(kGoldenV6));
  EXPECT_EQ(Address::decode(from_hex(kGoldenV4).data()), address_of(sockaddr_v4()));
  EXPECT_EQ(Address::decode(from_hex(kGoldenV6).data()), address_of(sockaddr_v6()));
}

TEST(AddressWire, TakesKnownFamiliesOnly) {
  for (int family = 0; family < 65536; ++family) {
    Wire bytes(kAddressSize);
    bytes[3] = std::byte{1};
    util::store(bytes.data(), static_cast<std::uint16_t>(family));
    EXPECT_EQ(Address::decode(bytes.data()).has_value(), family == 4 || family == 6) << family;
  }
}

TEST(AddressWire, NeedsAPort) {
  Wire bytes = from_hex(kGoldenV4);
  util::store<std::uint16_t>(bytes.data() + 2, 0);
  EXPECT_FALSE(Address::decode(bytes.data()));
}

// One peer has one spelling: bytes that mean nothing are zero.
TEST(AddressWire, RefusesBytesThatMeanNothing) {
  const auto takes = [](const char* golden, std::size_t at) {
    Wire bytes = from_hex(golden);
    bytes[at] ^= std::byte{0x10};
    return Address::decode(bytes.data()).has_value();
  };
  for (std::size_t at = 4; at < kAddressSize; ++at) {
    const bool is_v4_host = at >= 8 && at < 12;
    EXPECT_EQ(takes(kGoldenV4, at), is_v4_host) << at;
    EXPECT_EQ(takes(kGoldenV6, at), at < 24) << at;
  }
}

}  // namespace
}  // namespace xs::proto
