// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// A window of MPI's one-sided communication, and what every phase over one needs.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "../hammer/run.hpp"

namespace windows {

using hammer::InFlight;
using hammer::Run;
using Bytes = std::vector<std::byte>;

/// Whose memory is shown: MPI_Win_allocate's, or the program's by MPI_Win_create.
enum class Memory { kAllocated, kOwn };

/// Phases repeat with both.
inline Memory memory_of(int round) { return round % 2 == 0 ? Memory::kAllocated : Memory::kOwn; }

/// Of all processes of MPI_COMM_WORLD: constructor and destructor are collective. Addresses are
/// counted in bytes. All of it is zero before anybody can write.
class Window {
 public:
  Window(Run& run, std::size_t bytes, Memory memory);
  ~Window();
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  MPI_Win handle() const { return window_; }

  /// Our own part. To be read in an epoch in which nobody writes there, or under a lock of ours.
  std::span<std::byte> part() const { return part_; }

  void fence() const;

 private:
  Run& run_;
  Bytes own_;
  std::span<std::byte> part_;
  MPI_Win window_ = MPI_WIN_NULL;
};

/// A lock of one target's part, or of all parts, for as long as it lives: an epoch.
class Locked {
 public:
  static constexpr int kAll = -1;

  Locked(Run& run, const Window& window, int target, int type = MPI_LOCK_SHARED);
  ~Locked();
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

  void flush(int target) const;

 private:
  Run& run_;
  MPI_Win window_;
  int target_;
};

void barrier(Run& run);

/// What `origin` gives `target`, for the saboteur to damage.
Bytes outgoing(Run& run, std::uint64_t key, std::size_t size);

/// Counts the bytes as checked, and as a mismatch unless they are those of `key`.
void expect(Run& run, std::uint64_t key, std::span<const std::byte> bytes, const std::string& what);

/// Counts a comparison, and a mismatch unless both are the same.
void expect_equal(Run& run, std::uint64_t got, std::uint64_t wanted, const std::string& what);

/// Lengths below, at and above what a transport treats differently, in bytes.
std::span<const std::size_t> sizes();

}  // namespace windows
