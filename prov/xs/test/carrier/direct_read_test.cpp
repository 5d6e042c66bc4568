// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Reading another process' memory: docs/paths.md section 8.
#include "carrier/direct_read.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace xs::carrier {
namespace {

constexpr WitnessBytes kNonce{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};

// A child that stands still. Its memory is what ours was when it was made.
class Child {
 public:
  Child() : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  ~Child() { kill_and_reap(); }
  pid_t pid() const { return pid_; }
  void kill_and_reap() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_;
};

struct DirectReadTest : testing::Test {
  DirectReadTest() : payload(3 << 20) {
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = std::byte(i * 7 + i / 4096);
    child.emplace();
    there = {static_cast<std::uint32_t>(child->pid()), witness.address(), kNonce};
    if (!there.answers()) skip = true;
  }
  void SetUp() override {
    if (skip) GTEST_SKIP() << "this kernel lets no process read another's memory";
  }
  std::uint64_t address(std::size_t offset = 0) const {
    return reinterpret_cast<std::uint64_t>(payload.data()) + offset;
  }
  bool read(std::size_t offset, std::vector<std::byte>& to) const {
    const struct iovec iov { to.data(), to.size() };
    return there.read(address(offset), {&iov, 1});
  }
  bool is_payload(std::size_t offset, const std::vector<std::byte>& bytes) const {
    return std::memcmp(payload.data() + offset, bytes.data(), bytes.size()) == 0;
  }

  std::vector<std::byte> payload;
  Witness witness{kNonce};
  std::optional<Child> child;
  ForeignMemory there;
  bool skip = false;
};

TEST_F(DirectReadTest, sizes) {
  for (const std::size_t size : {1ul, 7ul, 16ul, 4095ul, 4096ul, 4097ul, 65536ul, 3ul << 20}) {
    std::vector<std::byte> bytes(size);
    EXPECT_TRUE(read(0, bytes)) << size;
    EXPECT_TRUE(is_payload(0, bytes)) << size;
  }
}

TEST_F(DirectReadTest, nothing_is_read_well_while_the_witness_stands) {
  EXPECT_TRUE(there.read(0, {}));
  EXPECT_TRUE(there.read(address(), {}));
  std::vector<std::byte> none;
  EXPECT_TRUE(read(0, none));
  there.bytes[0] = std::byte{9};
  EXPECT_FALSE(there.read(address(), {}));
}

TEST_F(DirectReadTest, into_as_many_pieces_as_there_may_be) {
  std::vector<std::byte> bytes(ForeignMemory::kPieces * 1000);
  std::array<struct iovec, ForeignMemory::kPieces> pieces;
  // From behind, so that their order counts; one of them is empty.
  std::size_t at = bytes.size();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::size_t size = i == 3 ? 0 : 900 + i;
    at -= size;
    pieces[i] = {bytes.data() + at, size};
  }
  EXPECT_TRUE(there.read(address(11), pieces));
  std::size_t offset = 11;
  for (const struct iovec& piece : pieces) {
    EXPECT_EQ(std::memcmp(piece.iov_base, payload.data() + offset, piece.iov_len), 0);
    offset += piece.iov_len;
  }
}

TEST_F(DirectReadTest, more_pieces_are_refused) {
  std::vector<std::byte> bytes(64);
  std::vector<struct iovec> pieces(ForeignMemory::kPieces + 1, {bytes.data(), 1});
  EXPECT_FALSE(there.read(address(), pieces));
}

// The sum alone: no such memory is touched.
TEST_F(DirectReadTest, more_than_a_gigabyte_is_refused) {
  std::byte byte{7};
  const struct iovec huge { &byte, (std::size_t{1} << 30) + 1 };
  EXPECT_FALSE(there.read(address(), {&huge, 1}));
  EXPECT_EQ(byte, std::byte{7});
}

TEST_F(DirectReadTest, wrong_address) {
  std::vector<std::byte> bytes(4096);
  const struct iovec iov { bytes.data(), bytes.size() };
  EXPECT_FALSE(there.read(16, {&iov, 1}));
  EXPECT_FALSE(there.read(~0ull - 100, {&iov, 1}));
}

// What is there only in part is nothing.
TEST_F(DirectReadTest, memory_that_ends) {
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  auto* const two = static_cast<std::byte*>(
      mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(two, MAP_FAILED);
  std::memset(two, 0x33, 2 * page);
  ASSERT_EQ(munmap(two + page, page), 0);
  Child holed;
  there.process = static_cast<std::uint32_t>(holed.pid());
  std::vector<std::byte> bytes(page);
  const struct iovec iov { bytes.data(), bytes.size() };
  EXPECT_TRUE(there.read(reinterpret_cast<std::uint64_t>(two), {&iov, 1}));
  EXPECT_FALSE(there.read(reinterpret_cast<std::uint64_t>(two) + 1, {&iov, 1}));
  munmap(two, page);
}

TEST_F(DirectReadTest, wiped_witness) {
  witness.wipe();
  Child later;  // has the wiped one
  there.process = static_cast<std::uint32_t>(later.pid());
  std::vector<std::byte> bytes(100);
  EXPECT_FALSE(there.answers());
  EXPECT_FALSE(read(0, bytes));
}

TEST_F(DirectReadTest, other_witness) {
  there.bytes[15] = std::byte{1};
  std::vector<std::byte> bytes(100);
  EXPECT_FALSE(there.answers());
  EXPECT_FALSE(read(0, bytes));
}

TEST_F(DirectReadTest, witness_at_a_wrong_address) {
  there.witness = 16;
  std::vector<std::byte> bytes(100);
  EXPECT_FALSE(there.answers());
  EXPECT_FALSE(read(0, bytes));
}

TEST_F(DirectReadTest, dead_process) {
  child->kill_and_reap();
  std::vector<std::byte> bytes(100);
  EXPECT_FALSE(there.answers());
  EXPECT_FALSE(read(0, bytes));
}

// Killed, but not buried: its memory is gone all the same.
TEST_F(DirectReadTest, dying_process) {
  kill(child->pid(), SIGKILL);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child->pid()), &info, WEXITED | WNOWAIT), 0);
  std::vector<std::byte> bytes(100);
  EXPECT_FALSE(there.answers());
  EXPECT_FALSE(read(0, bytes));
}

TEST_F(DirectReadTest, no_process) {
  there.process = 0;
  std::vector<std::byte> bytes(100);
  EXPECT_FALSE(there.answers());
  EXPECT_FALSE(read(0, bytes));
}

TEST_F(DirectReadTest, process_of_no_sign) {
  there.process = ~0u;
  EXPECT_FALSE(there.answers());
}

TEST(WitnessTest, shows_what_it_was_given_until_it_is_wiped) {
  Witness witness(kNonce);
  const auto* const at = reinterpret_cast<const std::byte*>(witness.address());
  EXPECT_EQ(std::memcmp(at, kNonce.data(), kNonce.size()), 0);
  witness.wipe();
  EXPECT_EQ(std::memcmp(at, WitnessBytes{}.data(), kNonce.size()), 0);
}

}  // namespace
}  // namespace xs::carrier
