// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a hostile peer hands over as pages, and goes on writing to, and tries to take away.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "hv/local/pages.hpp"
#include "hv/unique_fd.hpp"

namespace xs::fuzz {

class File {
 public:
  enum class Flaw : std::uint8_t {
    kNone,
    kUnsealed,
    kShrinkable,
    kGrowable,
    kWritable,  // by whoever has the descriptor
    kSparse,
    kSmall,
    kOdd,
    kHuge,  // of huge pages, if there are any
  };
  static constexpr unsigned kFlaws = 9;

  File(std::size_t size, Flaw flaw, std::uint64_t number, const hv::Id& nonce);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const hv::UniqueFd& fd() const { return fd_; }
  hv::PagesName name() const { return {number, size, nonce}; }  // as an honest owner offers it
  bool is_good() const { return good_; }
  // Whether that nonce stands in it now, with its size.
  bool proves(const hv::Id& id) const;
  // Through a mapping that is older than the seals.
  void scribble(std::size_t word, std::uint64_t value);
  // All that its owner can do so that readers trap.
  void try_to_trap(std::uint8_t how);

  const std::uint64_t number;
  const std::size_t size;  // as it is announced
  const hv::Id nonce;

 private:
  void let_go();

  hv::UniqueFd fd_;
  std::span<std::byte> bytes_;  // empty: it can't be written to
  bool good_;
};

}  // namespace xs::fuzz
