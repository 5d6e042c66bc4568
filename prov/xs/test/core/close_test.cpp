// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A receiver that closes as soon as it has its message, while the two of them join a ring: its
// sender, who asked for delivery, hears that the message is delivered. No clock moves.
#include <gtest/gtest.h>

#include <string>

#include "core/machine.hpp"

namespace xs::core::test {
namespace {

constexpr Nanoseconds kPass = util::kMicrosecond / 2;
constexpr unsigned kLongest = 4000;  // passes; all of joining takes some 200

struct Setting {
  std::uint64_t seed;  // decides who proposes the ring
  unsigned rarely;     // passes between two of the sender's: processors are short
};

class CloseTest : public testing::TestWithParam<Setting> {
 protected:
  struct Pair {
    explicit Pair(const Setting& setting)
        : rarely(setting.rarely),
          sender(machine, 10 * static_cast<unsigned>(setting.seed)),
          receiver(machine, 10 * static_cast<unsigned>(setting.seed) + 1) {}
    void pass() {
      machine.network.set_time(machine.network.now() + kPass);
      if (receiver.endpoint) receiver.endpoint->progress();
      if (++passes % rarely == 0) sender.endpoint->progress();
    }
    unsigned rarely;
    unsigned passes = 0;
    Machine machine;
    Process sender, receiver;
  };

  // How the send ends whose receiver closes at once: 0, an error, or -1 if it never does. It begins
  // that many passes after the two have opened a session.
  static int end_of_a_send(const Setting& setting, unsigned wait) {
    Pair pair(setting);
    pair.sender.send(pair.receiver);
    for (unsigned i = 0; i < kLongest && !pair.sender.open_with(pair.receiver); ++i) pair.pass();
    struct fi_cq_tagged_entry entry;
    while (pair.sender.queue.read(&entry, 1, nullptr) == 1) {
    }
    for (unsigned i = 0; i < wait; ++i) pair.pass();
    post(pair);
    close_when_received(pair);
    for (unsigned i = 0; i < kLongest; ++i, pair.pass()) {
      const ssize_t count = pair.sender.queue.read(&entry, 1, nullptr);
      if (count == 1 && entry.op_context == &pair) return 0;
      struct fi_cq_err_entry error {};
      if (count == -FI_EAVAIL && pair.sender.queue.read_error(&error, 0) == 1) return error.err;
    }
    return -1;
  }

  static void post(Pair& pair) {
    const struct iovec bytes { pair.sender.memory.data(), 8 };
    const struct iovec room { pair.receiver.memory.data(), 8 };
    for (int i = 0; i < 2; ++i)
      EXPECT_EQ(pair.receiver.endpoint->receive({.iov = std::span(&room, 1),
                                                 .from = kAnyPeer,
                                                 .tag = 1,
                                                 .ignore = 0,
                                                 .flags = kOpTagged | kOpCompletion,
                                                 .context = &pair}),
                Status::kOk);
    EXPECT_EQ(
        pair.sender.endpoint->send({.iov = std::span(&bytes, 1),
                                    .to = pair.sender.book.insert(pair.receiver.endpoint->name()),
                                    .tag = 1,
                                    .data = 0,
                                    .flags = kOpTagged | kOpCompletion | kOpDeliveryComplete,
                                    .context = &pair}),
        Status::kOk);
  }

  // Both messages are there: it closes, as fi_close does, and its process goes.
  static void close_when_received(Pair& pair) {
    int received = 0;
    struct fi_cq_tagged_entry entry;
    for (unsigned i = 0; i < kLongest && received < 2; ++i) {
      pair.pass();
      received += pair.receiver.queue.read(&entry, 1, nullptr) == 1;
    }
    EXPECT_EQ(received, 2);
    pair.receiver.endpoint->part();
    unsigned passes = 0;
    for (; passes < kLongest && !pair.receiver.endpoint->parted(); ++passes) pair.pass();
    EXPECT_LT(passes, kLongest);
    pair.receiver.book.detach(*pair.receiver.endpoint);
    pair.receiver.endpoint.reset();
    pair.receiver.hv->kill();
  }
};

TEST_P(CloseTest, delivery_is_heard_of_whenever_its_receiver_closes) {
  for (unsigned wait = 0; wait < 300; ++wait)
    ASSERT_EQ(end_of_a_send(GetParam(), wait), 0) << "sent after " << wait << " passes";
}

std::string name_of(const testing::TestParamInfo<Setting>& info) {
  return "Seed" + std::to_string(info.param.seed) + "Every" + std::to_string(info.param.rarely);
}
INSTANTIATE_TEST_SUITE_P(Settings, CloseTest,
                         testing::Values(Setting{1, 1}, Setting{2, 1}, Setting{3, 1}, Setting{4, 1},
                                         Setting{1, 50}, Setting{2, 50}, Setting{3, 50},
                                         Setting{4, 50}),
                         name_of);

}  // namespace
}  // namespace xs::core::test
