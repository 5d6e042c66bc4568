// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "carrier/frame_buffer.hpp"

namespace xs::carrier {

// A receive whose bytes nobody wants.
struct SinkOperation : Operation {
  SinkOperation(std::uint64_t t, std::size_t l) noexcept
      : Operation(OperationKind::kSink), tag(t), length(l) {}
  std::uint64_t tag;
  std::size_t length;
};

// Memory that given-up receives may write into, all over one another. Reserved address space: pages
// come only if a late message really arrives, and go when nothing is posted into them any more.
class Sinks {
 public:
  Sinks() = default;
  Sinks(const Sinks&) = delete;
  Sinks& operator=(const Sinks&) = delete;
  ~Sinks();

  // Room of at least `size` bytes, or nullptr.
  void* room(std::size_t size) noexcept;
  SinkOperation* make(std::uint64_t tag, std::size_t length) noexcept;
  void drop(SinkOperation& operation) noexcept;

 private:
  struct Region {
    void* at;
    std::size_t size;
  };
  std::vector<Region> regions_;  // ascending sizes; receives may be posted into any of them
  std::size_t live_ = 0;
};

}  // namespace xs::carrier
