// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Shares and mappings that stand, so that a simulated move can cut them off.
#pragma once
#include <cstdint>
#include <utility>

#include "hv/local/pages.hpp"
#include "util/intrusive_list.hpp"

namespace xs::hv {

class Memory;

// All shares, or all mappings, of a backend. They may outlive it.
class Memories {
 public:
  Memories() noexcept = default;
  ~Memories();

  bool empty() const noexcept { return all_.empty(); }
  // Each keeps its bytes, but nobody else's changes are seen in it, nor its own elsewhere.
  void make_private() noexcept;
  // Each reads all ones, or those of one link do.
  void make_ones() noexcept;
  void make_ones(std::uint64_t link) noexcept;

 private:
  friend class Memory;
  util::IntrusiveList<Memory> all_;
};

class Memory : public util::ListHook<> {
 public:
  // `link`: the key of the one that it came by.
  Memory(Memories& siblings, std::uint64_t link, Range range) noexcept;
  ~Memory();
  const Range& range() const noexcept { return range_; }

 private:
  friend class Memories;
  void make_private() noexcept;
  void make_ones() noexcept;
  void replace(util::Result<Range> by) noexcept;

  Memories* siblings_;  // none: the backend is no more
  std::uint64_t link_;
  Range range_;
  bool private_ = false;
};

}  // namespace xs::hv
