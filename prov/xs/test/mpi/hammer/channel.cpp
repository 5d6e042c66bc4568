// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "channel.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "../payload.hpp"

namespace hammer {
namespace {

constexpr std::byte kCanaryByte{0xa5};

constexpr std::array<std::size_t, 38> kThresholds = {0,
                                                     1,
                                                     2,
                                                     7,
                                                     8,
                                                     9,
                                                     15,
                                                     16,
                                                     17,
                                                     31,
                                                     32,
                                                     33,
                                                     63,
                                                     64,
                                                     65,
                                                     127,
                                                     128,
                                                     129,
                                                     255,
                                                     256,
                                                     257,
                                                     1023,
                                                     1024,
                                                     1025,
                                                     4095,
                                                     4096,
                                                     4097,
                                                     8191,
                                                     8192,
                                                     8193,
                                                     16383,
                                                     16384,
                                                     16385,
                                                     65535,
                                                     65536,
                                                     65537,
                                                     (1U << 20U) - 1,
                                                     (1U << 20U) + 1};

std::size_t mixed_size(std::size_t most, std::uint64_t random) {
  payload::Random draw(random);
  const std::uint64_t kind = draw.below(16);
  const std::size_t ceiling = std::min<std::size_t>(most, kind < 9    ? 1025
                                                          : kind < 13 ? 16385
                                                          : kind < 15 ? 65537
                                                                      : most);
  if (draw.below(3) == 0) {
    return draw.below(ceiling + 1);
  }
  const auto end = std::upper_bound(kThresholds.begin(), kThresholds.end(), ceiling);
  return kThresholds[draw.below(static_cast<std::uint64_t>(end - kThresholds.begin()))];
}

}  // namespace

Sizes mixed_sizes(std::size_t most) {
  return {most, [most](const Envelope&, std::uint64_t random) { return mixed_size(most, random); }};
}

std::span<const std::size_t> threshold_sizes() { return kThresholds; }

Buffer::Buffer(std::size_t capacity) : bytes_(capacity + kCanary, kCanaryByte) {}

bool Buffer::untouched_after(std::size_t size) const {
  const auto canary = bytes_.begin() + static_cast<std::ptrdiff_t>(size);
  return std::all_of(canary, canary + kCanary, [](std::byte b) { return b == kCanaryByte; });
}

Channel::Channel(Run& run, MPI_Comm comm, std::uint64_t salt, Sizes sizes)
    : run_(run), comm_(comm), salt_(salt), sizes_(std::move(sizes)) {
  MPI_Comm_rank(comm, &rank_);
  int inter = 0;
  MPI_Comm_test_inter(comm, &inter);
  if (inter != 0) {
    MPI_Comm_remote_size(comm, &peers_);
  } else {
    MPI_Comm_size(comm, &peers_);
  }
}

std::uint64_t Channel::key_of(const Envelope& envelope) const {
  return payload::key_of(salt_, envelope.source, envelope.dest, envelope.tag, envelope.sequence);
}

std::size_t Channel::size_of(const Envelope& envelope) const {
  return sizes_.of(envelope, payload::mix(key_of(envelope)));
}

std::vector<std::byte> Channel::outgoing(int dest, int tag) {
  const Envelope envelope{rank_, dest, tag, sent_[{dest, tag}]++};
  std::vector<std::byte> bytes(size_of(envelope));
  payload::fill(key_of(envelope), bytes);
  run_.saboteur.touch(bytes);
  return bytes;
}

Envelope Channel::claim(int source, int tag) {
  return {source, rank_, tag, claimed_[{source, tag}]++};
}

void Channel::complain(const Envelope& envelope, const std::string& what) const {
  run_.tally.mismatch("message " + std::to_string(envelope.sequence) + " from " +
                      std::to_string(envelope.source) + " to " + std::to_string(envelope.dest) +
                      " under tag " + std::to_string(envelope.tag) + ": " + what);
}

void Channel::verify_status(const Envelope& envelope, const MPI_Status& status) const {
  if (status.MPI_SOURCE != envelope.source || status.MPI_TAG != envelope.tag) {
    complain(envelope, "status names source " + std::to_string(status.MPI_SOURCE) + ", tag " +
                           std::to_string(status.MPI_TAG));
  }
  int count = -1;
  MPI_Get_count(&status, MPI_BYTE, &count);
  if (count < 0 || static_cast<std::size_t>(count) != size_of(envelope)) {
    complain(envelope, "status counts " + std::to_string(count) + " bytes instead of " +
                           std::to_string(size_of(envelope)));
  }
}

void Channel::verify(const Envelope& envelope, const MPI_Status& status,
                     const Buffer& buffer) const {
  verify_status(envelope, status);
  const std::size_t size = std::min(size_of(envelope), static_cast<std::size_t>(buffer.capacity()));
  const std::size_t differs = payload::first_difference(key_of(envelope), buffer.first(size));
  if (differs != size) {
    complain(envelope, "wrong byte at " + std::to_string(differs) + " of " + std::to_string(size));
  }
  if (!buffer.untouched_after(size)) {
    complain(envelope, "bytes behind the message were written, size " + std::to_string(size));
  }
  run_.tally.checked(size);
}

void Channel::send(int dest, int tag) {
  const std::vector<std::byte> bytes = outgoing(dest, tag);
  const InFlight flight(run_.watchdog, {"send", dest, tag, bytes.size()});
  MPI_Send(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, dest, tag, comm_);
}

void Channel::receive(int source, int tag) {
  Buffer buffer(most());
  MPI_Status status;
  {
    const InFlight flight(run_.watchdog, {"recv", source, tag, most()});
    MPI_Recv(buffer.data(), buffer.capacity(), MPI_BYTE, source, tag, comm_, &status);
  }
  verify(claim(status.MPI_SOURCE, status.MPI_TAG), status, buffer);
}

}  // namespace hammer
