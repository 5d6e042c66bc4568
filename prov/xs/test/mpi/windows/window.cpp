// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "window.hpp"

#include <algorithm>
#include <array>

#include "../payload.hpp"

namespace windows {
namespace {

constexpr std::array<std::size_t, 5> kSizes = {8, 1000, 12289, 65537, (1U << 19U) + 3};

}  // namespace

Window::Window(Run& run, std::size_t bytes, Memory memory) : run_(run) {
  const InFlight flight(run_.watchdog, {"making a window", -1, -1, bytes});
  const auto length = static_cast<MPI_Aint>(bytes);
  void* begin = nullptr;
  if (memory == Memory::kAllocated) {
    MPI_Win_allocate(length, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &begin, &window_);
  } else {
    own_.resize(bytes);
    begin = own_.data();
    MPI_Win_create(begin, length, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &window_);
  }
  part_ = {static_cast<std::byte*>(begin), bytes};
  MPI_Win_lock(MPI_LOCK_EXCLUSIVE, run_.rank, 0, window_);
  std::fill(part_.begin(), part_.end(), std::byte{0});
  MPI_Win_unlock(run_.rank, window_);
  MPI_Barrier(MPI_COMM_WORLD);
}

Window::~Window() {
  const InFlight flight(run_.watchdog, {"freeing a window", -1, -1, part_.size()});
  MPI_Win_free(&window_);
}

void Window::fence() const {
  const InFlight flight(run_.watchdog, {"fence"});
  MPI_Win_fence(0, window_);
}

Locked::Locked(Run& run, const Window& window, int target, int type)
    : run_(run), window_(window.handle()), target_(target) {
  const InFlight flight(run_.watchdog, {"lock", target});
  if (target_ == kAll) {
    MPI_Win_lock_all(0, window_);
  } else {
    MPI_Win_lock(type, target_, 0, window_);
  }
}

Locked::~Locked() {
  const InFlight flight(run_.watchdog, {"unlock", target_});
  if (target_ == kAll) {
    MPI_Win_unlock_all(window_);
  } else {
    MPI_Win_unlock(target_, window_);
  }
}

void Locked::flush(int target) const {
  const InFlight flight(run_.watchdog, {"flush", target});
  MPI_Win_flush(target, window_);
}

void barrier(Run& run) {
  const InFlight flight(run.watchdog, {"barrier"});
  MPI_Barrier(MPI_COMM_WORLD);
}

Bytes outgoing(Run& run, std::uint64_t key, std::size_t size) {
  Bytes bytes(size);
  payload::fill(key, bytes);
  run.saboteur.touch(bytes);
  return bytes;
}

void expect(Run& run, std::uint64_t key, std::span<const std::byte> bytes,
            const std::string& what) {
  run.tally.checked(bytes.size());
  const std::size_t at = payload::first_difference(key, bytes);
  if (at != bytes.size()) {
    run.tally.mismatch(what + ": byte " + std::to_string(at) + " of " +
                       std::to_string(bytes.size()) + " is wrong");
  }
}

void expect_equal(Run& run, std::uint64_t got, std::uint64_t wanted, const std::string& what) {
  run.tally.checked(sizeof got);
  if (got != wanted) {
    run.tally.mismatch(what + ": " + std::to_string(got) + " instead of " + std::to_string(wanted));
  }
}

std::span<const std::size_t> sizes() { return kSizes; }

}  // namespace windows
