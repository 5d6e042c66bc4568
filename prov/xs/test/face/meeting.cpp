// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "face/meeting.hpp"

#include <array>
#include <chrono>
#include <cstring>

namespace xs::abi::test {

namespace {
using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kLong{20};
}  // namespace

InfoPtr make_connection_hints(std::uint64_t caps) {
  InfoPtr hints = make_hints();
  hints->ep_attr->type = FI_EP_MSG;
  hints->caps = caps;
  return hints;
}

std::vector<std::byte> name_of(struct fid& of) {
  std::vector<std::byte> name(64);
  std::size_t size = name.size();
  EXPECT_EQ(fi_getname(&of, name.data(), &size), 0);
  name.resize(size);
  return name;
}

Meeting::Meeting(const struct fi_info* hints) : Face(hints), eq(open_eq()), cq(open_cq()) {}

FidPtr<struct fid_ep> Meeting::open_end(struct fi_info* of) {
  struct fid_ep* ep = nullptr;
  EXPECT_EQ(fi_endpoint(domain.get(), of, &ep, nullptr), 0);
  if (!ep) return {};
  EXPECT_EQ(fi_ep_bind(ep, &eq->fid, 0), 0);
  EXPECT_EQ(fi_ep_bind(ep, &cq->fid, FI_TRANSMIT | FI_RECV), 0);
  return FidPtr<struct fid_ep>(ep);
}

FidPtr<struct fid_pep> Meeting::open_passive() {
  struct fid_pep* pep = nullptr;
  EXPECT_EQ(fi_passive_ep(fabric.get(), info.get(), &pep, nullptr), 0);
  return FidPtr<struct fid_pep>(pep);
}

void Meeting::listen() {
  passive = open_passive();
  ASSERT_EQ(fi_pep_bind(passive.get(), &eq->fid, 0), 0);
  ASSERT_EQ(fi_listen(passive.get()), 0);
  to_listener.reset(fi_dupinfo(info.get()));
  const auto name = name_of(passive->fid);
  to_listener->dest_addrlen = name.size();
  to_listener->dest_addr = malloc(name.size());
  std::memcpy(to_listener->dest_addr, name.data(), name.size());
}

std::optional<Event> Meeting::try_next(int milliseconds) {
  const auto until = Clock::now() + std::chrono::milliseconds(milliseconds);
  alignas(struct fi_eq_cm_entry) std::array<std::byte, 512> room;
  Event event;
  ssize_t rc;
  do {
    rc = fi_eq_read(eq.get(), &event.number, room.data(), room.size(), 0);
  } while (rc == -FI_EAGAIN && Clock::now() < until);
  if (rc == -FI_EAGAIN) return std::nullopt;
  if (rc == -FI_EAVAIL) {
    struct fi_eq_err_entry error {};
    EXPECT_EQ(fi_eq_readerr(eq.get(), &error, 0), static_cast<ssize_t>(sizeof error));
    event.number = 0;
    event.fid = error.fid;
    event.error = error.err;
    event.data.assign(static_cast<const char*>(error.err_data), error.err_data_size);
    return event;
  }
  struct fi_eq_cm_entry entry;
  EXPECT_GE(rc, static_cast<ssize_t>(sizeof entry));
  std::memcpy(&entry, room.data(), sizeof entry);
  event.fid = entry.fid;
  event.info.reset(entry.info);
  event.data.assign(reinterpret_cast<const char*>(room.data()) + sizeof entry,
                    static_cast<std::size_t>(rc) - sizeof entry);
  return event;
}

Event Meeting::next() {
  auto event = try_next();
  EXPECT_TRUE(event);
  return event ? std::move(*event) : Event{};
}

Event Meeting::expect(std::uint32_t number, const struct fid& of) {
  Event event = next();
  EXPECT_EQ(event.number, number) << "error " << event.error;
  EXPECT_EQ(event.fid, &of);
  return event;
}

int Meeting::expect_error(const struct fid& of) {
  const Event event = next();
  EXPECT_EQ(event.number, 0u);
  EXPECT_EQ(event.fid, &of);
  return event.error;
}

void Meeting::expect_connected(const struct fid_ep& a, const struct fid_ep& b) {
  const Event first = next();
  EXPECT_EQ(first.number, static_cast<std::uint32_t>(FI_CONNECTED)) << "error " << first.error;
  EXPECT_TRUE(first.fid == &a.fid || first.fid == &b.fid);
  expect(FI_CONNECTED, first.fid == &a.fid ? b.fid : a.fid);
}

void Meeting::connect() {
  listen();
  client = open_end(to_listener.get());
  ASSERT_EQ(fi_connect(client.get(), to_listener->dest_addr, nullptr, 0), 0);
  const Event asked = request();
  ASSERT_TRUE(asked.info);
  server = open_end(asked.info.get());
  ASSERT_EQ(fi_accept(server.get(), nullptr, 0), 0);
  expect_connected(*client, *server);
}

struct fi_cq_tagged_entry Meeting::completion() {
  struct fi_cq_tagged_entry entry {};
  const auto until = Clock::now() + kLong;
  ssize_t rc;
  do {
    rc = fi_cq_read(cq.get(), &entry, 1);
  } while (rc == -FI_EAGAIN && Clock::now() < until);
  EXPECT_EQ(rc, 1);
  return entry;
}

struct fi_cq_err_entry Meeting::completion_error() {
  struct fi_cq_tagged_entry entry {};
  const auto until = Clock::now() + kLong;
  ssize_t rc;
  do {
    rc = fi_cq_read(cq.get(), &entry, 1);
  } while (rc == -FI_EAGAIN && Clock::now() < until);
  EXPECT_EQ(rc, -FI_EAVAIL);
  struct fi_cq_err_entry error {};
  if (rc == -FI_EAVAIL) {
    EXPECT_EQ(fi_cq_readerr(cq.get(), &error, 0), 1);
  }
  return error;
}

}  // namespace xs::abi::test
