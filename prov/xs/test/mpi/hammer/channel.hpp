// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// One communicator on which every message is checked. Sender and receiver count the messages of
// each (source, tag) for themselves; sizes and contents follow from the count, so a message which
// is lost, doubled, overtaken, cut, or delivered on another communicator shows as a wrong size or a
// wrong byte.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "run.hpp"

namespace hammer {

/// Identity of a message within its channel. Ranks are those of the channel's communicator (of the
/// senders' and of the receivers' group, where it is an intercommunicator).
struct Envelope {
  int source;
  int dest;
  int tag;
  std::uint64_t sequence;  ///< counts the messages with the same three values above
};

/// The sizes of a channel's messages, in bytes: a pure function of the envelope and a random number
/// drawn from it.
struct Sizes {
  std::size_t most;
  std::function<std::size_t(const Envelope&, std::uint64_t random)> of;
};

/// Sizes at and beside every threshold a transport is likely to have, and random ones; mostly
/// small.
Sizes mixed_sizes(std::size_t most);

/// 0 to 1 MiB + 1: every size at or beside a likely threshold, ascending.
std::span<const std::size_t> threshold_sizes();

/// Room for a message with a canary behind it.
class Buffer {
 public:
  explicit Buffer(std::size_t capacity);

  std::byte* data() { return bytes_.data(); }
  int capacity() const { return static_cast<int>(bytes_.size() - kCanary); }
  std::span<const std::byte> first(std::size_t size) const { return {bytes_.data(), size}; }

  /// True if nothing was written behind the first `size` bytes.
  bool untouched_after(std::size_t size) const;

 private:
  static constexpr std::size_t kCanary = 64;
  std::vector<std::byte> bytes_;
};

/// Thread rule: one thread at a time. The communicator outlives the channel.
class Channel {
 public:
  /// `salt` tells this channel's payloads from all others'; equal on all ranks.
  Channel(Run& run, MPI_Comm comm, std::uint64_t salt, Sizes sizes);

  Run& run() const { return run_; }
  MPI_Comm comm() const { return comm_; }
  std::uint64_t salt() const { return salt_; }
  int rank() const { return rank_; }    ///< this process in its own group
  int peers() const { return peers_; }  ///< processes it can send to
  std::size_t most() const { return sizes_.most; }

  /// The payload of the next message to (dest, tag).
  std::vector<std::byte> outgoing(int dest, int tag);

  /// The identity of the next message from (source, tag): called once per message, in matching
  /// order.
  Envelope claim(int source, int tag);

  /// Bytes in that message.
  std::size_t size_of(const Envelope& envelope) const;

  /// Checks the status of a probe or a receive against the message it must belong to.
  void verify_status(const Envelope& envelope, const MPI_Status& status) const;

  /// Checks status, content and canary of a finished receive.
  void verify(const Envelope& envelope, const MPI_Status& status, const Buffer& buffer) const;

  void send(int dest, int tag);
  void receive(int source, int tag);  ///< wild cards allowed; blocking; verified

 private:
  std::uint64_t key_of(const Envelope& envelope) const;
  void complain(const Envelope& envelope, const std::string& what) const;

  Run& run_;
  MPI_Comm comm_;
  std::uint64_t salt_;
  Sizes sizes_;
  int rank_ = -1;
  int peers_ = 0;
  std::map<std::pair<int, int>, std::uint64_t> sent_;     ///< by (dest, tag)
  std::map<std::pair<int, int>, std::uint64_t> claimed_;  ///< by (source, tag)
};

}  // namespace hammer
