// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Puts and gets in each of MPI's kinds of epochs. Slot `origin` of every part belongs to that rank.
#include <cstring>
#include <string>

#include "../payload.hpp"
#include "phases.hpp"

namespace windows {
namespace {

/// Puts and gets of one size; in which epoch they happen is the phase's.
class Exchange {
 public:
  Exchange(Run& run, const Window& window, std::uint64_t salt, std::size_t size)
      : run_(run), window_(window), salt_(salt), size_(size) {}

  int length() const { return static_cast<int>(size_); }
  MPI_Aint slot(int origin) const {
    return static_cast<MPI_Aint>(static_cast<std::size_t>(origin) * size_);
  }
  std::uint64_t key(int origin, int target) const {
    return payload::key_of(salt_, origin, target, size_);
  }

  /// What is put must stay until the epoch ends.
  void put(int target) {
    const Bytes& bytes = sent_.emplace_back(outgoing(run_, key(run_.rank, target), size_));
    MPI_Put(bytes.data(), length(), MPI_BYTE, target, slot(run_.rank), length(), MPI_BYTE,
            window_.handle());
  }

  /// Reads what `origin` has put there.
  void get(int origin, int target) {
    Got& got = got_.emplace_back(Got{origin, target, Bytes(size_)});
    MPI_Get(got.bytes.data(), length(), MPI_BYTE, target, slot(origin), length(), MPI_BYTE,
            window_.handle());
  }

  /// What others have put into our part.
  void check_slot(int origin) const {
    const auto begin = static_cast<std::size_t>(slot(origin));
    expect(run_, key(origin, run_.rank), window_.part().subspan(begin, size_),
           "put by rank " + std::to_string(origin));
  }

  /// After the epoch of the gets.
  void check_got() {
    for (const Got& got : got_) {
      expect(run_, key(got.origin, got.target), got.bytes,
             "got from rank " + std::to_string(got.target));
    }
    got_.clear();
  }

 private:
  struct Got {
    int origin;
    int target;
    Bytes bytes;
  };

  Run& run_;
  const Window& window_;
  std::uint64_t salt_;
  std::size_t size_;
  std::vector<Bytes> sent_;
  std::vector<Got> got_;
};

std::size_t for_all(const Run& run, std::size_t size) {
  return size * static_cast<std::size_t>(run.ranks);
}

/// The ranks beside this one: two, or one of two, or itself alone.
std::vector<int> neighbours_of(const Run& run) {
  const int next = (run.rank + 1) % run.ranks;
  const int before = (run.rank + run.ranks - 1) % run.ranks;
  return next == before ? std::vector{next} : std::vector{next, before};
}

class Group {
 public:
  explicit Group(const std::vector<int>& ranks) {
    MPI_Group world;
    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Group_incl(world, static_cast<int>(ranks.size()), ranks.data(), &group_);
    MPI_Group_free(&world);
  }
  ~Group() { MPI_Group_free(&group_); }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  MPI_Group handle() const { return group_; }

 private:
  MPI_Group group_ = MPI_GROUP_NULL;
};

/// Opens our part to the group, begins to use theirs, does it, and waits until all have done so.
template <typename Body>
void among(Run& run, const Window& window, const Group& group, Body body) {
  const InFlight flight(run.watchdog, {"post, start, complete, wait"});
  MPI_Win_post(group.handle(), 0, window.handle());
  MPI_Win_start(group.handle(), 0, window.handle());
  body();
  MPI_Win_complete(window.handle());
  MPI_Win_wait(window.handle());
}

/// Puts and gets back by requests: a get's bytes are there when its request is done.
void by_requests(Run& run, const Window& window, std::uint64_t salt, std::size_t size) {
  const Exchange names(run, window, salt, size);
  const Locked locked(run, window, Locked::kAll);
  for (int step = 0; step < run.ranks; ++step) {
    const int target = (run.rank + step) % run.ranks;
    const InFlight flight(run.watchdog, {"rput, rget", target, -1, size});
    const Bytes sent = outgoing(run, names.key(run.rank, target), size);
    Bytes got(size);
    MPI_Request request;
    MPI_Rput(sent.data(), names.length(), MPI_BYTE, target, names.slot(run.rank), names.length(),
             MPI_BYTE, window.handle(), &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    locked.flush(target);
    MPI_Rget(got.data(), names.length(), MPI_BYTE, target, names.slot(run.rank), names.length(),
             MPI_BYTE, window.handle(), &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    expect(run, names.key(run.rank, target), got, "rget from rank " + std::to_string(target));
  }
}

}  // namespace

void phase_fence(Run& run, std::uint64_t salt, int round) {
  for (const std::size_t size : sizes()) {
    const Window window(run, for_all(run, size), memory_of(round));
    Exchange exchange(run, window, salt, size);
    window.fence();
    for (int step = 0; step < run.ranks; ++step) {
      exchange.put((run.rank + step) % run.ranks);
    }
    window.fence();
    for (int step = 0; step < run.ranks; ++step) {
      const int target = (run.rank + step) % run.ranks;
      exchange.get((target + 1) % run.ranks, target);
      exchange.check_slot(target);
    }
    window.fence();
    exchange.check_got();
  }
}

void phase_pscw(Run& run, std::uint64_t salt, int round) {
  const std::vector<int> neighbours = neighbours_of(run);
  const Group group(neighbours);
  for (const std::size_t size : sizes()) {
    const Window window(run, for_all(run, size), memory_of(round));
    Exchange exchange(run, window, salt, size);
    among(run, window, group, [&] {
      for (const int target : neighbours) {
        exchange.put(target);
      }
    });
    for (const int origin : neighbours) {
      exchange.check_slot(origin);
    }
    // Ours in theirs, again.
    among(run, window, group, [&] {
      for (const int target : neighbours) {
        exchange.get(run.rank, target);
      }
    });
    exchange.check_got();
  }
}

/// Read, count one up and put back, under an exclusive lock: no count is lost.
void phase_locks(Run& run, std::uint64_t salt, int round) {
  constexpr int kTurns = 25;
  const Window window(run, sizeof(std::uint64_t), memory_of(round));
  payload::Random draw(payload::key_of(salt, run.rank));
  std::vector<std::uint64_t> counted(static_cast<std::size_t>(run.ranks));
  for (int turn = 0; turn < kTurns; ++turn) {
    const auto target = static_cast<int>(draw.below(static_cast<std::uint64_t>(run.ranks)));
    const Locked locked(run, window, target, MPI_LOCK_EXCLUSIVE);
    std::uint64_t count = 0;
    MPI_Get(&count, 1, MPI_UINT64_T, target, 0, 1, MPI_UINT64_T, window.handle());
    locked.flush(target);
    ++count;
    run.saboteur.touch(std::as_writable_bytes(std::span(&count, 1)));
    MPI_Put(&count, 1, MPI_UINT64_T, target, 0, 1, MPI_UINT64_T, window.handle());
    locked.flush(target);  // before `count` goes
    ++counted[static_cast<std::size_t>(target)];
  }
  MPI_Allreduce(MPI_IN_PLACE, counted.data(), run.ranks, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
  const Locked locked(run, window, run.rank);
  std::uint64_t count = 0;
  std::memcpy(&count, window.part().data(), sizeof count);
  expect_equal(run, count, counted[static_cast<std::size_t>(run.rank)], "counted under locks");
}

void phase_all(Run& run, std::uint64_t salt, int round) {
  for (const std::size_t size : sizes()) {
    const Window window(run, for_all(run, size), memory_of(round));
    Exchange exchange(run, window, salt, size);
    {
      const Locked locked(run, window, Locked::kAll);
      for (int target = 0; target < run.ranks; ++target) {
        exchange.put(target);
      }
      for (int target = 0; target < run.ranks; ++target) {
        locked.flush(target);
      }
      barrier(run);
      for (int target = 0; target < run.ranks; ++target) {
        exchange.get((run.rank + 1) % run.ranks, target);
      }
    }
    exchange.check_got();
    barrier(run);  // who still reads isn't overwritten
    by_requests(run, window, payload::key_of(salt, round), size);
  }
}

}  // namespace windows
