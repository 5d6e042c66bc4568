// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Data types with gaps, and windows that get their memory later.
#include <cstring>

#include "../payload.hpp"
#include "phases.hpp"

namespace windows {
namespace {

/// Blocks of some bytes, each followed by a gap.
struct Shape {
  int blocks;
  int length;
  int stride;

  std::size_t extent() const { return static_cast<std::size_t>(blocks * stride); }
  std::size_t size() const { return static_cast<std::size_t>(blocks * length); }
};

class Vector {
 public:
  explicit Vector(const Shape& shape) {
    MPI_Type_vector(shape.blocks, shape.length, shape.stride, MPI_BYTE, &type_);
    MPI_Type_commit(&type_);
  }
  ~Vector() { MPI_Type_free(&type_); }
  Vector(const Vector&) = delete;
  Vector& operator=(const Vector&) = delete;
  MPI_Datatype handle() const { return type_; }

 private:
  MPI_Datatype type_ = MPI_DATATYPE_NULL;
};

/// Bytes in a shape's blocks; the gaps as they were.
void spread(const Shape& shape, const Bytes& from, std::span<std::byte> to) {
  for (int i = 0; i < shape.blocks; ++i) {
    std::memcpy(to.data() + i * shape.stride, from.data() + i * shape.length,
                static_cast<std::size_t>(shape.length));
  }
}

void expect_same(Run& run, std::span<const std::byte> got, const Bytes& wanted,
                 const std::string& what) {
  run.tally.checked(got.size());
  if (std::memcmp(got.data(), wanted.data(), got.size()) != 0) {
    run.tally.mismatch(what + " has a wrong byte");
  }
}

/// From one shape into another one at the next rank, and back into the first.
void there_and_back(Run& run, const Shape& ours, const Shape& theirs, std::uint64_t salt,
                    Memory memory) {
  const int next = (run.rank + 1) % run.ranks;
  const int before = (run.rank + run.ranks - 1) % run.ranks;
  const Window window(run, theirs.extent(), memory);
  const Vector our_type(ours);
  const Vector their_type(theirs);
  Bytes sent(ours.extent(), std::byte{0xee});
  Bytes got(ours.extent(), std::byte{0xdd});
  spread(ours, outgoing(run, payload::key_of(salt, run.rank), ours.size()), sent);
  window.fence();
  MPI_Put(sent.data(), 1, our_type.handle(), next, 0, 1, their_type.handle(), window.handle());
  window.fence();
  Bytes wanted(theirs.extent());
  Bytes bytes(ours.size());
  payload::fill(payload::key_of(salt, before), bytes);
  spread(theirs, bytes, wanted);
  expect_same(run, window.part(), wanted, "what was put with gaps");
  MPI_Get(got.data(), 1, our_type.handle(), next, 0, 1, their_type.handle(), window.handle());
  window.fence();
  Bytes back(ours.extent(), std::byte{0xdd});
  payload::fill(payload::key_of(salt, run.rank), bytes);
  spread(ours, bytes, back);
  expect_same(run, got, back, "what was got with gaps");
}

/// A window without memory, to which each rank attaches some, and tells where it is.
class DynamicWindow {
 public:
  DynamicWindow(Run& run, std::size_t size) : run_(run), memory_(size), begins_(ranks()) {
    const InFlight flight(run_.watchdog, {"making a dynamic window", -1, -1, size});
    MPI_Win_create_dynamic(MPI_INFO_NULL, MPI_COMM_WORLD, &window_);
    MPI_Win_attach(window_, memory_.data(), static_cast<MPI_Aint>(size));
    MPI_Aint begin = 0;
    MPI_Get_address(memory_.data(), &begin);
    MPI_Allgather(&begin, 1, MPI_AINT, begins_.data(), 1, MPI_AINT, MPI_COMM_WORLD);
  }
  ~DynamicWindow() {
    const InFlight flight(run_.watchdog, {"freeing a dynamic window", -1, -1, memory_.size()});
    MPI_Win_detach(window_, memory_.data());
    MPI_Win_free(&window_);
  }
  DynamicWindow(const DynamicWindow&) = delete;
  DynamicWindow& operator=(const DynamicWindow&) = delete;

  MPI_Win handle() const { return window_; }
  MPI_Aint begin(int rank) const { return begins_[static_cast<std::size_t>(rank)]; }
  std::span<const std::byte> memory() const { return memory_; }

 private:
  std::size_t ranks() const { return static_cast<std::size_t>(run_.ranks); }

  Run& run_;
  Bytes memory_;
  std::vector<MPI_Aint> begins_;
  MPI_Win window_ = MPI_WIN_NULL;
};

}  // namespace

void phase_shapes(Run& run, std::uint64_t salt, int round) {
  // Of equally many bytes each.
  constexpr Shape kShapes[] = {{1, 2400, 2400}, {800, 3, 5}, {24, 100, 101}};
  for (const Shape& ours : kShapes) {
    for (const Shape& theirs : kShapes) {
      there_and_back(run, ours, theirs, payload::key_of(salt, ours.blocks, theirs.blocks),
                     memory_of(round));
    }
  }
}

void phase_dynamic(Run& run, std::uint64_t salt, int /*round*/) {
  for (const std::size_t size : sizes()) {
    const DynamicWindow window(run, size);
    const int next = (run.rank + 1) % run.ranks;
    const int before = (run.rank + run.ranks - 1) % run.ranks;
    const auto length = static_cast<int>(size);
    const Bytes sent = outgoing(run, payload::key_of(salt, run.rank, size), size);
    {
      const InFlight flight(run.watchdog, {"put, unlock", next, -1, size});
      MPI_Win_lock(MPI_LOCK_EXCLUSIVE, next, 0, window.handle());
      MPI_Put(sent.data(), length, MPI_BYTE, next, window.begin(next), length, MPI_BYTE,
              window.handle());
      MPI_Win_unlock(next, window.handle());
    }
    barrier(run);
    MPI_Win_lock(MPI_LOCK_SHARED, run.rank, 0, window.handle());
    expect(run, payload::key_of(salt, before, size), window.memory(), "put into attached memory");
    MPI_Win_unlock(run.rank, window.handle());
    barrier(run);
  }
}

}  // namespace windows
