// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Endpoints in two domains of a fake Xen that sleep over their ring: what wakes them.
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <functional>
#include <memory>

#include "core/cq.hpp"
#include "core/endpoint.hpp"
#include "hv/fake/xen.hpp"
#include "hv/xen/xen.hpp"
#include "sim/fake/inner.hpp"

namespace xs::core::test {
namespace {

using hv::XenBellUse;

// All that counts is how much goes over the network.
struct Wires final : sim::NetworkObserver {
  void arrives(sim::ProcessId, util::Nanoseconds) noexcept override {}
  void touches(const void*, std::size_t, bool) noexcept override {}
  void carried(const char*, const proto::Address&, const proto::Address&, bool,
               std::span<const std::byte>) noexcept override {
    ++messages;
  }
  void stopped(const proto::Address&) noexcept override {}
  void misused(const char* what) noexcept override { ADD_FAILURE() << what; }
  unsigned messages = 0;
};

struct AnyDescriptor final : stream::WaitSet {
  bool add(int) noexcept override { return true; }
  void remove(int) noexcept override {}
};

struct Guest {
  Guest(sim::FakeNetwork& network, xs::test::FakeXen& machine, unsigned number, XenBellUse bells)
      : random(number), provider(network, number, number, 4000) {
    const hv::Card card{.host = {1, number},
                        .process = {random.next(), random.next()},
                        .domid = 0,
                        .generation = 1};
    auto xen = hv::Xen::open(machine.connect(number), card, random, bells);
    neighbours = std::make_unique<locality::Neighbours>(std::move(*xen));
    rings.limits = {.first = 65536, .largest = 65536, .memory = 1 << 20, .sleeps = true};
    auto opened = Endpoint::open({.config = config,
                                  .inner = provider,
                                  .clock = network,
                                  .random = random,
                                  .send_queue = &queue,
                                  .receive_queue = &queue,
                                  .book = &book,
                                  .neighbours = neighbours.get(),
                                  .rings = &rings});
    endpoint = std::move(*opened);
    endpoint->set_waits(waits);
    book.attach(*endpoint);
  }
  ~Guest() { book.detach(*endpoint); }

  void know(const Guest& other) { peer = book.insert(other.endpoint->name()); }
  bool on_ring() {
    const Peer* const found = endpoint->peers().at(*book.lookup(peer));
    return found && found->session && found->session->writes_ring();
  }
  void post() {
    const struct iovec iov { room.data(), room.size() };
    EXPECT_EQ(endpoint->receive({.iov = std::span(&iov, 1),
                                 .from = kAnyPeer,
                                 .tag = 1,
                                 .ignore = 0,
                                 .flags = kOpTagged | kOpCompletion,
                                 .context = this}),
              Status::kOk);
  }
  void send() {
    const struct iovec iov { room.data(), room.size() };
    EXPECT_EQ(endpoint->send({.iov = std::span(&iov, 1),
                              .to = peer,
                              .tag = 1,
                              .data = 0,
                              .flags = kOpTagged,
                              .context = nullptr}),
              Status::kOk);
  }
  bool completed() {
    struct fi_cq_tagged_entry entry;
    return queue.read(&entry, 1, nullptr) == 1;
  }
  // As abi::Waits::arm.
  bool arm() {
    endpoint->before_sleep();
    for (int pass = 0; pass < 4; ++pass) {
      endpoint->progress();
      if (endpoint->may_sleep()) return true;
    }
    return false;
  }
  bool is_woken() const {
    struct pollfd ready = {.fd = neighbours->descriptor(), .events = POLLIN, .revents = 0};
    return poll(&ready, 1, 0) == 1;
  }

  Config config;
  sim::Dice random;
  sim::FakeProvider provider;
  CompletionQueue queue{FI_CQ_FORMAT_TAGGED, 64};
  AddressBook book;
  AnyDescriptor waits;
  stream::Rings rings;
  std::unique_ptr<locality::Neighbours> neighbours;
  std::unique_ptr<Endpoint> endpoint;
  PeerAddress peer = kAnyPeer;
  std::array<std::byte, 16> room{};
};

class AsleepInXen : public testing::TestWithParam<XenBellUse> {
 protected:
  AsleepInXen() {
    a.know(b);
    b.know(a);
    for (int i = 0; i < 1000 && !(a.on_ring() && b.on_ring()); ++i) talk();
    EXPECT_TRUE(a.on_ring() && b.on_ring());
    for (int i = 0; i < 10; ++i) talk();
  }
  void pass() {
    network.set_time(network.now() + 50 * 1000);
    for (Guest* each : {&a, &b}) {
      each->neighbours->look();
      each->endpoint->progress();
    }
  }
  // A message each way.
  void talk() {
    for (Guest* each : {&a, &b}) {
      each->post();
      each->send();
    }
    unsigned done = 0;
    for (int i = 0; i < 1000 && done < 2; ++i) {
      pass();
      for (Guest* each : {&a, &b}) done += each->completed() ? 1 : 0;
    }
    EXPECT_EQ(done, 2u);
  }

  Wires wires;
  sim::FakeNetwork network{{}, 1, wires};
  xs::test::FakeXen machine;
  Guest a{network, machine, 1, GetParam()};
  Guest b{network, machine, 2, GetParam()};
};

TEST_P(AsleepInXen, AMessageInTheRingWakes) {
  for (int round = 0; round < 20; ++round) {
    Guest& sender = round % 2 == 0 ? a : b;
    Guest& sleeper = round % 2 == 0 ? b : a;
    sleeper.post();
    pass();
    sleeper.neighbours->look();
    ASSERT_TRUE(sleeper.arm());
    EXPECT_FALSE(sleeper.is_woken());
    const unsigned messages = wires.messages;
    sender.send();
    sender.endpoint->progress();
    if (GetParam() == XenBellUse::kEvent) {
      EXPECT_TRUE(sleeper.is_woken());
      EXPECT_EQ(wires.messages, messages) << "nothing goes over the network";
    } else {
      EXPECT_FALSE(sleeper.is_woken());
      EXPECT_GT(wires.messages, messages) << "the network wakes";
    }
    sleeper.neighbours->look();
    sleeper.endpoint->progress();
    EXPECT_TRUE(sleeper.completed()) << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Bells, AsleepInXen,
                         testing::Values(XenBellUse::kFabric, XenBellUse::kEvent),
                         [](const auto& info) {
                           return info.param == XenBellUse::kEvent ? "Event" : "Fabric";
                         });

}  // namespace
}  // namespace xs::core::test
