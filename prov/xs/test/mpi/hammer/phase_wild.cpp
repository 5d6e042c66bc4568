// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// MPI_ANY_SOURCE, MPI_ANY_TAG, and all kinds of probing.
#include <sched.h>

#include "../payload.hpp"
#include "batch.hpp"
#include "phases.hpp"

namespace hammer {
namespace {

constexpr int kTags = 4;
constexpr int kPerTag = 8;      ///< messages from each rank to each rank under each tag
constexpr int kUnusedTag = 99;  ///< nobody sends under this tag

/// Starts this rank's share: kPerTag messages under each tag to everybody, in random order.
void send_all(Channel& channel, Batch& batch) {
  std::vector<std::pair<int, int>> targets;
  for (int peer = 0; peer < channel.peers(); ++peer) {
    for (int i = 0; i < kTags * kPerTag; ++i) {
      targets.emplace_back(peer, i % kTags);
    }
  }
  payload::Random draw(payload::key_of(channel.salt(), channel.rank()));
  draw.shuffle(targets);
  for (const auto& [peer, tag] : targets) {
    batch.send(peer, tag);
  }
}

/// The receives which take all of it, wild in source, in tag, or in both.
void post_wild(Channel& channel, Batch& batch, bool any_source, bool any_tag) {
  const int sources = channel.peers();
  for (int i = 0; i < sources * kTags * kPerTag; ++i) {
    batch.receive_wild(any_source ? MPI_ANY_SOURCE : i % sources,
                       any_tag ? MPI_ANY_TAG : i / sources % kTags);
  }
}

/// A message which a probe has found, and for mprobe its handle.
struct Found {
  MPI_Status status;
  MPI_Message handle;
  Envelope envelope;
};

enum class ProbeKind { kProbe, kIprobe, kMprobe, kImprobe };

/// Looks until there is a message; source and tag may be wild.
void look(const Channel& channel, ProbeKind kind, int source, int tag, Found& found) {
  const InFlight flight(channel.run().watchdog, {"probe", source, tag});
  int flag = 0;
  switch (kind) {
    case ProbeKind::kProbe:
      MPI_Probe(source, tag, channel.comm(), &found.status);
      break;
    case ProbeKind::kMprobe:
      MPI_Mprobe(source, tag, channel.comm(), &found.handle, &found.status);
      break;
    case ProbeKind::kIprobe:
      while (MPI_Iprobe(source, tag, channel.comm(), &flag, &found.status) == MPI_SUCCESS &&
             flag == 0) {
        sched_yield();
      }
      break;
    case ProbeKind::kImprobe:
      while (MPI_Improbe(source, tag, channel.comm(), &flag, &found.handle, &found.status) ==
                 MPI_SUCCESS &&
             flag == 0) {
        sched_yield();
      }
      break;
  }
}

/// Takes a message after MPI_Probe: by source and tag, into exactly as much room as was announced.
void take_probed(Channel& channel, const Found& found) {
  Buffer buffer(channel.size_of(found.envelope));
  MPI_Status status;
  const InFlight flight(channel.run().watchdog, {"recv after probe", found.envelope.source,
                                                 found.envelope.tag, channel.most()});
  MPI_Recv(buffer.data(), buffer.capacity(), MPI_BYTE, found.envelope.source, found.envelope.tag,
           channel.comm(), &status);
  channel.verify(found.envelope, status, buffer);
}

void take_matched(Channel& channel, Found& found, bool blocking) {
  Buffer buffer(channel.size_of(found.envelope));
  MPI_Status status;
  const InFlight flight(
      channel.run().watchdog,
      {blocking ? "mrecv" : "imrecv", found.envelope.source, found.envelope.tag, channel.most()});
  if (blocking) {
    MPI_Mrecv(buffer.data(), buffer.capacity(), MPI_BYTE, &found.handle, &status);
  } else {
    MPI_Request request;
    MPI_Imrecv(buffer.data(), buffer.capacity(), MPI_BYTE, &found.handle, &request);
    MPI_Wait(&request, &status);
  }
  channel.verify(found.envelope, status, buffer);
}

/// Nobody sends under this tag, so none of the probes may find anything.
void expect_nothing(const Channel& channel) {
  int flag = 0;
  MPI_Iprobe(MPI_ANY_SOURCE, kUnusedTag, channel.comm(), &flag, MPI_STATUS_IGNORE);
  int matched = 0;
  MPI_Message handle;
  MPI_Improbe(MPI_ANY_SOURCE, kUnusedTag, channel.comm(), &matched, &handle, MPI_STATUS_IGNORE);
  if (flag != 0 || matched != 0) {
    channel.run().tally.mismatch("a probe found a message under a tag which nobody uses");
  }
}

/// Probes for everything that was sent to this rank; holds up to four matched messages before it
/// receives them, youngest first.
void probe_all(Channel& channel, payload::Random& draw) {
  std::vector<int> left(static_cast<std::size_t>(channel.peers()), kTags * kPerTag);
  std::vector<Found> held;
  const auto take_held = [&] {
    for (; !held.empty(); held.pop_back()) {
      take_matched(channel, held.back(), draw.below(2) == 0);
    }
  };
  for (int i = channel.peers() * kTags * kPerTag; i > 0; --i) {
    const auto kind = static_cast<ProbeKind>(draw.below(4));
    const auto peer = draw.below(left.size());
    const bool wild = draw.below(2) == 0 || left[peer] == 0;
    Found found{};
    look(channel, kind, wild ? MPI_ANY_SOURCE : static_cast<int>(peer), MPI_ANY_TAG, found);
    --left[static_cast<std::size_t>(found.status.MPI_SOURCE)];
    found.envelope = channel.claim(found.status.MPI_SOURCE, found.status.MPI_TAG);
    channel.verify_status(found.envelope, found.status);
    if (kind == ProbeKind::kProbe || kind == ProbeKind::kIprobe) {
      take_probed(channel, found);
    } else {
      held.push_back(found);
    }
    if (held.size() == 4) {
      take_held();
    }
  }
  take_held();
}

}  // namespace

/// By round: wild in both, wild in source, wild in tag, and blocking receives wild in both.
void phase_wild(Run& run, std::uint64_t salt, int round) {
  Channel channel(run, MPI_COMM_WORLD, salt, mixed_sizes(65537));
  Batch batch(channel);
  const int variant = round % 4;
  if (variant != 3) {
    post_wild(channel, batch, variant != 2, variant != 1);
  }
  send_all(channel, batch);
  if (variant == 3) {
    for (int i = 0; i < channel.peers() * kTags * kPerTag; ++i) {
      channel.receive(MPI_ANY_SOURCE, MPI_ANY_TAG);
    }
  }
  batch.finish(static_cast<WaitStyle>(variant));
  const InFlight flight(run.watchdog, {"barrier"});
  MPI_Barrier(channel.comm());
}

/// Probe, iprobe, mprobe and improbe in a random mix.
void phase_probe(Run& run, std::uint64_t salt, int round) {
  Channel channel(run, MPI_COMM_WORLD, salt, mixed_sizes((1U << 20U) + 1));
  payload::Random draw(payload::key_of(salt, run.rank, round));
  Batch sends(channel);
  expect_nothing(channel);
  send_all(channel, sends);
  expect_nothing(channel);
  probe_all(channel, draw);
  expect_nothing(channel);
  sends.finish(WaitStyle::kAll);
  const InFlight flight(run.watchdog, {"barrier"});
  MPI_Barrier(channel.comm());
}

}  // namespace hammer
