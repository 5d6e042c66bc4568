// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Traffic to oneself, and traffic in many communicators at once under the same tags.
#include <list>

#include "../payload.hpp"
#include "batch.hpp"
#include "phases.hpp"

namespace hammer {
namespace {

/// Frees a communicator at the end of its scope; collective, so scopes must end in the same order
/// on all ranks.
class OwnedComm {
 public:
  explicit OwnedComm(MPI_Comm comm) : comm_(comm) {}
  OwnedComm(const OwnedComm&) = delete;
  OwnedComm& operator=(const OwnedComm&) = delete;
  ~OwnedComm() {
    if (comm_ != MPI_COMM_NULL) {
      MPI_Comm_free(&comm_);
    }
  }
  MPI_Comm get() const { return comm_; }

 private:
  MPI_Comm comm_;
};

MPI_Comm dup_of(MPI_Comm comm) {
  MPI_Comm made = MPI_COMM_NULL;
  MPI_Comm_dup(comm, &made);
  return made;
}

MPI_Comm split_of(MPI_Comm comm, int color, int key) {
  MPI_Comm made = MPI_COMM_NULL;
  MPI_Comm_split(comm, color, key, &made);
  return made;
}

/// The even and the odd ranks of the world, facing each other.
MPI_Comm intercomm(MPI_Comm half, int rank) {
  MPI_Comm made = MPI_COMM_NULL;
  MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, 1 - rank % 2, 4711, &made);
  return made;
}

constexpr int kTags = 3;
constexpr int kPerTag = 6;

void send_everywhere(Channel& channel, Batch& batch) {
  for (int i = 0; i < kTags * kPerTag; ++i) {
    for (int peer = 0; peer < channel.peers(); ++peer) {
      batch.send(peer, i % kTags);
    }
  }
}

void receive_everywhere(Channel& channel, Batch& batch, bool wild) {
  for (int i = 0; i < kTags * kPerTag; ++i) {
    for (int peer = 0; peer < channel.peers(); ++peer) {
      wild ? batch.receive_wild(MPI_ANY_SOURCE, MPI_ANY_TAG) : batch.receive_exact(peer, i % kTags);
    }
  }
}

void collective_on(const Channel& channel) {
  const InFlight flight(channel.run().watchdog, {"barrier"});
  MPI_Barrier(channel.comm());
}

/// All channels are busy under the same tags at once; received in the opposite order of sending.
void cross_traffic(std::list<Channel>& channels, int round) {
  std::list<Batch> sends;
  for (Channel& channel : channels) {
    send_everywhere(channel, sends.emplace_back(channel));
  }
  for (const Channel& channel : channels) {
    collective_on(channel);
  }
  bool wild = round % 2 == 0;
  for (auto channel = channels.rbegin(); channel != channels.rend(); ++channel) {
    Batch receives(*channel);
    receive_everywhere(*channel, receives, wild);
    receives.finish(WaitStyle::kAll);
    wild = !wild;
  }
  for (Batch& batch : sends) {
    batch.finish(WaitStyle::kAll);
  }
}

/// Communicators come and go: each carries a few messages.
void short_lived(Run& run, std::uint64_t salt) {
  constexpr int kComms = 12;
  for (int i = 0; i < kComms; ++i) {
    const OwnedComm comm(i % 2 == 0 ? dup_of(MPI_COMM_WORLD)
                                    : split_of(MPI_COMM_WORLD, 0, -run.rank));
    Channel channel(run, comm.get(), payload::key_of(salt, i), mixed_sizes(1025));
    Batch batch(channel);
    send_everywhere(channel, batch);
    receive_everywhere(channel, batch, i % 3 == 0);
    batch.finish(WaitStyle::kAll);
  }
}

/// Sends `count` messages to this process itself and receives them; tags backwards if `backwards`.
void self_exchange(Channel& channel, int count, bool posted, SendMode mode, bool backwards) {
  Batch batch(channel);
  const auto receive = [&] {
    for (int i = 0; i < count; ++i) {
      batch.receive_exact(channel.rank(), backwards ? count - 1 - i : i);
    }
  };
  if (posted) {
    receive();
  }
  for (int i = 0; i < count; ++i) {
    batch.send(channel.rank(), i, mode);
  }
  if (!posted) {
    receive();
  }
  batch.finish(WaitStyle::kAll);
}

void self_wild(Channel& channel) {
  constexpr int kMessages = 20;
  Batch batch(channel);
  for (int i = 0; i < kMessages; ++i) {
    batch.receive_wild(MPI_ANY_SOURCE, MPI_ANY_TAG);
  }
  for (int i = 0; i < kMessages; ++i) {
    batch.send(channel.rank(), i % 3);
  }
  batch.finish(WaitStyle::kAny);
}

void self_matched_probe(Channel& channel) {
  Batch sends(channel);
  sends.send(channel.rank(), 7);
  MPI_Message handle;
  MPI_Status status;
  MPI_Mprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, channel.comm(), &handle, &status);
  const Envelope envelope = channel.claim(status.MPI_SOURCE, status.MPI_TAG);
  channel.verify_status(envelope, status);
  Buffer buffer(channel.size_of(envelope));
  MPI_Mrecv(buffer.data(), buffer.capacity(), MPI_BYTE, &handle, &status);
  channel.verify(envelope, status, buffer);
  sends.finish(WaitStyle::kAll);
}

}  // namespace

/// A process sends to itself in every way, on the world and on MPI_COMM_SELF, up to 3 MiB.
void phase_self(Run& run, std::uint64_t salt, int round) {
  const Sizes sizes{3U << 20U, [](const Envelope& envelope, std::uint64_t random) {
                      const auto thresholds = threshold_sizes();
                      return envelope.tag == 0 ? random % (3U << 20U)
                                               : thresholds[random % thresholds.size()];
                    }};
  for (const MPI_Comm comm : {MPI_COMM_WORLD, MPI_COMM_SELF}) {
    Channel channel(run, comm, payload::key_of(salt, comm == MPI_COMM_SELF, run.rank), sizes);
    for (const bool posted : {true, false}) {
      for (const SendMode mode : {SendMode::kStandard, SendMode::kSynchronous}) {
        self_exchange(channel, 20, posted, mode, round % 2 == 1);
      }
    }
    self_wild(channel);
    self_matched_probe(channel);
  }
}

/// Dups, splits, reversed ranks, a split of a dup, single ranks and an intercommunicator, all busy
/// at once.
void phase_comms(Run& run, std::uint64_t salt, int round) {
  const int rank = run.rank;
  const OwnedComm dup(dup_of(MPI_COMM_WORLD));
  const OwnedComm reversed(split_of(MPI_COMM_WORLD, 0, -rank));
  const OwnedComm half(split_of(MPI_COMM_WORLD, rank % 2, rank));
  const OwnedComm quarter(split_of(dup.get(), rank / 2, -rank));
  const OwnedComm alone(split_of(reversed.get(), rank, 0));
  const OwnedComm facing(run.ranks > 1 ? intercomm(half.get(), rank) : MPI_COMM_NULL);
  std::list<Channel> channels;
  for (const MPI_Comm comm : {MPI_Comm(MPI_COMM_WORLD), dup.get(), reversed.get(), half.get(),
                              quarter.get(), alone.get(), facing.get()}) {
    if (comm != MPI_COMM_NULL) {
      channels.emplace_back(run, comm, payload::key_of(salt, channels.size()), mixed_sizes(65537));
    }
  }
  cross_traffic(channels, round);
  short_lived(run, salt);
}

}  // namespace hammer
