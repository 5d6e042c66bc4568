// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Payloads that a receiver reads out of its neighbour's memory, and what keeps it from taking what
// is not the sender's to show any more: docs/paths.md section 8.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include "core/machine.hpp"
#include "sim/fake/reader.hpp"

namespace xs::core::test {
namespace {

using stream::LeaveReason;

constexpr Nanoseconds kPass = util::kMicrosecond;
constexpr Nanoseconds kLongest = 20 * util::kMillisecond;  // in these tests
constexpr std::size_t kLong = 100'000;                     // more than a frame
constexpr std::size_t kShort = 13'000;                     // a frame, above FI_XS_DIRECT_READ

// Takes its time, as the receivers measure it.
class Reader final : public stream::MemoryReader {
 public:
  Reader(Process& own, ManualClock& clock) : fake_(*own.hv), clock_(clock) {}
  std::uint32_t process() const noexcept override { return fake_.process(); }
  ssize_t read(std::uint32_t process, std::span<const struct iovec> to,
               std::span<const struct iovec> from) noexcept override {
    clock_.precise_time += takes;
    return fake_.read(process, to, from);
  }
  Nanoseconds takes = 1000;

 private:
  sim::FakeReader fake_;
  ManualClock& clock_;
};

struct Ended {
  std::size_t length;
  int error;
  bool operator==(const Ended&) const = default;
};

// The seeds decide who proposes.
class DirectReads : public testing::TestWithParam<unsigned> {
 protected:
  DirectReads() {
    for (unsigned i = 0; i < 2; ++i) {
      all.push_back(std::make_unique<Process>(machine, 10 * GetParam() + 1 + i));
      readers.push_back(std::make_unique<Reader>(*all[i], machine.clock));
      all[i]->rings.limits.reader = readers[i].get();
      all[i]->rings.limits.largest = all[i]->rings.limits.first;  // none takes its place
    }
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = std::byte(i * 7 + i / 251);
  }
  Process& sender() { return *all[0]; }
  Process& receiver() { return *all[1]; }
  stream::Session& session(unsigned of) { return *all[of]->session_with(*all[1 - of]); }
  const sim::FakeHypervisor::Tally& tally() { return machine.hypervisor.tally(); }

  template <class Condition>
  bool until(Condition&& so) {
    const Nanoseconds began = machine.network.now();
    while (!so()) {
      if (machine.network.now() - began > kLongest) return false;
      machine.network.set_time(machine.network.now() + kPass);
      machine.clock.precise_time += pass_takes;
      for (const auto& each : all) each->endpoint->progress();
    }
    return true;
  }
  void pass(unsigned passes) {
    until([&] { return passes-- == 0; });
  }
  // Only the one of the two.
  void pass_alone(Process& who, unsigned passes) {
    while (passes-- > 0) {
      machine.network.set_time(machine.network.now() + kPass);
      who.endpoint->progress();
    }
  }
  void join() {
    sender().send(receiver());
    ASSERT_TRUE(
        until([&] { return sender().writes_to(receiver()) && receiver().writes_to(sender()); }));
    post(8);
    ASSERT_TRUE(until([&] { return ended(receiver()).has_value(); }));
    pass(200);
  }
  void post(std::size_t size) {
    const struct iovec iov { in.data(), size };
    EXPECT_EQ(receiver().endpoint->receive({.iov = std::span(&iov, 1),
                                            .from = kAnyPeer,
                                            .tag = 1,
                                            .ignore = 0,
                                            .flags = kOpTagged | kOpCompletion,
                                            .context = nullptr}),
              Status::kOk);
  }
  void send(std::size_t size) {
    const struct iovec iov { out.data(), size };
    send(std::span(&iov, 1));
  }
  void send(std::span<const struct iovec> iov) {
    EXPECT_EQ(sender().endpoint->send({.iov = iov,
                                       .to = sender().book.insert(receiver().endpoint->name()),
                                       .tag = 1,
                                       .data = 0,
                                       .flags = kOpTagged | kOpCompletion,
                                       .context = nullptr}),
              Status::kOk);
  }
  // The next completion.
  static std::optional<Ended> ended(Process& who) {
    struct fi_cq_tagged_entry entry {};
    const ssize_t rc = who.queue.read(&entry, 1, nullptr);
    if (rc == 1) return Ended{entry.flags & FI_RECV ? entry.len : 0, 0};
    struct fi_cq_err_entry error {};
    if (rc == -FI_EAVAIL && who.queue.read_error(&error, 0) == 1)
      return Ended{error.len, error.err};
    return std::nullopt;
  }
  // Both sides end well, with the right bytes.
  void expect_whole(std::size_t size) {
    std::optional<Ended> sent, received;
    EXPECT_TRUE(until([&] {
      if (!sent) sent = ended(sender());
      if (!received) received = ended(receiver());
      return sent && received;
    }));
    EXPECT_EQ(sent, (Ended{0, 0}));
    EXPECT_EQ(received, (Ended{size, 0}));
    EXPECT_TRUE(std::equal(out.begin(), out.begin() + std::ptrdiff_t(size), in.begin()));
    std::ranges::fill(in, std::byte{0});
  }
  // Frames of that side's stream so far.
  std::uint64_t frames(unsigned of) { return session(of).numbers().tail; }
  // How often the receiver has asked for it by CTS and got DATA, of those messages.
  unsigned streamed(unsigned messages, std::size_t size) {
    unsigned count = 0;
    while (messages-- > 0) {
      const std::uint64_t before = tally().read;
      post(size);
      send(size);
      expect_whole(size);
      count += tally().read == before;
    }
    return count;
  }

  void let_read_nobody(unsigned who) { all[who]->rings.limits.reader = nullptr; }
  void expect_not_read() {
    join();
    post(kLong);
    send(kLong);
    expect_whole(kLong);
    EXPECT_TRUE(session(0).writes_ring() && session(1).reads_ring());
    EXPECT_FALSE(session(0).may_be_read() || session(1).may_read());
    EXPECT_EQ(tally().read + tally().late + tally().unread, 0u);
  }

  Machine machine;
  Nanoseconds pass_takes = 0;  // as it is measured
  std::vector<std::unique_ptr<Reader>> readers;
  std::vector<std::byte> out = std::vector<std::byte>(kLong), in = std::vector<std::byte>(kLong);
  std::vector<std::unique_ptr<Process>> all;
};

TEST_P(DirectReads, end_by_fin_alone) {
  join();
  for (const std::size_t size : {kLong, kShort}) {
    const std::uint64_t asked = frames(0), answered = frames(1), reads = tally().read;
    post(size);
    send(size);
    expect_whole(size);
    EXPECT_EQ(tally().read, reads + 1);
    EXPECT_EQ(frames(0), asked + 1);     // RTS, no DATA
    EXPECT_EQ(frames(1), answered + 1);  // FIN, no CTS
  }
}

TEST_P(DirectReads, late_receives_read_too) {
  join();
  send(kLong);
  pass(100);
  EXPECT_EQ(tally().read, 0u);
  post(kLong);
  expect_whole(kLong);
  EXPECT_EQ(tally().read, 1u);
}

TEST_P(DirectReads, what_does_not_fit_is_not_read) {
  join();
  post(500);
  send(kLong);
  std::optional<Ended> received;
  ASSERT_TRUE(until([&] { return (received = ended(receiver())).has_value(); }));
  EXPECT_EQ(received, (Ended{500, kTruncated}));
  EXPECT_EQ(tally().read, 1u);
  EXPECT_TRUE(std::equal(in.begin(), in.begin() + 500, out.begin()));
  EXPECT_EQ(in[500], std::byte{0});
}

TEST_P(DirectReads, empty_pieces_come_before_the_payload) {
  join();
  const std::array<struct iovec, 3> pieces{
      {{out.data() + 7, 0}, {nullptr, 0}, {out.data(), kLong}}};
  post(kLong);
  send(pieces);
  expect_whole(kLong);
  EXPECT_EQ(tally().read, 1u);
}

// A frame refers to it where it stands.
TEST_P(DirectReads, empty_pieces_come_before_what_goes_by_the_fabric) {
  constexpr std::size_t kInPlace = 40'000;
  const std::array<struct iovec, 3> pieces{
      {{out.data() + 7, 0}, {nullptr, 0}, {out.data(), kInPlace}}};
  receiver().hv->move(2, sim::Sight::kTrue, sim::Sight::kTrue);
  sender().send(receiver());
  post(8);
  ASSERT_TRUE(until([&] { return ended(receiver()).has_value(); }));
  EXPECT_FALSE(sender().writes_to(receiver()));
  post(kInPlace);
  send(pieces);
  expect_whole(kInPlace);
}

// Asked for by CTS, it comes as DATA through the ring.
TEST_P(DirectReads, unread_payloads_are_asked_for) {
  join();
  machine.hypervisor.habits().unread_percent = 100;
  const std::uint64_t asked = frames(0), answered = frames(1);
  post(kLong);
  send(kLong);
  expect_whole(kLong);
  EXPECT_EQ(tally().read, 0u);
  EXPECT_EQ(tally().unread, 1u);
  EXPECT_GT(frames(0), asked + 2);
  EXPECT_EQ(frames(1), answered + 2);
  EXPECT_TRUE(session(0).writes_ring() && session(1).writes_ring());
}

TEST_P(DirectReads, wiped_witness_stops_reading) {
  join();
  session(0).path().ring->wipe_witness();
  post(kLong);
  send(kLong);
  expect_whole(kLong);
  EXPECT_EQ(tally().late, 1u);
  EXPECT_EQ(tally().read, 0u);
}

// What is announced stands in the ring that is left.
TEST_P(DirectReads, leaving_stops_reading) {
  join();
  post(kLong);
  send(kLong);
  session(0).leave(LeaveReason::kGrow);
  expect_whole(kLong);
  EXPECT_EQ(tally().late, 1u);
  EXPECT_EQ(tally().read, 0u);
}

// Rendezvous end in error with it, and their memory is the sender's again. Who goes on matching
// after its GOODBYE may not take what stands there then.
TEST_P(DirectReads, goodbye_stops_reading) {
  join();
  send(kLong);
  pass(100);
  session(1).say_goodbye();
  std::optional<Ended> sent;
  ASSERT_TRUE(until([&] { return (sent = ended(sender())).has_value(); }));
  EXPECT_EQ(sent, (Ended{0, ECONNRESET}));
  std::ranges::fill(out, std::byte{0xdd});
  post(kLong);
  pass_alone(receiver(), 100);
  EXPECT_EQ(tally().late, 1u);
  EXPECT_EQ(tally().read, 0u);
  const auto received = ended(receiver());
  EXPECT_TRUE(!received || received->error != 0);
}

// The session is over for the sender alone, who has its memory back.
TEST_P(DirectReads, end_of_a_session_stops_reading) {
  join();
  send(kLong);
  pass_alone(receiver(), 100);
  session(0).end(ECONNABORTED);
  EXPECT_EQ(ended(sender()), (Ended{0, ECONNABORTED}));
  std::ranges::fill(out, std::byte{0xdd});
  post(kLong);
  pass_alone(receiver(), 100);
  EXPECT_EQ(tally().late, 1u);
  EXPECT_EQ(tally().read, 0u);
  const auto received = ended(receiver());
  EXPECT_TRUE(!received || received->error != 0);
}

// FI_XS_DIRECT_READ=0, at either side.
TEST_P(DirectReads, who_reads_nobody_is_not_read) {
  let_read_nobody(0);
  expect_not_read();
}
TEST_P(DirectReads, who_is_not_read_reads_nobody) {
  let_read_nobody(1);
  expect_not_read();
}

// It has moved, and nobody was told.
TEST_P(DirectReads, processes_of_other_machines_are_not_read) {
  join();
  for (auto& each : all) each->hv->delay(machine.network.now() + kLongest / 2);
  receiver().hv->move(2, sim::Sight::kTrue, sim::Sight::kTrue);
  post(kLong);
  send(kLong);
  expect_whole(kLong);
  EXPECT_EQ(tally().unread, 1u);
  EXPECT_EQ(tally().read, 0u);
}

// What the receiver measures decides about the sender's next messages, and may change.
TEST_P(DirectReads, long_ones_go_the_quicker_way) {
  join();
  (void)streamed(40, kLong);
  EXPECT_GE(streamed(16, kLong), 15u);
  for (auto& each : readers) each->takes = 0;
  pass_takes = 1000;
  (void)streamed(40, kLong);
  EXPECT_LE(streamed(16, kLong), 2u);
}

// Copies take nothing at first, then as long as reads: twice, that is too long.
TEST_P(DirectReads, short_ones_go_the_quicker_way) {
  join();
  (void)streamed(40, kShort);
  EXPECT_GE(streamed(16, kShort), 15u);
  for (auto& each : readers) each->takes = 0;
  machine.clock.precise_step = 1000;
  (void)streamed(200, kShort);
  EXPECT_LE(streamed(16, kShort), 2u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, DirectReads, testing::Values(1, 2, 3, 4));

}  // namespace
}  // namespace xs::core::test
