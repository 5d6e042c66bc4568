// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/local/pages.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "hv/hv_rig.hpp"

namespace xs::test {

namespace {

constexpr std::size_t kSize = 4 * hv::kPageSize;
constexpr hv::Id kNonce{7, 8};

TEST(HvPages, AreSealedByTheirOwner) {
  auto made = hv::make_pages(4, kNonce);
  ASSERT_TRUE(made);
  const int fd = made->memfd.get();
  EXPECT_NE(ftruncate(fd, 0), 0);
  EXPECT_NE(ftruncate(fd, 2 * kSize), 0);
  EXPECT_NE(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
  EXPECT_NE(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kSize), 0);
  EXPECT_EQ(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
  const std::byte one{1};
  EXPECT_LT(write(fd, &one, 1), 0);
  made->range.user_bytes()[0] = one;
  auto seen = hv::map_pages(made->memfd, kSize);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->user_bytes()[0], one);
  EXPECT_EQ(seen->user_bytes().size(), kSize - hv::kHeadSize);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(seen->user_bytes().data()) % 64, 0u);
  EXPECT_NE(mprotect(seen->begin(), kSize, PROT_READ | PROT_WRITE), 0);
}

TEST(HvPages, ProveThemselves) {
  auto made = hv::make_pages(4, kNonce);
  ASSERT_TRUE(made);
  auto seen = hv::map_pages(made->memfd, kSize);
  ASSERT_TRUE(seen);
  EXPECT_TRUE(hv::proves(*seen, kNonce));
  EXPECT_FALSE(hv::proves(*seen, {7, 9}));
  EXPECT_FALSE(hv::proves(*seen, {6, 8}));
  auto foreign = hv::map_pages(memfd(kSize), kSize);
  ASSERT_TRUE(foreign);
  EXPECT_FALSE(hv::proves(*foreign, hv::Id{})) << "pages without a head";
}

TEST(HvPages, WithFlawsAreNotMapped) {
  EXPECT_TRUE(hv::map_pages(memfd(kSize), kSize));
  for (const Flaw flaw : {Flaw::kUnsealed, Flaw::kShrinkable, Flaw::kGrowable, Flaw::kWritable,
                          Flaw::kSparse, Flaw::kSmall, Flaw::kOdd}) {
    auto mapped = hv::map_pages(memfd(kSize, flaw), kSize);
    ASSERT_FALSE(mapped) << static_cast<int>(flaw);
    EXPECT_EQ(mapped.error().code, EBADMSG);
  }
}

TEST(HvPages, OfStrangeSizesAreNotMapped) {
  EXPECT_FALSE(hv::map_pages(memfd(kSize), kSize + 4096));
  EXPECT_FALSE(hv::map_pages(memfd(kSize), kSize - 4096));
  EXPECT_FALSE(hv::map_pages(memfd(kSize), 0));
  EXPECT_FALSE(hv::map_pages(memfd(kSize), ~0ull));
  constexpr std::size_t kTooLarge = (hv::kMostPages + 1) * hv::kPageSize;
  EXPECT_FALSE(hv::map_pages(memfd(kTooLarge), kTooLarge));
}

TEST(HvPages, OtherDescriptorsAreNotMapped) {
  EXPECT_FALSE(hv::map_pages(bell(), kSize));
  EXPECT_FALSE(hv::map_pages(hv::UniqueFd(open("/proc/self/exe", O_RDONLY)), kSize));
  EXPECT_FALSE(hv::map_pages(hv::UniqueFd(open("/dev/zero", O_RDWR)), kSize));
  EXPECT_FALSE(hv::map_pages(hv::UniqueFd(), kSize));
}

// ftruncate would kill the process.
TEST(HvPages, RespectTheLimitOnFiles) {
  const LowLimit limit(RLIMIT_FSIZE, 2 * hv::kPageSize);
  EXPECT_TRUE(hv::make_pages(2, kNonce));
  auto made = hv::make_pages(3, kNonce);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, EFBIG);
}

// A frame that runs on from the last cell to the first has its end before its stamp, which is
// written later: a copy from one end to the other could have the stamp without it.
TEST(HvPages, AreCopiedAsTheyStoodAtOneInstant) {
  auto made = hv::make_pages(64, kNonce);
  ASSERT_TRUE(made);
  auto seen = hv::map_pages(made->memfd, made->range.size());
  ASSERT_TRUE(seen);
  const auto word = [](const hv::Range& range, std::size_t at) {
    return std::atomic_ref(reinterpret_cast<std::uint64_t*>(range.user_bytes().data())[at]);
  };
  const std::size_t last = made->range.user_bytes().size() / sizeof(std::uint64_t) - 1;
  std::atomic<bool> enough = false;
  std::thread writer([&] {
    for (std::uint64_t i = 1; !enough; ++i) {
      word(made->range, 0).store(i, std::memory_order_relaxed);
      word(made->range, last).store(i, std::memory_order_release);
      if (i % 4096 == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  unsigned copies = 0;
  for (int i = 0; i < 300; ++i) {
    auto copy = seen->copy();
    if (!copy) continue;
    ++copies;
    const std::uint64_t end = word(*copy, 0), stamp = word(*copy, last);
    EXPECT_TRUE(end == stamp || end == stamp + 1) << end << ' ' << stamp;
  }
  enough = true;
  writer.join();
  EXPECT_GT(copies, 0u);
}

// A child's stores would be those of a second writer.
TEST(HvPages, AreNotInherited) {
  auto made = hv::make_pages(1, kNonce);
  ASSERT_TRUE(made);
  const pid_t child = fork();
  if (child == 0) _exit(msync(made->range.begin(), hv::kPageSize, MS_ASYNC) == 0 ? 1 : 0);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(HvPages, LeaveNothing) {
  const Holdings before = holdings();
  {
    auto made = hv::make_pages(4, kNonce);
    ASSERT_TRUE(made);
    EXPECT_TRUE(hv::map_pages(made->memfd, kSize));
    EXPECT_FALSE(hv::map_pages(memfd(kSize, Flaw::kUnsealed), kSize));
    EXPECT_FALSE(hv::make_pages(0, kNonce));
  }
  EXPECT_EQ(holdings(), before);
}

}  // namespace

}  // namespace xs::test
