// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Operations that come by a ring whose pages vanish in the middle of a copy: nothing follows from
// bytes that do not stand at a second look, and what comes again is performed once.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/machine.hpp"

namespace xs::core::test {
namespace {

constexpr unsigned kLongest = 4000;     // passes
constexpr std::size_t kElements = 512;  // of an atomic: 4096 bytes of operands
constexpr std::size_t kSize = 40'000;   // of a write: several frames, each over some pages
constexpr std::uint64_t kKey = 7;

// Two neighbours who write rings. The second shows memory.
class RmaRingTest : public testing::TestWithParam<std::size_t> {
 protected:
  RmaRingTest() : initiator(machine, 10), target(machine, 11), theirs(kSize) {
    shown.memory = UserMemory(std::as_writable_bytes(std::span(theirs)));
    shown.rights = kReadable | kWritable;
    shown.key = kKey;
    EXPECT_EQ(target.shared.add(shown), 0);
    for (std::size_t i = 0; i < kSize; ++i) ours[i] = static_cast<std::byte>(i * 7 + 1);
    initiator.send(target);
    for (unsigned i = 0; i < kLongest && !joined(); ++i) pass();
    EXPECT_TRUE(joined());
    struct fi_cq_tagged_entry entry;
    while (initiator.queue.read(&entry, 1, nullptr) == 1) {
    }
  }
  ~RmaRingTest() override { target.shared.remove(shown); }

  bool joined() { return initiator.writes_to(target) && target.writes_to(initiator); }
  void pass() {
    machine.network.set_time(machine.network.now() + util::kMicrosecond / 2);
    initiator.endpoint->progress();
    target.endpoint->progress();
  }
  // What the target sees of that page turns to ones when it is read next.
  void set_trap() {
    for (sim::FakeMapping* mapping : machine.hypervisor.mappings())
      if (mapping->reader() == target.hv->number() && GetParam() < mapping->pages())
        mapping->set_trap(GetParam(), sim::Sight::kOnes);
  }
  void expect_success() {
    struct fi_cq_tagged_entry entry;
    ssize_t count = 0;
    for (unsigned i = 0;
         i < kLongest && (count = initiator.queue.read(&entry, 1, nullptr)) == -FI_EAGAIN; ++i)
      pass();
    struct fi_cq_err_entry error {};
    if (count == -FI_EAVAIL) (void)initiator.queue.read_error(&error, 0);
    ASSERT_EQ(count, 1) << "error " << error.err;
  }

  Machine machine;
  Process initiator, target;
  std::vector<std::byte> ours = std::vector<std::byte>(kSize);
  std::vector<std::byte> theirs;
  Registration shown;
};

TEST_P(RmaRingTest, write_is_placed_as_it_was_written) {
  const struct iovec bytes { ours.data(), ours.size() };
  ASSERT_EQ(initiator.endpoint->reach(RmaOp{.kind = RmaKind::kWrite,
                                            .iov = std::span(&bytes, 1),
                                            .to = initiator.book.insert(target.endpoint->name()),
                                            .address = 0,
                                            .key = kKey,
                                            .data = 0,
                                            .flags = kOpCompletion,
                                            .context = nullptr}),
            Status::kOk);
  set_trap();
  expect_success();
  EXPECT_EQ(theirs, ours);
}

TEST_P(RmaRingTest, atomic_is_performed_once_with_its_operands) {
  const struct iovec values { ours.data(), kElements * 8 };
  ASSERT_EQ(initiator.endpoint->reach(AtomicOp{.kind = RmaKind::kUpdate,
                                               .operation = AtomicOperation::kSum,
                                               .datatype = Datatype::kUint64,
                                               .count = kElements,
                                               .values = std::span(&values, 1),
                                               .compares = {},
                                               .results = {},
                                               .to = initiator.book.insert(target.endpoint->name()),
                                               .address = 0,
                                               .key = kKey,
                                               .flags = kOpCompletion,
                                               .context = nullptr}),
            Status::kOk);
  set_trap();
  expect_success();
  // To nothing.
  EXPECT_EQ(std::memcmp(theirs.data(), ours.data(), kElements * 8), 0);
}

// Every page of a region, so the ones in the middle of a frame, too.
INSTANTIATE_TEST_SUITE_P(Pages, RmaRingTest, testing::Range<std::size_t>(0, 16),
                         [](const auto& info) { return "Page" + std::to_string(info.param); });

}  // namespace
}  // namespace xs::core::test
