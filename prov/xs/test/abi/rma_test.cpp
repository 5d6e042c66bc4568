// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every call of fi_rma(3), of an endpoint on its own memory; between two: rma_pair_test.cpp.
#include <rdma/fi_rma.h>

#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "face/face.hpp"

namespace xs::abi::test {
namespace {

constexpr std::uint64_t kKey = 0xC0DE;
constexpr std::uint64_t kBoth = FI_REMOTE_READ | FI_REMOTE_WRITE;

FidPtr<struct fid_mr> show(struct fid_domain* domain, std::span<char> memory,
                           std::uint64_t key = kKey, std::uint64_t access = kBoth) {
  struct fid_mr* mr = nullptr;
  EXPECT_EQ(fi_mr_reg(domain, memory.data(), memory.size(), access, 0, key, 0, &mr, nullptr), 0);
  return FidPtr<struct fid_mr>(mr);
}

class RmaTest : public testing::Test {
 protected:
  struct fid_ep* ep() {
    return loop_.ep.get();
  }
  std::string_view at(std::size_t offset, std::size_t size) const {
    return {memory_.data() + offset, size};
  }
  void expect_done(std::uint64_t flags) {
    const struct fi_cq_tagged_entry entry = loop_.next();
    EXPECT_EQ(entry.flags, flags);
    EXPECT_EQ(entry.op_context, &context_);
    expect_silence();
  }
  // Both completions of a write with data.
  void expect_data(std::uint64_t data, std::size_t size) {
    const struct fi_cq_tagged_entry entry = loop_.next();
    EXPECT_EQ(entry.flags, FI_RMA | FI_REMOTE_WRITE | FI_REMOTE_CQ_DATA);
    EXPECT_EQ(entry.data, data);
    EXPECT_EQ(entry.len, size);
  }
  void expect_silence() {
    struct fi_cq_tagged_entry entry;
    EXPECT_EQ(loop_.try_next(entry), 0);
  }

  Loop loop_;
  std::array<char, 64> memory_{};
  FidPtr<struct fid_mr> mr_ = show(loop_.domain.get(), memory_);
  struct fi_context2 context_;
};

TEST_F(RmaTest, write) {
  ASSERT_EQ(fi_write(ep(), "abc", 3, nullptr, loop_.self, 5, kKey, &context_), 0);
  expect_done(FI_RMA | FI_WRITE);
  EXPECT_EQ(at(5, 3), "abc");
}

TEST_F(RmaTest, writev) {
  const struct iovec iov[] = {{const_cast<char*>("ab"), 2}, {const_cast<char*>("cde"), 3}};
  ASSERT_EQ(fi_writev(ep(), iov, nullptr, 2, loop_.self, 0, kKey, &context_), 0);
  expect_done(FI_RMA | FI_WRITE);
  EXPECT_EQ(at(0, 5), "abcde");
}

struct fi_msg_rma message(const struct iovec& iov, const struct fi_rma_iov& remote, fi_addr_t to,
                          void* context) {
  return {.msg_iov = &iov,
          .desc = nullptr,
          .iov_count = 1,
          .addr = to,
          .rma_iov = &remote,
          .rma_iov_count = 1,
          .context = context,
          .data = 77};
}

TEST_F(RmaTest, writemsg) {
  const struct iovec iov { const_cast<char*>("abc"), 3 };
  const struct fi_rma_iov remote { .addr = 1, .len = 3, .key = kKey };
  const auto msg = message(iov, remote, loop_.self, &context_);
  ASSERT_EQ(fi_writemsg(ep(), &msg, FI_INJECT | FI_COMPLETION | FI_REMOTE_CQ_DATA), 0);
  expect_data(77, 3);
  expect_done(FI_RMA | FI_WRITE);
  EXPECT_EQ(at(1, 3), "abc");
}

TEST_F(RmaTest, what_a_message_may_not_be) {
  const struct iovec iov { const_cast<char*>("abc"), 3 };
  struct fi_rma_iov remote {
    .addr = 1, .len = 2, .key = kKey
  };
  auto msg = message(iov, remote, loop_.self, &context_);
  EXPECT_EQ(fi_writemsg(ep(), &msg, 0), -FI_EINVAL) << "lengths differ";
  remote.len = 3;
  EXPECT_EQ(fi_writemsg(ep(), &msg, FI_PEEK), -FI_EBADFLAGS);
  EXPECT_EQ(fi_readmsg(ep(), &msg, FI_REMOTE_CQ_DATA), -FI_EBADFLAGS);
  EXPECT_EQ(fi_readmsg(ep(), &msg, FI_INJECT), -FI_EBADFLAGS);
  msg.rma_iov_count = 2;
  EXPECT_EQ(fi_writemsg(ep(), &msg, 0), -FI_EINVAL);
  msg.rma_iov_count = 0;
  EXPECT_EQ(fi_readmsg(ep(), &msg, 0), -FI_EINVAL);
  expect_silence();
}

TEST_F(RmaTest, writedata) {
  ASSERT_EQ(fi_writedata(ep(), "abc", 3, nullptr, 42, loop_.self, 0, kKey, &context_), 0);
  expect_data(42, 3);
  expect_done(FI_RMA | FI_WRITE);
}

TEST_F(RmaTest, inject_never_completes) {
  ASSERT_EQ(fi_inject_write(ep(), "abc", 3, loop_.self, 0, kKey), 0);
  expect_silence();
  ASSERT_EQ(fi_inject_writedata(ep(), "d", 1, 9, loop_.self, 3, kKey), 0);
  expect_data(9, 1);
  expect_silence();
  EXPECT_EQ(at(0, 4), "abcd");
}

// Of a peer's the answer would wait.
TEST_F(RmaTest, data_for_ourselves_waits_for_room_in_the_queue) {
  ssize_t rc = 0;
  std::size_t written = 0;
  while (written < 100'000 && (rc = fi_inject_writedata(ep(), "d", 1, 9, loop_.self, 0, kKey)) == 0)
    ++written;
  EXPECT_EQ(rc, -FI_EAGAIN);
  for (std::size_t i = 0; i < written; ++i) EXPECT_EQ(loop_.next().data, 9u);
  EXPECT_EQ(fi_inject_writedata(ep(), "d", 1, 9, loop_.self, 0, kKey), 0);
}

TEST_F(RmaTest, read) {
  std::memcpy(memory_.data() + 5, "abc", 3);
  std::array<char, 3> room{};
  ASSERT_EQ(fi_read(ep(), room.data(), 3, nullptr, loop_.self, 5, kKey, &context_), 0);
  expect_done(FI_RMA | FI_READ);
  EXPECT_EQ(std::string_view(room.data(), 3), "abc");
}

TEST_F(RmaTest, readv_and_readmsg) {
  std::memcpy(memory_.data(), "abcde", 5);
  std::array<char, 5> room{};
  const struct iovec iov[] = {{room.data(), 2}, {room.data() + 2, 3}};
  ASSERT_EQ(fi_readv(ep(), iov, nullptr, 2, loop_.self, 0, kKey, &context_), 0);
  expect_done(FI_RMA | FI_READ);
  EXPECT_EQ(std::string_view(room.data(), 5), "abcde");
  const struct fi_rma_iov remote { .addr = 1, .len = 2, .key = kKey };
  const auto msg = message(iov[0], remote, loop_.self, &context_);
  ASSERT_EQ(fi_readmsg(ep(), &msg, FI_COMPLETION), 0);
  expect_done(FI_RMA | FI_READ);
  EXPECT_EQ(std::string_view(room.data(), 2), "bc");
}

TEST_F(RmaTest, refusals_are_error_completions) {
  const auto expect_error = [&](int error) {
    const struct fi_cq_err_entry entry = loop_.next_error();
    EXPECT_EQ(entry.err, error);
    EXPECT_EQ(entry.op_context, &context_);
    EXPECT_EQ(entry.flags, FI_RMA | FI_WRITE);
  };
  ASSERT_EQ(fi_write(ep(), "abc", 3, nullptr, loop_.self, 0, 1, &context_), 0);
  expect_error(FI_ENOKEY);
  ASSERT_EQ(fi_write(ep(), "abc", 3, nullptr, loop_.self, 62, kKey, &context_), 0);
  expect_error(FI_EACCES);
  mr_.reset();
  mr_ = show(loop_.domain.get(), memory_, kKey, FI_REMOTE_READ);
  ASSERT_EQ(fi_write(ep(), "abc", 3, nullptr, loop_.self, 0, kKey, &context_), 0);
  expect_error(FI_EACCES);
  EXPECT_EQ(memory_, decltype(memory_){});
}

// A selective queue hears of failures, asked or not; of fi_inject_write there is never a
// completion.
TEST(RmaSelective, failures_are_heard_of_except_by_who_injects) {
  Loop loop(nullptr, FI_SELECTIVE_COMPLETION);
  const struct iovec iov { const_cast<char*>("abc"), 3 };
  const struct fi_rma_iov remote { .addr = 0, .len = 3, .key = kKey };
  struct fi_context2 context;
  const auto msg = message(iov, remote, loop.self, &context);
  ASSERT_EQ(fi_inject_write(loop.ep.get(), "abc", 3, loop.self, 0, kKey), 0);
  ASSERT_EQ(fi_writemsg(loop.ep.get(), &msg, FI_INJECT), 0);
  const struct fi_cq_err_entry error = loop.next_error();
  EXPECT_EQ(error.err, FI_ENOKEY);
  EXPECT_EQ(error.op_context, &context);
  struct fi_cq_tagged_entry entry;
  EXPECT_EQ(loop.try_next(entry), 0);
}

TEST_F(RmaTest, what_can_not_be_asked) {
  EXPECT_EQ(fi_write(ep(), nullptr, 3, nullptr, loop_.self, 0, kKey, nullptr), -FI_EINVAL);
  EXPECT_EQ(fi_write(ep(), "abc", 3, nullptr, 12345, 0, kKey, nullptr), -FI_EINVAL);
  const std::vector<char> large(5000);
  EXPECT_EQ(fi_inject_write(ep(), large.data(), large.size(), loop_.self, 0, kKey), -FI_EMSGSIZE);
}

TEST_F(RmaTest, a_key_belongs_to_one) {
  struct fid_mr* mr = nullptr;
  EXPECT_EQ(fi_mr_reg(loop_.domain.get(), memory_.data(), 1, kBoth, 0, kKey, 0, &mr, nullptr),
            -FI_ENOKEY);
  mr_.reset();
  mr_ = show(loop_.domain.get(), memory_);
  EXPECT_EQ(fi_mr_key(mr_.get()), kKey);
}

TEST_F(RmaTest, an_offset_of_a_registration_is_reserved) {
  struct fid_mr* mr = nullptr;
  EXPECT_EQ(fi_mr_reg(loop_.domain.get(), memory_.data(), 8, kBoth, 4, 1, 0, &mr, nullptr),
            -FI_EINVAL);
}

// What stands behind an older application's shorter struct is none of its attributes.
TEST_F(RmaTest, an_interface_is_known_to_applications_since_libfabric_1_9) {
  struct iovec iov {
    memory_.data(), memory_.size()
  };
  struct fi_mr_attr attr {};
  attr.mr_iov = &iov;
  attr.iov_count = 1;
  attr.requested_key = 1;
  attr.iface = FI_HMEM_CUDA;
  struct fid_mr* mr = nullptr;
  loop_.fabric->api_version = FI_VERSION(1, 9);
  EXPECT_EQ(fi_mr_regattr(loop_.domain.get(), &attr, 0, &mr), -FI_ENOSYS);
  loop_.fabric->api_version = FI_VERSION(1, 8);
  ASSERT_EQ(fi_mr_regattr(loop_.domain.get(), &attr, 0, &mr), 0);
  fi_close(&mr->fid);
}

TEST_F(RmaTest, a_registration_in_pieces_is_one_range) {
  std::array<char, 4> front{}, back{};
  const struct iovec iov[] = {{front.data(), 4}, {back.data(), 4}};
  struct fid_mr* mr = nullptr;
  ASSERT_EQ(fi_mr_regv(loop_.domain.get(), iov, 2, kBoth, 0, 1, 0, &mr, nullptr), 0);
  const FidPtr<struct fid_mr> owned(mr);
  ASSERT_EQ(fi_write(ep(), "abcd", 4, nullptr, loop_.self, 2, 1, &context_), 0);
  expect_done(FI_RMA | FI_WRITE);
  EXPECT_EQ(std::string_view(front.data() + 2, 2), "ab");
  EXPECT_EQ(std::string_view(back.data(), 2), "cd");
}

// As SHMEM libraries do it: all that there is, whether anything stands there or not.
TEST_F(RmaTest, all_addresses_may_be_one_region) {
  struct fid_mr* mr = nullptr;
  ASSERT_EQ(fi_mr_reg(loop_.domain.get(), nullptr, SIZE_MAX, kBoth, 0, 1, 0, &mr, nullptr), 0);
  const FidPtr<struct fid_mr> owned(mr);
  const auto address = reinterpret_cast<std::uint64_t>(memory_.data());
  ASSERT_EQ(fi_write(ep(), "abc", 3, nullptr, loop_.self, address + 5, 1, &context_), 0);
  expect_done(FI_RMA | FI_WRITE);
  EXPECT_EQ(at(5, 3), "abc");
}

TEST(RmaModes, basic_means_our_keys_and_true_addresses) {
  const InfoPtr hints = make_hints();
  hints->caps = FI_MSG | FI_RMA;
  hints->domain_attr->mr_mode = 1 << 0;  // FI_MR_BASIC
  Loop loop(hints.get());
  std::array<char, 8> memory{};
  const auto one = show(loop.domain.get(), memory, 1);
  const auto other = show(loop.domain.get(), memory, 1);
  EXPECT_NE(fi_mr_key(one.get()), fi_mr_key(other.get()));
  const auto address = reinterpret_cast<std::uint64_t>(memory.data());
  ASSERT_EQ(fi_write(loop.ep.get(), "abc", 3, nullptr, loop.self, address + 1, fi_mr_key(one.get()),
                     nullptr),
            0);
  EXPECT_EQ(loop.next().flags, FI_RMA | FI_WRITE);
  EXPECT_EQ(std::string_view(memory.data() + 1, 3), "abc");
}

// Who opens a domain with a mode that nobody asked of him gets it.
TEST(RmaModes, are_taken_by_a_domain_one_by_one) {
  Face face;
  std::array<char, 8> memory{};
  const auto opened_with = [&](int mode) {
    face.info->domain_attr->mr_mode = mode;
    struct fid_domain* domain = nullptr;
    EXPECT_EQ(fi_domain(face.fabric.get(), face.info.get(), &domain, nullptr), 0);
    return FidPtr<struct fid_domain>(domain);
  };
  const auto plain = opened_with(0);
  const auto taken = show(plain.get(), memory, 1);
  struct fid_mr* mr = nullptr;
  EXPECT_EQ(fi_mr_reg(plain.get(), memory.data(), 8, kBoth, 0, 1, 0, &mr, nullptr), -FI_ENOKEY);
  const auto keyed = opened_with(FI_MR_PROV_KEY);
  const auto one = show(keyed.get(), memory, 1), other = show(keyed.get(), memory, 1);
  EXPECT_NE(fi_mr_key(one.get()), fi_mr_key(other.get()));
}

// A counter for each of four things; errors are counted apart.
TEST(RmaCounters, count_both_sides) {
  Face face;
  const auto cq = face.open_cq();
  const auto av = face.open_av();
  auto ep = face.open_ep();
  const auto counter = [&](std::uint64_t what) {
    struct fi_cntr_attr attr {};
    struct fid_cntr* made = nullptr;
    EXPECT_EQ(fi_cntr_open(face.domain.get(), &attr, &made, nullptr), 0);
    EXPECT_EQ(fi_ep_bind(ep.get(), &made->fid, what), 0);
    return FidPtr<struct fid_cntr>(made);
  };
  const auto writes = counter(FI_WRITE), reads = counter(FI_READ);
  const auto written = counter(FI_REMOTE_WRITE), read = counter(FI_REMOTE_READ);
  ASSERT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT | FI_RECV), 0);
  ASSERT_EQ(fi_ep_bind(ep.get(), &av->fid, 0), 0);
  ASSERT_EQ(fi_enable(ep.get()), 0);
  const fi_addr_t self = number_of(*ep, *av);
  std::array<char, 8> memory{}, room{};
  const auto mr = show(face.domain.get(), memory);
  ASSERT_EQ(fi_write(ep.get(), "abc", 3, nullptr, self, 0, kKey, nullptr), 0);
  ASSERT_EQ(fi_inject_write(ep.get(), "abc", 3, self, 0, kKey), 0);
  ASSERT_EQ(fi_read(ep.get(), room.data(), 3, nullptr, self, 0, kKey, nullptr), 0);
  ASSERT_EQ(fi_write(ep.get(), "abc", 3, nullptr, self, 0, kKey + 1, nullptr), 0);
  EXPECT_EQ(fi_cntr_read(writes.get()), 2u);
  EXPECT_EQ(fi_cntr_readerr(writes.get()), 1u);
  EXPECT_EQ(fi_cntr_read(reads.get()), 1u);
  EXPECT_EQ(fi_cntr_read(written.get()), 2u);
  EXPECT_EQ(fi_cntr_read(read.get()), 1u);
  ep.reset();  // before its counters
}

TEST(RmaCaps, without_them_there_are_no_calls) {
  const InfoPtr hints = make_hints();
  hints->caps = FI_MSG;
  Loop loop(hints.get());
  std::array<char, 8> memory{};
  const auto mr = show(loop.domain.get(), memory);
  EXPECT_EQ(fi_write(loop.ep.get(), "abc", 3, nullptr, loop.self, 0, kKey, nullptr), -FI_ENOSYS);
}

TEST(RmaCaps, one_direction_alone) {
  const InfoPtr hints = make_hints();
  hints->caps = FI_RMA | FI_WRITE | FI_REMOTE_READ;
  Loop loop(hints.get());
  std::array<char, 8> memory{};
  const auto mr = show(loop.domain.get(), memory);
  ASSERT_EQ(fi_write(loop.ep.get(), "abc", 3, nullptr, loop.self, 0, kKey, nullptr), 0);
  EXPECT_EQ(loop.next_error().err, FI_EACCES) << "the endpoint did not ask for FI_REMOTE_WRITE";
}

}  // namespace
}  // namespace xs::abi::test
