// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Synchronous sends, and cancelled receives.
#include <sched.h>

#include <string>

#include "../payload.hpp"
#include "batch.hpp"
#include "phases.hpp"

namespace hammer {
namespace {

constexpr int kDataTag = 1;
constexpr int kGoTag = 2;
constexpr int kCancelTag = 3;
constexpr int kEarlyTests = 200;

void barrier(const Channel& channel) {
  const InFlight flight(channel.run().watchdog, {"barrier"});
  MPI_Barrier(channel.comm());
}

/// A synchronous send must not finish before its receive is posted, and the receiver posts it only
/// after our word.
void expect_patience(Channel& channel, int dest, int source) {
  const std::vector<std::byte> bytes = channel.outgoing(dest, kDataTag);
  const InFlight flight(channel.run().watchdog, {"issend", dest, kDataTag, bytes.size()});
  MPI_Request request;
  MPI_Issend(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, dest, kDataTag, channel.comm(),
             &request);
  for (int i = 0; i < kEarlyTests; ++i) {
    int done = 0;
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (done != 0) {
      channel.run().tally.mismatch("a synchronous send of " + std::to_string(bytes.size()) +
                                   " bytes finished before its receive was posted");
      break;
    }
    sched_yield();
  }
  Batch go(channel);
  go.send(dest, kGoTag);
  channel.receive(source, kGoTag);
  channel.receive(source, kDataTag);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  go.finish(WaitStyle::kAll);
}

/// MPI_Ssend to the next rank while a receive from the one before is posted.
void blocking_ssend(Channel& channel, int dest, int source) {
  Batch receive(channel);
  receive.receive_exact(source, kDataTag);
  const std::vector<std::byte> bytes = channel.outgoing(dest, kDataTag);
  {
    const InFlight flight(channel.run().watchdog, {"ssend", dest, kDataTag, bytes.size()});
    MPI_Ssend(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, dest, kDataTag,
              channel.comm());
  }
  receive.finish(WaitStyle::kAll);
}

/// Synchronous and standard sends under one tag don't overtake each other.
void mixed_modes(Channel& channel, int dest, int source, payload::Random& draw) {
  constexpr int kMessages = 24;
  Batch batch(channel);
  for (int i = 0; i < kMessages; ++i) {
    batch.send(dest, kDataTag, draw.below(2) == 0 ? SendMode::kSynchronous : SendMode::kStandard);
  }
  for (int i = 0; i < kMessages; ++i) {
    batch.receive_exact(source, kDataTag);
  }
  batch.finish(WaitStyle::kTestSome);
}

/// A receive that will be cancelled.
struct Doomed {
  Buffer buffer;
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Status status{};
  bool cancelled = false;
};

std::vector<Doomed> post_doomed(const Channel& channel, int count, int source, int tag) {
  std::vector<Doomed> receives;
  receives.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    Doomed& doomed = receives.emplace_back(Doomed{Buffer(channel.most())});
    MPI_Irecv(doomed.buffer.data(), doomed.buffer.capacity(), MPI_BYTE, source, tag, channel.comm(),
              &doomed.request);
  }
  return receives;
}

/// Cancels those which `draw` picks (all if `every`), then waits for the cancelled ones.
void cancel_some(const Channel& channel, std::vector<Doomed>& receives, payload::Random& draw,
                 bool every) {
  std::vector<Doomed*> victims;
  for (Doomed& doomed : receives) {
    if (every || draw.below(2) == 0) {
      victims.push_back(&doomed);
    }
  }
  draw.shuffle(victims);
  for (Doomed* doomed : victims) {
    const InFlight flight(channel.run().watchdog,
                          {"cancelled irecv", -1, kCancelTag, channel.most()});
    MPI_Cancel(&doomed->request);
    MPI_Wait(&doomed->request, &doomed->status);
    int cancelled = 0;
    MPI_Test_cancelled(&doomed->status, &cancelled);
    doomed->cancelled = cancelled != 0;
  }
}

void expect_untouched(const Channel& channel, const std::vector<Doomed>& receives) {
  for (const Doomed& doomed : receives) {
    if (doomed.cancelled && !doomed.buffer.untouched_after(0)) {
      channel.run().tally.mismatch("the buffer of a cancelled receive was written");
    }
  }
}

/// Nothing was sent, so every cancel must succeed; what is sent then must reach other receives.
void cancel_unmatched(Channel& channel, int dest, int source, payload::Random& draw) {
  constexpr int kReceives = 16;
  std::vector<Doomed> named = post_doomed(channel, kReceives, source, kCancelTag);
  std::vector<Doomed> wild = post_doomed(channel, kReceives, MPI_ANY_SOURCE, kCancelTag);
  for (auto* receives : {&wild, &named}) {
    cancel_some(channel, *receives, draw, true);
    for (const Doomed& doomed : *receives) {
      if (!doomed.cancelled) {
        channel.run().tally.mismatch("a receive without any message was cancelled in vain");
      }
    }
  }
  barrier(channel);
  Batch sends(channel);
  for (int i = 0; i < kReceives; ++i) {
    sends.send(dest, kCancelTag);
  }
  for (int i = 0; i < kReceives; ++i) {
    channel.receive(source, kCancelTag);
  }
  sends.finish(WaitStyle::kAll);
  expect_untouched(channel, named);
  expect_untouched(channel, wild);
}

/// Cancels race with arriving messages: each receive either takes the next message or was
/// cancelled, and no message is lost.
void cancel_racing(Channel& channel, int dest, int source, payload::Random& draw) {
  constexpr int kReceives = 40;
  constexpr int kMessages =
      20;  // no more than receives, so that any number of cancels leaves a definite rest
  std::vector<Doomed> receives = post_doomed(channel, kReceives, source, kCancelTag);
  barrier(channel);
  Batch sends(channel);
  for (int i = 0; i < kMessages; ++i) {
    sends.send(dest, kCancelTag);
  }
  cancel_some(channel, receives, draw, false);
  // The rest is cancelled only when every message has had a receive to go to, or waits unexpected.
  barrier(channel);
  int left = kMessages;
  for (Doomed& doomed : receives) {
    if (doomed.request != MPI_REQUEST_NULL) {
      std::vector<Doomed> one;
      one.push_back(std::move(doomed));
      cancel_some(channel, one, draw, true);
      doomed = std::move(one.front());
    }
    if (!doomed.cancelled) {
      channel.verify(channel.claim(doomed.status.MPI_SOURCE, doomed.status.MPI_TAG), doomed.status,
                     doomed.buffer);
      --left;
    }
  }
  for (; left > 0; --left) {
    channel.receive(source, kCancelTag);
  }
  sends.finish(WaitStyle::kAll);
  expect_untouched(channel, receives);
}

}  // namespace

/// MPI_Ssend and MPI_Issend, between all pairs and to self.
void phase_ssend(Run& run, std::uint64_t salt, int round) {
  Channel channel(run, MPI_COMM_WORLD, salt, mixed_sizes((1U << 20U) + 1));
  payload::Random draw(payload::key_of(salt, run.rank, round));
  for (int step = 0; step < channel.peers(); ++step) {
    const int dest = (run.rank + step) % run.ranks;
    const int source = (run.rank + run.ranks - step) % run.ranks;
    for (int i = 0; i < 4; ++i) {
      expect_patience(channel, dest, source);
      blocking_ssend(channel, dest, source);
    }
    mixed_modes(channel, dest, source, draw);
  }
}

/// MPI_Cancel of receives, with nothing to receive and in a race with messages.
void phase_cancel(Run& run, std::uint64_t salt, int round) {
  Channel channel(run, MPI_COMM_WORLD, salt, mixed_sizes(65537));
  payload::Random draw(payload::key_of(salt, run.rank, round));
  for (int step = 0; step < channel.peers(); ++step) {
    const int dest = (run.rank + step) % run.ranks;
    const int source = (run.rank + run.ranks - step) % run.ranks;
    cancel_unmatched(channel, dest, source, draw);
    barrier(channel);
    cancel_racing(channel, dest, source, draw);
    barrier(channel);
  }
}

}  // namespace hammer
