// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/rig.hpp"

#include <gtest/gtest.h>

namespace xs::core::test {

Config rig_config() {
  Config config;
  config.eager = 1024;
  config.window = 8;
  config.receive_buffers = 8;
  return config;
}

Rig::Rig(const Config& wanted, Gatekeeper* gatekeeper, AddressBook* numbers) : config(wanted) {
  auto opened = Endpoint::open({.config = config,
                                .inner = inner,
                                .clock = clock,
                                .random = random,
                                .send_queue = &queue,
                                .receive_queue = &queue,
                                .book = numbers ? numbers : &book,
                                .exposed = {&memory, kReadable | kWritable},
                                .gatekeeper = gatekeeper});
  EXPECT_TRUE(opened);
  endpoint = std::move(*opened);
  if (numbers) numbers->attach(*endpoint);
}

void Rig::settle() {
  for (int i = 0; i < 4; ++i) endpoint->progress();
}

void Rig::pass(util::Nanoseconds time) {
  clock.time += time;
  settle();
}

void Rig::hear(const Frame& frame) {
  home().arrives(frame);
  settle();
}

void Rig::meet(Stranger& stranger) {
  hear(stranger.hello());
  ASSERT_TRUE(stranger.read(said()));
  hear(stranger.frame(proto::Kind::kAck, 0));
  ASSERT_NE(session_of(stranger), nullptr);
  ASSERT_TRUE(session_of(stranger)->open());
  said();
}

Status Rig::send(PeerAddress to, std::span<std::byte> bytes, std::uint32_t flags, void* context,
                 std::uint64_t tag) {
  const struct iovec iov { bytes.data(), bytes.size() };
  return endpoint->send({.iov = std::span(&iov, 1),
                         .to = to,
                         .tag = tag,
                         .data = 0,
                         .flags = kOpTagged | kOpCompletion | flags,
                         .context = context});
}

Status Rig::receive(std::span<std::byte> room, std::uint64_t tag, void* context,
                    std::uint32_t flags) {
  const struct iovec iov { room.data(), room.size() };
  return endpoint->receive({.iov = std::span(&iov, 1),
                            .from = kAnyPeer,
                            .tag = tag,
                            .ignore = 0,
                            .flags = kOpTagged | kOpCompletion | flags,
                            .context = context});
}

std::optional<Rig::Outcome> Rig::outcome() {
  struct fi_cq_tagged_entry entry;
  const ssize_t rc = queue.read(&entry, 1, nullptr);
  if (rc == 1) return Outcome{entry.op_context, entry.len, 0};
  if (rc != -FI_EAVAIL) return std::nullopt;
  struct fi_cq_err_entry error {};
  EXPECT_EQ(queue.read_error(&error, 0), 1);
  return Outcome{error.op_context, error.len, error.err};
}

stream::Session* Rig::session_of(const Stranger& stranger) {
  Peer* peer = endpoint->peers().at(stranger.home);
  return peer ? peer->session : nullptr;
}

}  // namespace xs::core::test
