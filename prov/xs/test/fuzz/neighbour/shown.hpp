// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a neighbour has shown: frames that came over the fabric, and frames in its ring whose stamp
// was found again after the copy. A user may be told of nothing else.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "proto/frame.hpp"
#include "ring/pages.hpp"

namespace xs::fuzz {

class Shown {
 public:
  // ---- The neighbour's regions, and what was read there ----
  void region(std::shared_ptr<ring::test::Pages> pages) { regions_.push_back(std::move(pages)); }
  void loaded(const std::uint64_t* word, std::uint64_t value, std::memory_order order);
  void copied(const std::byte* from, util::Bytes bytes);
  // Where the last look for a frame was: for lies that are almost true. Null: nowhere yet.
  std::uint64_t* last_look() const { return const_cast<std::uint64_t*>(look_.word); }
  std::uint64_t last_stamp() const { return look_.stamp; }

  // ---- What came over the fabric ----
  void frame(util::Bytes bytes);
  void bulk(util::Bytes bytes) { bulks_.emplace_back(bytes.begin(), bytes.end()); }

  // Whether a receive of that tag may have ended so: `bytes` of `total` were placed.
  bool explains(std::uint64_t tag, util::Bytes bytes, std::size_t total);

 private:
  using Copy = std::vector<std::byte>;
  struct Frame {
    proto::Kind kind;
    std::uint8_t flags;
    std::uint64_t seq;
    Copy body;
  };
  // A frame that was found and is being copied.
  struct Look {
    const ring::test::Pages* pages = nullptr;
    const std::uint64_t* word = nullptr;
    std::uint64_t stamp = 0;
    Copy bytes;
  };

  const ring::test::Pages* holds(const void* at) const;
  void settled();
  void add(Frame frame);
  bool by_eager(std::uint64_t tag, util::Bytes bytes, std::size_t total);
  bool by_rendezvous(std::uint64_t tag, util::Bytes bytes, std::size_t total) const;
  bool by_data(util::Bytes bytes) const;
  bool by_data(std::uint64_t receive_id, util::Bytes bytes) const;

  std::vector<std::shared_ptr<ring::test::Pages>> regions_;
  Look look_;
  std::vector<Frame> frames_;
  std::set<std::uint64_t> numbers_;  // of them
  std::uint64_t next_ = 1;           // at least what the stream expects next
  std::map<const ring::test::Pages*, std::uint32_t> expected_;
  std::vector<Copy> bulks_;
  std::map<std::uint64_t, std::uint64_t> last_;  // seq of the newest message told of, by tag
};

}  // namespace xs::fuzz
