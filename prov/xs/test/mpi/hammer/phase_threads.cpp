// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// MPI_THREAD_MULTIPLE: several threads of each rank in MPI at once.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "../payload.hpp"
#include "batch.hpp"
#include "phases.hpp"

namespace hammer {
namespace {

constexpr int kMessages = 40;       ///< per thread and peer in one burst
constexpr int kTagsOfThread = 100;  ///< thread t uses the tags from 100 t

/// Bursts in all directions under the thread's own tags, on a communicator that all threads use.
void burst(Channel& channel, int thread, payload::Random& draw, bool posted) {
  std::vector<std::pair<int, int>> items;  // peer, tag: the same multiset for sends and receives
  for (int peer = 0; peer < channel.peers(); ++peer) {
    for (int i = 0; i < kMessages; ++i) {
      items.emplace_back(peer, thread * kTagsOfThread + i % 3);
    }
  }
  Batch batch(channel);
  for (const bool receive : {posted, !posted}) {
    draw.shuffle(items);
    for (const auto& [peer, tag] : items) {
      receive ? batch.receive_exact(peer, tag) : batch.send(peer, tag);
    }
  }
  batch.finish(static_cast<WaitStyle>(draw.below(4)));
}

/// Blocking messages around the ring, one after the other: a thread blocks in MPI while others
/// work.
void relay(Channel& channel, int thread) {
  const int next = (channel.rank() + 1) % channel.peers();
  const int before = (channel.rank() + channel.peers() - 1) % channel.peers();
  const int tag = thread * kTagsOfThread + 50;
  for (int i = 0; i < kMessages; ++i) {
    Batch send(channel);
    send.send(next, tag);
    channel.receive(before, tag);
    send.finish(WaitStyle::kAll);
  }
}

/// Wild receives on the thread's own communicator.
void wild(Channel& channel) {
  Batch batch(channel);
  for (int i = 0; i < kMessages * channel.peers(); ++i) {
    batch.receive_wild(MPI_ANY_SOURCE, MPI_ANY_TAG);
  }
  for (int i = 0; i < kMessages * channel.peers(); ++i) {
    batch.send(i % channel.peers(), i % 5);
  }
  batch.finish(WaitStyle::kAll);
}

/// All threads of a rank take messages from one communicator by mprobe. Each message has its own
/// tag, since the order in which threads claim isn't the order in which they matched.
class SharedProbes {
 public:
  SharedProbes(Run& run, MPI_Comm comm, std::uint64_t salt)
      : channel_(run, comm, salt, mixed_sizes(65537)) {
    left_ = run.threads * kMessages * channel_.peers();
  }

  void work(int thread) {
    Batch sends(channel_);
    {
      const std::lock_guard lock(mutex_);
      for (int i = 0; i < kMessages * channel_.peers(); ++i) {
        sends.send(i % channel_.peers(), thread * kMessages + i / channel_.peers());
      }
    }
    while (left_.fetch_sub(1) > 0) {
      take_one();
    }
    sends.finish(WaitStyle::kAll);
  }

 private:
  void take_one() {
    MPI_Message handle;
    MPI_Status status;
    const InFlight flight(channel_.run().watchdog,
                          {"mprobe of a thread", MPI_ANY_SOURCE, MPI_ANY_TAG});
    MPI_Mprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, channel_.comm(), &handle, &status);
    Buffer buffer(channel_.most());
    MPI_Mrecv(buffer.data(), buffer.capacity(), MPI_BYTE, &handle, &status);
    const std::lock_guard lock(mutex_);
    channel_.verify(channel_.claim(status.MPI_SOURCE, status.MPI_TAG), status, buffer);
  }

  std::mutex
      mutex_;  ///< the channel's counters; MPI itself is called without it, except to start sends
  Channel channel_;
  std::atomic<int> left_;
};

}  // namespace

void phase_threads(Run& run, std::uint64_t salt, int round) {
  std::vector<MPI_Comm> own(static_cast<std::size_t>(run.threads));
  for (MPI_Comm& comm : own) {
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  }
  MPI_Comm probed = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &probed);
  SharedProbes probes(run, probed, payload::key_of(salt, -1));
  const auto work = [&](int thread) {
    payload::Random draw(payload::key_of(salt, run.rank, thread));
    Channel common(run, MPI_COMM_WORLD, salt, mixed_sizes(65537));
    Channel alone(run, own[static_cast<std::size_t>(thread)], payload::key_of(salt, thread),
                  mixed_sizes(65537));
    burst(common, thread, draw, (round + thread) % 2 == 0);
    relay(common, thread);
    wild(alone);
    probes.work(thread);
  };
  std::vector<std::thread> threads;
  for (int thread = 0; thread < run.threads; ++thread) {
    threads.emplace_back(work, thread);
  }
  std::for_each(threads.begin(), threads.end(), [](std::thread& thread) { thread.join(); });
  MPI_Comm_free(&probed);
  for (MPI_Comm& comm : own) {
    MPI_Comm_free(&comm);
  }
}

}  // namespace hammer
