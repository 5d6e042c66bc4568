// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// fi_rma(3) and fi_atomic(3) between two, over whatever path there is: a ring soon.
#include <rdma/fi_atomic.h>
#include <rdma/fi_rma.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include "face/machines.hpp"

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

struct RmaPair : MachinesTest {
  RmaPair() : mr(show(b.domain.get(), memory)) {}
  void await(Process& who, std::uint64_t flags) {
    struct fi_cq_tagged_entry entry {};
    until([&] {
      fi_cq_read((&who == &a ? b : a).cq.get(), nullptr, 0);
      return fi_cq_read(who.cq.get(), &entry, 1) == 1;
    });
    EXPECT_EQ(entry.flags, flags);
  }
  // The next completion of a, an error; b has none meanwhile.
  struct fi_cq_err_entry refusal() {
    struct fi_cq_tagged_entry entry;
    ssize_t rc = -FI_EAGAIN;
    until([&] {
      EXPECT_EQ(fi_cq_read(b.cq.get(), &entry, 1), -FI_EAGAIN);
      return (rc = fi_cq_read(a.cq.get(), &entry, 1)) != -FI_EAGAIN;
    });
    EXPECT_EQ(rc, -FI_EAVAIL);
    struct fi_cq_err_entry error {};
    if (rc == -FI_EAVAIL) {
      EXPECT_EQ(fi_cq_readerr(a.cq.get(), &error, 0), 1);
    }
    return error;
  }
  std::vector<char> memory = std::vector<char>(1 << 20);
  FidPtr<struct fid_mr> mr;
};

TEST_F(RmaPair, large_write_and_read_come_back_whole) {
  std::vector<char> out(memory.size()), back(memory.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(i * 31 + i / 251);
  for (int round = 0; round < 4; ++round) {
    ++out[77];
    ASSERT_EQ(fi_write(a.ep.get(), out.data(), out.size(), nullptr, to_b, 0, kKey, nullptr), 0);
    ASSERT_EQ(fi_read(a.ep.get(), back.data(), back.size(), nullptr, to_b, 0, kKey, nullptr), 0);
    await(a, FI_RMA | FI_WRITE);
    EXPECT_EQ(memory, out);
    await(a, FI_RMA | FI_READ);
    EXPECT_EQ(back, out);
  }
}

// What it has begun to answer the target answers to the end, though it closes.
TEST_F(RmaPair, closing_target_answers_what_it_has_taken) {
  talk_until_ring();
  memory.back() = 'z';
  std::vector<char> back(memory.size());
  ASSERT_EQ(fi_read(a.ep.get(), back.data(), back.size(), nullptr, to_b, 0, kKey, nullptr), 0);
  fi_cq_read(b.cq.get(), nullptr, 0);
  std::thread closes([&] { b.ep.reset(); });
  struct fi_cq_tagged_entry entry {};
  ssize_t rc = -FI_EAGAIN;
  until([&] { return (rc = fi_cq_read(a.cq.get(), &entry, 1)) != -FI_EAGAIN; });
  closes.join();
  ASSERT_EQ(rc, 1);
  EXPECT_EQ(entry.flags, FI_RMA | FI_READ);
  EXPECT_EQ(back, memory);
}

TEST_F(RmaPair, data_comes_when_all_is_written) {
  ASSERT_EQ(fi_writedata(a.ep.get(), "abc", 3, nullptr, 5, to_b, 0, kKey, nullptr), 0);
  await(b, FI_RMA | FI_REMOTE_WRITE | FI_REMOTE_CQ_DATA);
  EXPECT_EQ(std::string_view(memory.data(), 3), "abc");
  await(a, FI_RMA | FI_WRITE);
}

// Operations on b's memory, as a calls them; what they bring is put in `room`.
struct Reach {
  const char* name;
  std::uint64_t flags;  // of its completion
  std::size_t size;     // bytes there
  std::function<ssize_t(std::uint64_t address, std::uint64_t key, void* context)> call;
};

struct RmaRefusals : RmaPair {
  // By a key of nobody's, beyond the end by one byte, and without the right.
  void refuse(const Reach& reach, bool reads) {
    const std::uint64_t beyond = memory.size() - reach.size + 1;
    struct Case {
      std::uint64_t address, key;
      int error;
    };
    for (const auto& [address, key, error] :
         {Case{0, kKey + 1, FI_ENOKEY}, Case{beyond, kKey, FI_EACCES},
          Case{0, reads ? kWriteOnly : kReadOnly, FI_EACCES}}) {
      SCOPED_TRACE(testing::Message() << reach.name << ", key " << key << ", at " << address);
      struct fi_context2 context;
      ASSERT_EQ(reach.call(address, key, &context), 0);
      const struct fi_cq_err_entry entry = refusal();
      EXPECT_EQ(entry.err, error);
      EXPECT_EQ(entry.flags, reach.flags);
      EXPECT_EQ(entry.op_context, &context);
      EXPECT_TRUE(memory == before) << "nothing is written there";
      EXPECT_TRUE(room == untouched) << "nothing is brought";
    }
  }
  void refuse_all() {
    struct fid_ep* const ep = a.ep.get();
    const auto write = [&, ep](std::size_t size) {
      return [&, ep, size](std::uint64_t address, std::uint64_t key, void* context) {
        return fi_write(ep, other.data(), size, nullptr, to_b, address, key, context);
      };
    };
    const auto read = [&, ep](std::size_t size) {
      return [&, ep, size](std::uint64_t address, std::uint64_t key, void* context) {
        return fi_read(ep, room.data(), size, nullptr, to_b, address, key, context);
      };
    };
    const auto update = [&, ep](std::uint64_t address, std::uint64_t key, void* context) {
      return fi_atomic(ep, other.data(), 2, nullptr, to_b, address, key, FI_UINT64, FI_SUM,
                       context);
    };
    const auto fetch = [&, ep](std::uint64_t address, std::uint64_t key, void* context) {
      return fi_fetch_atomic(ep, other.data(), 2, nullptr, room.data(), nullptr, to_b, address, key,
                             FI_UINT64, FI_SUM, context);
    };
    refuse({"write", FI_RMA | FI_WRITE, 16, write(16)}, false);
    refuse({"large write", FI_RMA | FI_WRITE, memory.size(), write(memory.size())}, false);
    refuse({"read", FI_RMA | FI_READ, 16, read(16)}, true);
    refuse({"large read", FI_RMA | FI_READ, memory.size(), read(memory.size())}, true);
    refuse({"atomic", FI_ATOMIC | FI_WRITE, 16, update}, false);
    refuse({"fetch", FI_ATOMIC | FI_READ, 16, fetch}, true);
    refuse({"fetch", FI_ATOMIC | FI_READ, 16, fetch}, false);
  }

  static constexpr std::uint64_t kReadOnly = 2, kWriteOnly = 3;
  FidPtr<struct fid_mr> read_only = show(b.domain.get(), memory, kReadOnly, FI_REMOTE_READ);
  FidPtr<struct fid_mr> write_only = show(b.domain.get(), memory, kWriteOnly, FI_REMOTE_WRITE);
  std::vector<char> before = std::vector<char>(memory.size());
  std::vector<char> other = std::vector<char>(memory.size(), 'o');
  std::vector<char> room = std::vector<char>(memory.size(), 'r');
  std::vector<char> untouched = room;
};

TEST_F(RmaRefusals, come_back_and_touch_nothing) {
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<char>(i * 31 + i / 251);
  before = memory;
  refuse_all();
  talk_until_ring();
  refuse_all();
  EXPECT_EQ(a.at(to_b).path, static_cast<std::uint32_t>(FI_XS_PATH_RING)) << "they are no lies";
  // What is allowed goes on.
  ASSERT_EQ(fi_write(a.ep.get(), "abc", 3, nullptr, to_b, 0, kKey, nullptr), 0);
  await(a, FI_RMA | FI_WRITE);
  EXPECT_EQ(std::string_view(memory.data(), 3), "abc");
}

}  // namespace
}  // namespace xs::abi::test
