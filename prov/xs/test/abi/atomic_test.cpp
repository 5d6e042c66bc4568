// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every call of fi_atomic(3), of an endpoint on its own memory, and between two.
#include <rdma/fi_atomic.h>

#include <array>
#include <vector>

#include "face/machines.hpp"

namespace xs::abi::test {
namespace {

constexpr std::uint64_t kKey = 0xA;
using Numbers = std::array<std::uint64_t, 4>;

FidPtr<struct fid_mr> show(struct fid_domain* domain, Numbers& numbers) {
  struct fid_mr* mr = nullptr;
  EXPECT_EQ(fi_mr_reg(domain, &numbers, sizeof numbers, FI_REMOTE_READ | FI_REMOTE_WRITE, 0, kKey,
                      0, &mr, nullptr),
            0);
  return FidPtr<struct fid_mr>(mr);
}

class AtomicTest : public testing::Test {
 protected:
  struct fid_ep* ep() {
    return loop_.ep.get();
  }
  void expect_done(std::uint64_t flags) {
    const struct fi_cq_tagged_entry entry = loop_.next();
    EXPECT_EQ(entry.flags, flags);
    EXPECT_EQ(entry.op_context, &context_);
    struct fi_cq_tagged_entry more;
    EXPECT_EQ(loop_.try_next(more), 0);
  }
  struct fi_msg_atomic message(const struct fi_ioc* ioc, std::size_t pieces,
                               const struct fi_rma_ioc& remote, enum fi_op op) {
    return {.msg_iov = ioc,
            .desc = nullptr,
            .iov_count = pieces,
            .addr = loop_.self,
            .rma_iov = &remote,
            .rma_iov_count = 1,
            .datatype = FI_UINT64,
            .op = op,
            .context = &context_,
            .data = 0};
  }

  Loop loop_;
  Numbers numbers_{10, 20, 30, 40};
  FidPtr<struct fid_mr> mr_ = show(loop_.domain.get(), numbers_);
  std::uint64_t value_[2] = {1, 2};
  std::uint64_t compare_[2] = {10, 0};
  std::uint64_t result_[2] = {};
  struct fi_context2 context_;
};

TEST_F(AtomicTest, updates) {
  ASSERT_EQ(fi_atomic(ep(), value_, 2, nullptr, loop_.self, 8, kKey, FI_UINT64, FI_SUM, &context_),
            0);
  expect_done(FI_ATOMIC | FI_WRITE);
  EXPECT_EQ(numbers_, (Numbers{10, 21, 32, 40}));
  const struct fi_ioc ioc[] = {{value_, 1}, {value_ + 1, 1}};
  ASSERT_EQ(
      fi_atomicv(ep(), ioc, nullptr, 2, loop_.self, 0, kKey, FI_UINT64, FI_ATOMIC_WRITE, &context_),
      0);
  expect_done(FI_ATOMIC | FI_WRITE);
  EXPECT_EQ(numbers_, (Numbers{1, 2, 32, 40}));
  const struct fi_rma_ioc remote { .addr = 16, .count = 2, .key = kKey };
  const auto msg = message(ioc, 2, remote, FI_BOR);
  ASSERT_EQ(fi_atomicmsg(ep(), &msg, FI_COMPLETION), 0);
  expect_done(FI_ATOMIC | FI_WRITE);
  EXPECT_EQ(numbers_, (Numbers{1, 2, 33, 42}));
}

TEST_F(AtomicTest, inject_never_completes) {
  ASSERT_EQ(fi_inject_atomic(ep(), value_, 1, loop_.self, 0, kKey, FI_UINT64, FI_SUM), 0);
  struct fi_cq_tagged_entry entry;
  EXPECT_EQ(loop_.try_next(entry), 0);
  EXPECT_EQ(numbers_[0], 11u);
}

TEST_F(AtomicTest, fetches) {
  ASSERT_EQ(fi_fetch_atomic(ep(), value_, 2, nullptr, result_, nullptr, loop_.self, 0, kKey,
                            FI_UINT64, FI_SUM, &context_),
            0);
  expect_done(FI_ATOMIC | FI_READ);
  EXPECT_EQ(result_[0], 10u);
  EXPECT_EQ(result_[1], 20u);
  EXPECT_EQ(numbers_, (Numbers{11, 22, 30, 40}));
  // Operands of a read mean nothing.
  ASSERT_EQ(fi_fetch_atomic(ep(), nullptr, 1, nullptr, result_, nullptr, loop_.self, 24, kKey,
                            FI_UINT64, FI_ATOMIC_READ, &context_),
            0);
  expect_done(FI_ATOMIC | FI_READ);
  EXPECT_EQ(result_[0], 40u);
  struct fi_ioc results[] = {{result_ + 1, 1}, {result_, 1}};
  const struct fi_ioc ioc { value_, 2 };
  const struct fi_rma_ioc remote { .addr = 0, .count = 2, .key = kKey };
  const auto msg = message(&ioc, 1, remote, FI_MAX);
  ASSERT_EQ(fi_fetch_atomicmsg(ep(), &msg, results, nullptr, 2, 0), 0);
  expect_done(FI_ATOMIC | FI_READ);
  EXPECT_EQ(result_[1], 11u);
  EXPECT_EQ(result_[0], 22u);
}

TEST_F(AtomicTest, compares) {
  ASSERT_EQ(fi_compare_atomic(ep(), value_, 2, nullptr, compare_, nullptr, result_, nullptr,
                              loop_.self, 0, kKey, FI_UINT64, FI_CSWAP, &context_),
            0);
  expect_done(FI_ATOMIC | FI_READ);
  EXPECT_EQ(result_[0], 10u);
  EXPECT_EQ(numbers_, (Numbers{1, 20, 30, 40}));
  struct fi_ioc results {
    result_, 1
  };
  const struct fi_ioc ioc { value_, 1 };
  const struct fi_ioc compares { compare_, 1 };
  const struct fi_rma_ioc remote { .addr = 8, .count = 1, .key = kKey };
  const auto msg = message(&ioc, 1, remote, FI_CSWAP_LE);
  ASSERT_EQ(
      fi_compare_atomicmsg(ep(), &msg, &compares, nullptr, 1, &results, nullptr, 1, FI_COMPLETION),
      0);
  expect_done(FI_ATOMIC | FI_READ);
  EXPECT_EQ(numbers_[1], 1u);
}

TEST_F(AtomicTest, what_can_not_be_asked) {
  const auto rc = [&](enum fi_datatype type, enum fi_op op, std::size_t count) {
    return fi_atomic(ep(), value_, count, nullptr, loop_.self, 0, kKey, type, op, nullptr);
  };
  EXPECT_EQ(rc(FI_UINT64, FI_CSWAP, 1), -FI_EOPNOTSUPP);
  EXPECT_EQ(rc(FI_DOUBLE, FI_BOR, 1), -FI_EOPNOTSUPP);
  EXPECT_EQ(rc(static_cast<enum fi_datatype>(-1), FI_SUM, 1), -FI_EOPNOTSUPP);
  EXPECT_EQ(rc(FI_UINT64, static_cast<enum fi_op>(256 + FI_SUM), 1), -FI_EOPNOTSUPP);
  EXPECT_EQ(rc(FI_UINT64, FI_SUM, 513), -FI_EMSGSIZE);
  EXPECT_EQ(rc(FI_UINT64, FI_SUM, ~std::size_t{0} / 8 + 2), -FI_EMSGSIZE);
  const struct fi_ioc many[] = {{value_, 1}, {value_, 512}};
  EXPECT_EQ(fi_atomicv(ep(), many, nullptr, 2, loop_.self, 0, kKey, FI_UINT64, FI_SUM, nullptr),
            -FI_EMSGSIZE);
  EXPECT_EQ(fi_atomicv(ep(), many, nullptr, 5, loop_.self, 0, kKey, FI_UINT64, FI_SUM, nullptr),
            -FI_EINVAL)
      << "more pieces than there may be";
  EXPECT_EQ(fi_atomic(ep(), nullptr, 1, nullptr, loop_.self, 0, kKey, FI_UINT64, FI_SUM, nullptr),
            -FI_EINVAL);
  struct fi_ioc results {
    result_, 2
  };
  const struct fi_ioc ioc { value_, 1 };
  EXPECT_EQ(fi_fetch_atomicv(ep(), &ioc, nullptr, 1, &results, nullptr, 1, loop_.self, 0, kKey,
                             FI_UINT64, FI_SUM, nullptr),
            -FI_EINVAL)
      << "results of another number";
  const struct fi_rma_ioc remote { .addr = 0, .count = 2, .key = kKey };
  const auto msg = message(&ioc, 1, remote, FI_SUM);
  EXPECT_EQ(fi_atomicmsg(ep(), &msg, 0), -FI_EINVAL) << "the remote side has two";
  EXPECT_EQ(fi_atomicmsg(ep(), &msg, FI_REMOTE_CQ_DATA), -FI_EBADFLAGS);
  EXPECT_EQ(numbers_, (Numbers{10, 20, 30, 40}));
}

TEST_F(AtomicTest, refusals_are_error_completions) {
  ASSERT_EQ(fi_atomic(ep(), value_, 2, nullptr, loop_.self, 24, kKey, FI_UINT64, FI_SUM, &context_),
            0);
  const struct fi_cq_err_entry entry = loop_.next_error();
  EXPECT_EQ(entry.err, FI_EACCES);
  EXPECT_EQ(entry.flags, FI_ATOMIC | FI_WRITE);
  EXPECT_EQ(numbers_, (Numbers{10, 20, 30, 40}));
}

TEST_F(AtomicTest, queries) {
  std::size_t count = 0;
  EXPECT_EQ(fi_atomicvalid(ep(), FI_UINT64, FI_SUM, &count), 0);
  EXPECT_EQ(count, 512u);
  EXPECT_EQ(fi_fetch_atomicvalid(ep(), FI_LONG_DOUBLE_COMPLEX, FI_ATOMIC_READ, &count), 0);
  EXPECT_EQ(count, 4096 / sizeof(long double) / 2);
  EXPECT_EQ(fi_compare_atomicvalid(ep(), FI_INT8, FI_MSWAP, &count), 0);
  EXPECT_EQ(count, 4096u);
  EXPECT_EQ(fi_atomicvalid(ep(), FI_UINT64, FI_ATOMIC_READ, &count), -FI_EOPNOTSUPP);
  EXPECT_EQ(fi_compare_atomicvalid(ep(), FI_UINT64, FI_SUM, &count), -FI_EOPNOTSUPP);
  struct fi_atomic_attr attr {};
  const auto query = [&](enum fi_op op, std::uint64_t flags) {
    return fi_query_atomic(loop_.domain.get(), FI_UINT32, op, &attr, flags);
  };
  EXPECT_EQ(query(FI_SUM, 0), 0);
  EXPECT_EQ(attr.count, 1024u);
  EXPECT_EQ(attr.size, 4u);
  EXPECT_EQ(query(FI_CSWAP, FI_COMPARE_ATOMIC), 0);
  EXPECT_EQ(query(FI_CSWAP, FI_FETCH_ATOMIC), -FI_EOPNOTSUPP);
  EXPECT_EQ(query(FI_SUM, FI_FETCH_ATOMIC | FI_COMPARE_ATOMIC), -FI_EBADFLAGS);
  EXPECT_EQ(query(FI_SUM, FI_INJECT), -FI_EBADFLAGS);
  EXPECT_EQ(query(FI_SUM, FI_TAGGED), -FI_ENOSYS);
}

TEST(AtomicCaps, without_them_there_are_no_calls) {
  const InfoPtr hints = make_hints();
  hints->caps = FI_MSG | FI_RMA;
  Loop loop(hints.get());
  const std::uint64_t one = 1;
  EXPECT_EQ(fi_inject_atomic(loop.ep.get(), &one, 1, loop.self, 0, kKey, FI_UINT64, FI_SUM),
            -FI_ENOSYS);
}

// Two endpoints add to one number by turns: each addition happens once, and each fetch brings
// another value.
struct AtomicPair : MachinesTest {};

TEST_F(AtomicPair, sums_and_fetches_happen_once_each) {
  Numbers numbers{};
  const auto mr = show(b.domain.get(), numbers);
  constexpr std::uint64_t kTimes = 2000;
  const std::uint64_t one = 1;
  std::vector<std::uint64_t> results(kTimes);
  std::uint64_t asked = 0;
  std::uint64_t ended = 0;
  struct fi_cq_tagged_entry entry;
  until([&] {
    if (asked < kTimes) {
      const ssize_t rc = fi_fetch_atomic(a.ep.get(), &one, 1, nullptr, &results[asked], nullptr,
                                         to_b, 0, kKey, FI_UINT64, FI_SUM, nullptr);
      if (rc == 0) ++asked;
    }
    fi_cq_read(b.cq.get(), &entry, 1);
    ended += fi_cq_read(a.cq.get(), &entry, 1) == 1;
    return ended == kTimes;
  });
  EXPECT_EQ(numbers[0], kTimes);
  for (std::uint64_t i = 0; i < kTimes; ++i) ASSERT_EQ(results[i], i);
}

}  // namespace
}  // namespace xs::abi::test
