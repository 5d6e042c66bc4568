// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Phases in which every receive names its source and tag.
#include <algorithm>
#include <array>

#include "../payload.hpp"
#include "batch.hpp"
#include "phases.hpp"

namespace hammer {
namespace {

/// The next rank to exchange with, and the one which exchanges with us, in step `step` of a ring
/// schedule.
int to(const Channel& channel, int step) { return (channel.rank() + step) % channel.peers(); }
int from(const Channel& channel, int step) {
  return (channel.rank() + channel.peers() - step) % channel.peers();
}

/// Sizes which follow from the tag alone.
Sizes sizes_by_tag(std::span<const std::size_t> sizes) {
  return {*std::max_element(sizes.begin(), sizes.end()),
          [sizes](const Envelope& envelope, std::uint64_t) {
            return sizes[static_cast<std::size_t>(envelope.tag)];
          }};
}

struct Step {
  bool is_send;
  int peer;
  int tag;
};

/// The tags of the messages from `source` to `dest`: equal at both ends, few, so that most messages
/// share their tag.
std::vector<int> storm_tags(std::uint64_t salt, int source, int dest) {
  payload::Random plan(payload::key_of(salt, source, dest));
  std::vector<int> tags(8 + plan.below(40));
  std::generate(tags.begin(), tags.end(), [&] { return static_cast<int>(plan.below(5)); });
  return tags;
}

/// Everything this rank does in one storm: sends and receives apart, each in random order.
std::vector<Step> storm_steps(const Channel& channel, payload::Random& draw) {
  std::vector<Step> sends;
  std::vector<Step> receives;
  for (int peer = 0; peer < channel.peers(); ++peer) {
    for (const int tag : storm_tags(channel.salt(), channel.rank(), peer)) {
      sends.push_back({true, peer, tag});
    }
    for (const int tag : storm_tags(channel.salt(), peer, channel.rank())) {
      receives.push_back({false, peer, tag});
    }
  }
  draw.shuffle(sends);
  draw.shuffle(receives);
  receives.insert(receives.end(), sends.begin(), sends.end());
  return receives;
}

void barrier(const Channel& channel) {
  const InFlight flight(channel.run().watchdog, {"barrier"});
  MPI_Barrier(channel.comm());
}

void exchange(Channel& channel, int step, int tag) {
  Batch batch(channel);
  batch.receive_exact(from(channel, step), tag);
  batch.send(to(channel, step), tag);
  batch.finish(WaitStyle::kAll);
}

}  // namespace

/// Every threshold size between every pair, first into posted receives, then all unexpected.
void phase_sizes(Run& run, std::uint64_t salt, int round) {
  const auto sizes = threshold_sizes();
  Channel channel(run, MPI_COMM_WORLD, salt, sizes_by_tag(sizes));
  const int tags = static_cast<int>(sizes.size());
  const bool posted = round % 2 == 0;
  for (int step = 0; step < channel.peers(); ++step) {
    Batch batch(channel);
    for (int tag = 0; tag < tags; ++tag) {
      posted ? batch.receive_exact(from(channel, step), tag) : batch.send(to(channel, step), tag);
    }
    barrier(channel);
    for (int tag = 0; tag < tags; ++tag) {
      posted ? batch.send(to(channel, step), tag) : batch.receive_exact(from(channel, step), tag);
    }
    batch.finish(WaitStyle::kAll);
  }
}

/// Many non-blocking sends and receives in all directions with barriers between: receives first,
/// sends first, mixed, and in many small waves, by round.
void phase_storm(Run& run, std::uint64_t salt, int round) {
  Channel channel(run, MPI_COMM_WORLD, salt, mixed_sizes((1U << 20U) + 1));
  payload::Random draw(payload::key_of(salt, run.rank, round));
  std::vector<Step> steps = storm_steps(channel, draw);
  const int variant = round % 4;
  if (variant == 1) {
    std::reverse(steps.begin(), steps.end());
  } else if (variant >= 2) {
    draw.shuffle(steps);
  }
  const std::size_t waves = variant == 3 ? 8 : 2;
  Batch batch(channel);
  for (std::size_t wave = 0; wave < waves; ++wave) {
    for (std::size_t i = steps.size() * wave / waves; i < steps.size() * (wave + 1) / waves; ++i) {
      const Step& step = steps[i];
      step.is_send ? batch.send(step.peer, step.tag) : batch.receive_exact(step.peer, step.tag);
    }
    barrier(channel);
  }
  batch.finish(static_cast<WaitStyle>(draw.below(4)));
  barrier(channel);
}

/// Hundreds of messages outstanding per pair, most of them large, received one by one in an order
/// which has nothing to do with the order sent.
void phase_reorder(Run& run, std::uint64_t salt, int /*round*/) {
  constexpr int kMessages = 300;
  const Sizes large{200'000, [](const Envelope&, std::uint64_t random) {
                      return std::size_t{1000} +
                             (random % 4 == 0 ? random / 4 % 7000 : random / 4 % 190'000);
                    }};
  Channel channel(run, MPI_COMM_WORLD, salt, large);
  Batch sends(channel);
  std::vector<Step> receives;
  for (int tag = 0; tag < kMessages; ++tag) {
    for (int step = 0; step < channel.peers(); ++step) {
      sends.send(to(channel, step), tag);
      receives.push_back({false, from(channel, step), tag});
    }
  }
  barrier(channel);
  payload::Random draw(payload::key_of(salt, run.rank));
  draw.shuffle(receives);
  for (const Step& receive : receives) {
    channel.receive(receive.peer, receive.tag);
  }
  sends.finish(WaitStyle::kAll);
}

/// Up to tens of MiB, between all pairs, both directions at once, two of the sizes in each of four
/// rounds; and several such messages outstanding.
void phase_large(Run& run, std::uint64_t salt, int round) {
  constexpr int kRounds = 4;
  constexpr int kTogether = 5;
  constexpr std::size_t kMi = 1U << 20U;
  static constexpr std::array<std::size_t, 8> kSizes = {
      kMi - 1, kMi, kMi + 1, 2 * kMi + 3, 4 * kMi - 5, 9 * kMi + 13, 16 * kMi + 1, 40 * kMi + 7};
  Channel channel(run, MPI_COMM_WORLD, salt, sizes_by_tag(kSizes));
  for (int step = 0; step < channel.peers(); ++step) {
    for (int tag = round % kRounds; tag < static_cast<int>(kSizes.size()); tag += kRounds) {
      exchange(channel, step, tag);
    }
    Batch together(channel);
    for (int tag = 0; tag < kTogether; ++tag) {
      together.send(to(channel, step), tag);
    }
    for (int tag = kTogether - 1; tag >= 0; --tag) {
      together.receive_exact(from(channel, step), tag);
    }
    together.finish(WaitStyle::kAny);
  }
}

}  // namespace hammer
