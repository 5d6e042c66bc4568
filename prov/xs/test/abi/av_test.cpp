// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "face/face.hpp"

namespace xs::abi::test {
namespace {

struct sockaddr_in address(unsigned last, std::uint16_t port = 9) {
  struct sockaddr_in sa {};
  sa.sin_family = AF_INET;
  sa.sin_port = htons(port);
  sa.sin_addr.s_addr = htonl(0x7f000000 + last);
  return sa;
}

std::string text_of(struct fid_av* av, const struct sockaddr_in& sa) {
  std::array<char, 64> buffer;
  std::size_t size = buffer.size();
  return fi_av_straddr(av, &sa, buffer.data(), &size);
}

class AvTest : public testing::Test {
 protected:
  std::string looked_up(fi_addr_t number) {
    struct sockaddr_in sa {};
    std::size_t size = sizeof sa;
    EXPECT_EQ(fi_av_lookup(av_.get(), number, &sa, &size), 0);
    EXPECT_EQ(size, sizeof sa);
    return text_of(av_.get(), sa);
  }
  Face face_;
  FidPtr<struct fid_av> av_ = face_.open_av();
};

TEST_F(AvTest, attribute_errors) {
  struct fid_av* av = nullptr;
  const auto open = [&](struct fi_av_attr attr) {
    return fi_av_open(face_.domain.get(), &attr, &av, nullptr);
  };
  EXPECT_EQ(fi_av_open(face_.domain.get(), nullptr, &av, nullptr), -FI_EINVAL);
  EXPECT_EQ(open({.type = static_cast<enum fi_av_type>(9)}), -FI_EINVAL);
  EXPECT_EQ(open({.name = ""}), -FI_EINVAL);
  EXPECT_EQ(open({.rx_ctx_bits = 4}), -FI_EINVAL);
  EXPECT_EQ(open({.flags = FI_READ}), -FI_EBADFLAGS);
}

TEST_F(AvTest, inserts_and_looks_up) {
  const std::array two{address(1), address(2)};
  std::array<fi_addr_t, 2> numbers;
  ASSERT_EQ(fi_av_insert(av_.get(), two.data(), 2, numbers.data(), 0, nullptr), 2);
  EXPECT_EQ(numbers[0], 0u);
  EXPECT_EQ(numbers[1], 1u);
  EXPECT_EQ(looked_up(1), "fi_sockaddr_in://127.0.0.2:9");
}

TEST_F(AvTest, numbers_are_optional) {
  const auto one = address(1);
  EXPECT_EQ(fi_av_insert(av_.get(), &one, 1, nullptr, FI_MORE, nullptr), 1);
  EXPECT_EQ(looked_up(0), "fi_sockaddr_in://127.0.0.1:9");
}

TEST_F(AvTest, addresses_may_be_unaligned) {
  std::array<char, 40> room;
  const auto one = address(3);
  std::memcpy(room.data() + 1, &one, sizeof one);
  EXPECT_EQ(fi_av_insert(av_.get(), room.data() + 1, 1, nullptr, 0, nullptr), 1);
}

TEST_F(AvTest, malformed_addresses_are_not_inserted) {
  struct sockaddr_in none {};
  auto any = address(1);
  any.sin_addr.s_addr = INADDR_ANY;
  const std::array list{address(1), none, any, address(2, 0), address(2)};
  std::array<fi_addr_t, 5> numbers;
  EXPECT_EQ(fi_av_insert(av_.get(), list.data(), 5, numbers.data(), 0, nullptr), 2);
  EXPECT_EQ(numbers[0], 0u);
  for (const int bad : {1, 2, 3}) EXPECT_EQ(numbers[bad], FI_ADDR_NOTAVAIL);
  EXPECT_EQ(numbers[4], 1u);
}

TEST_F(AvTest, reports_each_error) {
  const std::array list{address(1), sockaddr_in{}};
  std::array errors{99, 99};
  EXPECT_EQ(fi_av_insert(av_.get(), list.data(), 2, nullptr, FI_SYNC_ERR, errors.data()), 1);
  EXPECT_EQ(errors[0], 0);
  EXPECT_EQ(errors[1], FI_EADDRNOTAVAIL);
}

TEST_F(AvTest, refuses_unknown_flags) {
  auto one = address(1);
  fi_addr_t number = 0;
  EXPECT_EQ(fi_av_insert(av_.get(), &one, 1, &number, FI_PEEK, nullptr), -FI_EBADFLAGS);
  EXPECT_EQ(fi_av_insert(av_.get(), nullptr, 1, &number, 0, nullptr), -FI_EINVAL);
  EXPECT_EQ(fi_av_remove(av_.get(), &number, 1, FI_PEEK), -FI_EBADFLAGS);
}

TEST_F(AvTest, removes_once) {
  const auto one = address(1);
  fi_addr_t number;
  fi_av_insert(av_.get(), &one, 1, &number, 0, nullptr);
  EXPECT_EQ(fi_av_remove(av_.get(), &number, 1, 0), 0);
  EXPECT_EQ(fi_av_remove(av_.get(), &number, 1, 0), -FI_EINVAL);
  struct sockaddr_in sa;
  std::size_t size = sizeof sa;
  EXPECT_EQ(fi_av_lookup(av_.get(), number, &sa, &size), -FI_EINVAL);
  EXPECT_EQ(fi_av_lookup(av_.get(), ~fi_addr_t{0}, &sa, &size), -FI_EINVAL);
}

TEST_F(AvTest, lookup_gives_what_fits_and_the_whole_size) {
  const auto one = address(1);
  fi_av_insert(av_.get(), &one, 1, nullptr, 0, nullptr);
  std::array<unsigned char, sizeof one> room;
  room.fill(0xee);
  std::size_t size = 4;
  EXPECT_EQ(fi_av_lookup(av_.get(), 0, room.data(), &size), 0);
  EXPECT_EQ(size, sizeof one);
  EXPECT_EQ(std::memcmp(room.data(), &one, 4), 0);
  EXPECT_EQ(room[4], 0xee);
}

TEST_F(AvTest, text_is_cut_where_the_room_ends) {
  const auto one = address(1);
  std::array<char, 8> room;
  std::size_t size = room.size();
  EXPECT_STREQ(fi_av_straddr(av_.get(), &one, room.data(), &size), "fi_sock");
  EXPECT_EQ(size, std::string("fi_sockaddr_in://127.0.0.1:9").size() + 1);
}

TEST_F(AvTest, inserts_by_service) {
  fi_addr_t number;
  EXPECT_EQ(fi_av_insertsvc(av_.get(), "127.0.0.5", "4711", &number, 0, nullptr), 1);
  EXPECT_EQ(looked_up(number), "fi_sockaddr_in://127.0.0.5:4711");
  EXPECT_EQ(fi_av_insertsvc(av_.get(), "no.such.host.invalid", "1", &number, 0, nullptr), 0);
  EXPECT_EQ(number, FI_ADDR_NOTAVAIL);
  EXPECT_EQ(fi_av_insertsvc(av_.get(), nullptr, "1", &number, 0, nullptr), -FI_EINVAL);
}

TEST_F(AvTest, inserts_a_range_node_by_node) {
  std::array<fi_addr_t, 6> numbers;
  EXPECT_EQ(fi_av_insertsym(av_.get(), "127.0.0.254", 3, "65534", 2, numbers.data(), 0, nullptr),
            6);
  EXPECT_EQ(looked_up(numbers[1]), "fi_sockaddr_in://127.0.0.254:65535");
  EXPECT_EQ(looked_up(numbers[2]), "fi_sockaddr_in://127.0.0.255:65534");
  EXPECT_EQ(looked_up(numbers[4]), "fi_sockaddr_in://127.0.1.0:65534");
  EXPECT_EQ(fi_av_insertsym(av_.get(), "127.0.0.1", 1, "65535", 2, numbers.data(), 0, nullptr), 1);
  EXPECT_EQ(numbers[1], FI_ADDR_NOTAVAIL);
}

class AsyncAvTest : public testing::Test {
 protected:
  Face face_;
  FidPtr<struct fid_eq> eq_ = face_.open_eq();
  FidPtr<struct fid_av> av_ = face_.open_av({.type = FI_AV_TABLE, .flags = FI_EVENT});
};

TEST_F(AsyncAvTest, wants_an_event_queue) {
  const auto one = address(1);
  EXPECT_EQ(fi_av_insert(av_.get(), &one, 1, nullptr, 0, nullptr), -FI_ENOEQ);
  EXPECT_EQ(fi_av_bind(av_.get(), &face_.domain->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_av_bind(av_.get(), &eq_->fid, FI_READ), -FI_EBADFLAGS);
  EXPECT_EQ(fi_av_bind(av_.get(), &eq_->fid, 0), 0);
  EXPECT_EQ(fi_av_bind(av_.get(), &eq_->fid, 0), -FI_EINVAL);
  EXPECT_EQ(fi_close(&eq_->fid), -FI_EBUSY);
}

TEST_F(AsyncAvTest, reports_errors_and_then_the_count) {
  ASSERT_EQ(fi_av_bind(av_.get(), &eq_->fid, 0), 0);
  const std::array list{address(1), sockaddr_in{}};
  int context;
  ASSERT_EQ(fi_av_insert(av_.get(), list.data(), 2, nullptr, 0, &context), 0);
  std::uint32_t event;
  struct fi_eq_entry entry {};
  ASSERT_EQ(fi_eq_read(eq_.get(), &event, &entry, sizeof entry, 0), -FI_EAVAIL);
  struct fi_eq_err_entry error {};
  error.err_data_size = 77;
  ASSERT_EQ(fi_eq_readerr(eq_.get(), &error, 0), static_cast<ssize_t>(sizeof error));
  EXPECT_EQ(error.fid, &av_->fid);
  EXPECT_EQ(error.context, &context);
  EXPECT_EQ(error.data, 1u);
  EXPECT_EQ(error.err, FI_EADDRNOTAVAIL);
  EXPECT_EQ(error.err_data_size, 0u);
  ASSERT_EQ(fi_eq_read(eq_.get(), &event, &entry, sizeof entry, 0),
            static_cast<ssize_t>(sizeof entry));
  EXPECT_EQ(event, static_cast<std::uint32_t>(FI_AV_COMPLETE));
  EXPECT_EQ(entry.fid, &av_->fid);
  EXPECT_EQ(entry.context, &context);
  EXPECT_EQ(entry.data, 1u);
}

TEST_F(AsyncAvTest, nothing_to_insert_is_reported_too) {
  ASSERT_EQ(fi_av_bind(av_.get(), &eq_->fid, 0), 0);
  ASSERT_EQ(fi_av_insert(av_.get(), nullptr, 0, nullptr, 0, nullptr), 0);
  std::uint32_t event;
  struct fi_eq_entry entry {};
  ASSERT_GT(fi_eq_read(eq_.get(), &event, &entry, sizeof entry, 0), 0);
  EXPECT_EQ(entry.data, 0u);
}

}  // namespace
}  // namespace xs::abi::test
