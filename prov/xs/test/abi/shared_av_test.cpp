// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Address vectors that processes share by name, docs/vectors.md, at the C face.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "core/shared_addresses.hpp"
#include "face/face.hpp"

namespace xs::abi::test {
namespace {

struct sockaddr_in address(unsigned last, std::uint16_t port = 9) {
  struct sockaddr_in sa {};
  sa.sin_family = AF_INET;
  sa.sin_port = htons(port);
  sa.sin_addr.s_addr = htonl(0x7f000000 + last);
  return sa;
}

// A name that no other test of this machine has, and its file.
const std::string& shared_name() {
  static const std::string kName = "shared_av_test." + std::to_string(getpid());
  return kName;
}
std::string path() { return "/dev/shm/xs-av-" + std::to_string(geteuid()) + "-" + shared_name(); }

class SharedAvTest : public testing::Test {
 protected:
  FidPtr<struct fid_av> open(std::uint64_t flags = 0) {
    return face_.open_av({.type = FI_AV_TABLE, .name = shared_name().c_str(), .flags = flags});
  }
  Face face_;
};

TEST_F(SharedAvTest, is_shared_by_name) {
  struct fi_av_attr attr {
    .type = FI_AV_TABLE, .name = shared_name().c_str(), .flags = FI_READ
  };
  struct fid_av* fid = nullptr;
  EXPECT_EQ(fi_av_open(face_.domain.get(), &attr, &fid, nullptr), -FI_ENOENT);
  const auto writer = face_.open_av({.type = FI_AV_MAP, .name = shared_name().c_str()});
  ASSERT_EQ(fi_av_open(face_.domain.get(), &attr, &fid, nullptr), 0);
  const FidPtr<struct fid_av> reader(fid);
  ASSERT_NE(attr.map_addr, nullptr);
  const auto one = address(1), two = address(2), three = address(3);
  EXPECT_EQ(fi_av_insert(writer.get(), &one, 1, nullptr, 0, nullptr), 1);
  EXPECT_EQ(fi_av_insert(writer.get(), &two, 1, nullptr, 0, nullptr), 1);
  struct sockaddr_in found {};
  std::size_t size = sizeof found;
  EXPECT_EQ(fi_av_lookup(fid, static_cast<fi_addr_t*>(attr.map_addr)[1], &found, &size), 0);
  EXPECT_EQ(found.sin_addr.s_addr, two.sin_addr.s_addr);

  fi_addr_t number = 9;
  EXPECT_EQ(fi_av_insert(reader.get(), &two, 1, &number, 0, nullptr), 1);
  EXPECT_EQ(number, 1u);
  int error = 0;
  EXPECT_EQ(fi_av_insert(reader.get(), &three, 1, &number, FI_SYNC_ERR, &error), 0);
  EXPECT_EQ(number, FI_ADDR_NOTAVAIL);
  EXPECT_EQ(error, FI_EACCES);
  number = 0;
  EXPECT_EQ(fi_av_remove(reader.get(), &number, 1, 0), -FI_EACCES);
  EXPECT_EQ(fi_av_remove(writer.get(), &number, 1, 0), 0);
  EXPECT_EQ(fi_av_remove(writer.get(), &number, 1, 0), -FI_EINVAL);
}

TEST_F(SharedAvTest, more_numbers_than_there_can_be_are_not_made) {
  struct fi_av_attr attr {
    .type = FI_AV_TABLE, .count = SIZE_MAX, .name = shared_name().c_str()
  };
  struct fid_av* fid = nullptr;
  ASSERT_EQ(fi_av_open(face_.domain.get(), &attr, &fid, nullptr), 0);
  const FidPtr<struct fid_av> av(fid);
  EXPECT_EQ(static_cast<fi_addr_t*>(attr.map_addr)[core::SharedAddresses::kMost - 1],
            core::SharedAddresses::kMost - 1);
}

TEST_F(SharedAvTest, an_endpoint_reaches_what_another_process_may_have_inserted) {
  const auto writer = open();
  const auto reader = open(FI_READ);
  const auto cq = face_.open_cq();
  const auto ep = face_.open_ep();
  ASSERT_EQ(fi_ep_bind(ep.get(), &cq->fid, FI_TRANSMIT | FI_RECV), 0);
  ASSERT_EQ(fi_ep_bind(ep.get(), &reader->fid, 0), 0);
  ASSERT_EQ(fi_enable(ep.get()), 0);
  EXPECT_EQ(fi_send(ep.get(), "a", 1, nullptr, 0, nullptr), -FI_EINVAL);
  ASSERT_EQ(number_of(*ep, *writer), 0u);
  EXPECT_EQ(fi_send(ep.get(), "a", 1, nullptr, 0, nullptr), 0);
  char got = 0;
  EXPECT_EQ(fi_recv(ep.get(), &got, 1, nullptr, FI_ADDR_UNSPEC, nullptr), 0);
  EXPECT_EQ(got, 'a');
  fi_addr_t number = 0;
  ASSERT_EQ(fi_av_remove(writer.get(), &number, 1, 0), 0);
}

// The application is told whether it asks for what can't be, or something is wrong with the list.
TEST_F(SharedAvTest, a_removal_says_why_it_failed) {
  const auto av = open();
  const auto one = address(1), two = address(2);
  fi_addr_t numbers[] = {7, 0, 1};
  EXPECT_EQ(fi_av_insert(av.get(), &one, 1, nullptr, 0, nullptr), 1);
  EXPECT_EQ(fi_av_insert(av.get(), &two, 1, nullptr, 0, nullptr), 1);
  EXPECT_EQ(fi_av_remove(av.get(), numbers, 2, 0), -FI_EINVAL);
  EXPECT_EQ(fi_av_remove(av.get(), numbers + 1, 1, 0), -FI_EINVAL) << "was removed all the same";
  std::fstream(path(), std::ios::in | std::ios::out) << "no list";
  EXPECT_EQ(fi_av_remove(av.get(), numbers + 2, 1, 0), -FI_EIO);
}

// A process that was stopped while it changed the list, as others see it.
class Stopped {
 public:
  Stopped() : fd_(::open(path().c_str(), O_RDWR)) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_len = 1;
    EXPECT_EQ(fcntl(fd_, F_OFD_SETLK, &lock), 0);
  }
  ~Stopped() { ::close(fd_); }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;

 private:
  int fd_;
};

// Another thread does that, which waits for a stopped process: messages are exchanged meanwhile.
template <class F>
void expect_messages_during(Loop& loop, F&& waits) {
  std::optional<Stopped> stopped(std::in_place);
  std::atomic<bool> begun = false, ended = false;
  std::thread other([&] {
    begun = true;
    waits();
    ended = true;
  });
  while (!begun) std::this_thread::yield();
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  for (int i = 0; i < 100 || std::chrono::steady_clock::now() < end; ++i) {
    char got = 0;
    EXPECT_EQ(fi_trecv(loop.ep.get(), &got, 1, nullptr, loop.self, 1, 0, nullptr), 0);
    EXPECT_EQ(fi_tsend(loop.ep.get(), "a", 1, nullptr, loop.self, 1, nullptr), 0);
    loop.next();
    loop.next();
    EXPECT_EQ(got, 'a');
  }
  EXPECT_FALSE(ended) << "they came late";
  stopped.reset();
  other.join();
}

TEST_F(SharedAvTest, who_waits_for_a_stopped_process_keeps_no_other_thread_waiting) {
  Loop loop;
  auto av = loop.open_av({.type = FI_AV_TABLE, .name = shared_name().c_str()});
  const auto one = address(1);
  fi_addr_t number = FI_ADDR_NOTAVAIL;
  expect_messages_during(loop, [&] {
    EXPECT_EQ(fi_av_insert(av.get(), &one, 1, &number, 0, nullptr), 1);
    EXPECT_EQ(number, 0u);
  });
  expect_messages_during(loop, [&] { EXPECT_EQ(fi_av_remove(av.get(), &number, 1, 0), 0); });
  expect_messages_during(loop, [&] { open(); });
  expect_messages_during(loop, [&] { av.reset(); });
  EXPECT_NE(access(path().c_str(), F_OK), 0);
}

}  // namespace
}  // namespace xs::abi::test
