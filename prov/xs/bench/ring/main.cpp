// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The bare ring between two processes that map each other's region read-only, beside a raw
// cache-line ping-pong and memcpy. `make xs-bench-ring`; ./xs-bench-ring [ROUNDS] [REGION_KIB].
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "common/cores.hpp"
#include "common/failure.hpp"
#include "common/statistics.hpp"
#include "common/unique_fd.hpp"
#include "ring/consumer.hpp"
#include "ring/producer.hpp"

namespace xs::bench {
namespace {

constexpr unsigned kDeadline = 300;  // seconds; then a process ends itself
constexpr std::uint64_t kEpoch = 1;
constexpr std::size_t kFrameSizes[] = {8, 56, 4096};  // 56: prefix, envelope and 8 bytes
// Short, so that on a busy machine most rounds are not interrupted.
constexpr int kTurns = 200;    // round trips per round
constexpr int kStream = 1000;  // frames per round

std::byte* map_shared(int fd, std::size_t size, int protection) {
  void* mapping = mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
  if (mapping == MAP_FAILED) fail("mmap", errno);
  return static_cast<std::byte*>(mapping);
}

UniqueFd make_memory(std::size_t size) {
  UniqueFd fd(memfd_create("xs-bench-ring", MFD_CLOEXEC));
  if (!fd || ftruncate(fd.get(), static_cast<off_t>(size)) != 0) fail("memfd_create", errno);
  return fd;
}

// A region of our own, prepared before the fork, so that it stands when the peer looks.
class Region {
 public:
  explicit Region(std::size_t size)
      : size_(size),
        fd_(make_memory(size)),
        own_(*ring::OwnRegion::prepare({map_shared(fd_.get(), size, PROT_READ | PROT_WRITE), size},
                                       {.epoch = kEpoch})) {}
  const ring::OwnRegion& own() const { return own_; }
  ring::PeerRegion map_read_only() const {
    return *ring::PeerRegion::read({map_shared(fd_.get(), size_, PROT_READ), size_}, kEpoch);
  }

 private:
  std::size_t size_;
  UniqueFd fd_;
  ring::OwnRegion own_;
};

// What both processes inherit. The mapping of the floor is writable on both sides, as it needs.
struct Shared {
  explicit Shared(std::size_t size) : regions{Region(size), Region(size)} {
    const UniqueFd page = make_memory(4096);
    floor = reinterpret_cast<std::uint64_t*>(map_shared(page.get(), 4096, PROT_READ | PROT_WRITE));
  }
  Region regions[2];
  std::uint64_t* floor;
};

// One process: both ends of both directions that it has.
class Side {
 public:
  Side(const Shared& shared, unsigned number)
      : Side(shared.regions[number].own(), shared.regions[1 - number].map_read_only()) {}

  void send(std::size_t size) {
    while (producer_.claim(size) != ring::Claimed::kOk) require_fine();
    producer_.put(0, {buffer_, size});
    (void)producer_.commit();  // nobody sleeps
  }
  void take() {
    while (consumer_.peek() != ring::Peeked::kFrame) {
      (void)consumer_.publish();
      require_fine();
    }
    consumer_.copy(0, buffer_, consumer_.size());
    if (!consumer_.release()) fail("the ring failed", EPROTO);
    if (consumer_.publish_due()) (void)consumer_.publish();
  }

 private:
  Side(const ring::OwnRegion& own, const ring::PeerRegion& peer)
      : producer_(*ring::Producer::make(own, peer)), consumer_(own, peer) {}

  void require_fine() const {
    if (producer_.health() != ring::Health::kFine || consumer_.health() != ring::Health::kFine)
      fail("the ring failed", EPROTO);
  }

  ring::Producer producer_;
  ring::Consumer consumer_;
  alignas(64) std::byte buffer_[4096] = {};
};

// One line per direction, in turns.
void ping_pong(std::uint64_t* lines, std::uint64_t& count, bool first) {
  std::atomic_ref<std::uint64_t> mine(lines[first ? 0 : 8]), other(lines[first ? 8 : 0]);
  for (int turn = 0; turn < kTurns; ++turn) {
    ++count;
    if (first) mine.store(count, std::memory_order_release);
    while (other.load(std::memory_order_acquire) != count) {
    }
    if (!first) mine.store(count, std::memory_order_release);
  }
}

template <class Work>
double nanoseconds(int divisor, Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
  return spent.count() / divisor;
}

// memcpy that the compiler may not drop.
void copy_once(std::byte* to, const std::byte* from, std::size_t size) {
  std::memcpy(to, from, size);
  asm volatile("" : : "r"(to) : "memory");
}

void echo(const Shared& shared, int rounds) {
  Side side(shared, 1);
  std::uint64_t count = 0;
  for (int round = 0; round < rounds; ++round) {
    ping_pong(shared.floor, count, false);
    for (const std::size_t size : kFrameSizes) {
      for (int turn = 0; turn < kTurns; ++turn) side.take(), side.send(size);
      for (int frame = 0; frame < kStream; ++frame) side.take();
      side.send(8);
    }
  }
}

struct Row {
  std::vector<double> round_trip, stream, over_floor, over_copies;
};

// Median, and where the middle half lies.
std::string text_of(const std::vector<double>& values) {
  const Summary summary = summarize(values);
  char text[64];
  std::snprintf(text, sizeof text, "%.2f (%.2f to %.2f)", summary.median, summary.lower_quartile,
                summary.upper_quartile);
  return text;
}

void measure(const Shared& shared, int rounds) {
  Side side(shared, 0);
  std::uint64_t count = 0;
  std::vector<double> floors;
  Row rows[std::size(kFrameSizes)];
  std::vector<std::byte> from(4096), middle(4096), to(4096);
  for (int round = 0; round < rounds; ++round) {
    floors.push_back(nanoseconds(2 * kTurns, [&] { ping_pong(shared.floor, count, true); }));
    Row* row = rows;
    for (const std::size_t size : kFrameSizes) {
      row->round_trip.push_back(nanoseconds(2 * kTurns, [&] {
        for (int turn = 0; turn < kTurns; ++turn) side.send(size), side.take();
      }));
      row->over_floor.push_back(row->round_trip.back() / floors.back());
      row->stream.push_back(nanoseconds(kStream, [&] {
        for (int frame = 0; frame < kStream; ++frame) side.send(size);
        side.take();
      }));
      const double copies = nanoseconds(kStream, [&] {
        for (int frame = 0; frame < kStream; ++frame) {
          copy_once(middle.data(), from.data(), size);
          copy_once(to.data(), middle.data(), size);
        }
      });
      row->over_copies.push_back(row->stream.back() / copies);
      ++row;
    }
  }
  std::printf("floor: half round trip %s ns\n", text_of(floors).c_str());
  const Row* row = rows;
  for (const std::size_t size : kFrameSizes) {
    std::printf(
        "ring, %zu bytes: half round trip %s ns, %s x floor; stream %s ns per frame, %s x two "
        "memcpy in cache\n",
        size, text_of(row->round_trip).c_str(), text_of(row->over_floor).c_str(),
        text_of(row->stream).c_str(), text_of(row->over_copies).c_str());
    ++row;
  }
}

int run(int rounds, std::size_t region) {
  const auto cores = choose_cores();
  if (ring::cells_in(region) == 0 || ring::largest_frame(ring::cells_in(region)) < 4096)
    fail("a region of another size, please", EINVAL);
  const Shared shared(region);
  const pid_t child = fork();
  if (child < 0) fail("fork", errno);
  alarm(kDeadline);
  if (cores) pin_to((*cores)[child == 0 ? 1 : 0]);
  if (child == 0) {
    echo(shared, rounds);
    _exit(0);
  }
  measure(shared, rounds);
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0 ? 0 : 1;
}

}  // namespace
}  // namespace xs::bench

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 500;
  const std::size_t kib = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1024;
  try {
    return xs::bench::run(rounds, kib * 1024);
  } catch (const xs::bench::Failure& failure) {
    std::fprintf(stderr, "xs-bench-ring: %s\n", failure.what());
    return 1;
  }
}
