// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "worker/floor_side.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>

#include "common/buffer.hpp"
#include "common/failure.hpp"
#include "common/stopwatch.hpp"
#include "common/unique_fd.hpp"

namespace xs::bench {
namespace {

// One line per writer: a turn is one transfer of each.
struct Lines {
  alignas(64) std::atomic<std::uint64_t> ping;
  alignas(64) std::atomic<std::uint64_t> pong;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

class SharedLines {
 public:
  explicit SharedLines(int fd)
      : lines_(mmap(nullptr, sizeof(Lines), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) {
    if (lines_ == MAP_FAILED) fail("mmap", errno);
  }
  ~SharedLines() { munmap(lines_, sizeof(Lines)); }
  SharedLines(const SharedLines&) = delete;
  SharedLines& operator=(const SharedLines&) = delete;

  Lines& operator*() const { return *static_cast<Lines*>(lines_); }

 private:
  void* lines_;
};

// memcpy that the compiler may not drop, though nobody reads the copy.
void copy_message(void* to, const void* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
  asm volatile("" : : "r"(to) : "memory");
}

class FloorSide final : public Side {
 public:
  explicit FloorSide(unsigned number)
      : number_(number), fd_(memfd_create("xs-bench", MFD_CLOEXEC)) {
    if (!fd_) fail("memfd_create", errno);
    if (ftruncate(fd_.get(), sizeof(Lines)) != 0) fail("ftruncate", errno);
  }

  // Both sides offer a page; that of side 0 is used.
  std::string address() override {
    return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_.get());
  }

  void connect(const std::string& peer) override {
    if (number_ != 0) {
      fd_ = UniqueFd(open(peer.c_str(), O_RDWR | O_CLOEXEC));
      if (!fd_) fail("open " + peer, errno);
    }
    lines_ = std::make_unique<SharedLines>(fd_.get());
  }

  void progress() override {}

  Timing run(const Task& task) override {
    if (task.metric == Metric::kLatency) return number_ == 0 ? ping(task) : pong(task);
    return number_ == 0 ? copy_windows(task) : Timing{};
  }

 private:
  Timing ping(const Task& task) {
    Lines& lines = **lines_;
    Stopwatch watch(task);
    for (std::uint64_t turn = 0; turn < task.warmup + task.turns; ++turn) {
      watch.before_turn(turn);
      lines.ping.store(++count_, std::memory_order_release);
      while (lines.pong.load(std::memory_order_acquire) != count_) {
      }
    }
    return watch.stop();
  }

  Timing pong(const Task& task) {
    Lines& lines = **lines_;
    for (std::uint64_t turn = 0; turn < task.warmup + task.turns; ++turn) {
      ++count_;
      while (lines.ping.load(std::memory_order_acquire) != count_) {
      }
      lines.pong.store(count_, std::memory_order_release);
    }
    return {};
  }

  Timing copy_windows(const Task& task) {
    const std::size_t window = task.window;
    Stopwatch watch(task);
    for (std::uint64_t turn = 0; turn < task.warmup + task.turns; ++turn) {
      watch.before_turn(turn);
      for (std::size_t i = 0; i < window; ++i)
        copy_message(target_.slot(i, task.bytes), source_.slot(i, task.bytes), task.bytes);
    }
    return watch.stop();
  }

  unsigned number_;
  UniqueFd fd_;
  std::unique_ptr<SharedLines> lines_;
  std::uint64_t count_ = 0;  // goes on through all runs, so that no run sees another's lines
  Buffer source_;
  Buffer target_;
};

}  // namespace

std::unique_ptr<Side> make_floor_side(unsigned number) {
  return std::make_unique<FloorSide>(number);
}

}  // namespace xs::bench
