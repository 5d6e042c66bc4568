// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>
#include <string>

#include "common/buffer.hpp"
#include "common/suite.hpp"
#include "worker/fabric_link.hpp"

namespace xs::bench {

/// What the completion of an operation that changes the peer's memory says.
enum class Completion {
  kDefault,    ///< what the provider means by a completion if nobody asks for more
  kDelivered,  ///< the peer's memory has changed: FI_DELIVERY_COMPLETE
};

/// Memory of one peer, and memory for that peer, over an endpoint of one provider. Each posted
/// operation counts as a send of messages(), by which it is awaited, too. The peer's calls must
/// make progress. One thread. Every function throws Failure.
class RemoteLink {
 public:
  /// The integers of atomic operations.
  using Word = std::uint64_t;

  /// Throws Declined if the provider lacks something that the suite needs.
  RemoteLink(const std::string& provider, const Suite& suite, bool asleep);

  /// Of the endpoint and of its memory.
  std::string address();
  void connect(const std::string& peer);

  /// Only empty ones: their buffers aren't registered.
  FabricLink& messages() { return link_; }

  /// What this side works on, and what the peer may read and change.
  const Buffer& own() const { return own_; }
  const Buffer& exposed() const { return exposed_; }

  /// Between slot `index` of our own and slot `index` of the peer's exposed memory.
  void post_write(std::size_t index, std::size_t bytes, Completion completion);
  void post_read(std::size_t index, std::size_t bytes);

  /// Of word `index` of the peer's exposed memory, by operand().
  void post_add(std::size_t index, Completion completion);
  void post_fetch_add(std::size_t index);
  /// If it equals comparand(), it becomes operand().
  void post_compare_swap(std::size_t index);

  Word& operand() const { return word(0); }
  Word& comparand() const { return word(1); }
  /// What was there before the last fetching operation.
  const Word& result() const { return word(2); }

 private:
  Word& word(std::size_t index) const {
    return *reinterpret_cast<Word*>(own_.slot(index, sizeof(Word)));
  }
  MemoryRegion register_memory(const Buffer& buffer, std::uint64_t access, std::uint64_t key) const;
  void require_atomics() const;
  std::uint64_t address_of(std::size_t index, std::size_t bytes) const;

  // Declared in the order of opening, so that they close in the reverse one.
  Buffer own_;
  Buffer exposed_;
  FabricLink link_;
  MemoryRegion exposed_region_;
  MemoryRegion own_region_;  // with FI_MR_LOCAL
  void* own_desc_ = nullptr;
  std::uint64_t peer_base_ = 0;
  std::uint64_t peer_key_ = 0;
};

}  // namespace xs::bench
