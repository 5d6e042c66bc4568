// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the path model does with its state, whatever the rules.
#pragma once

#include "path_model.hpp"

namespace xs::model {

// The ring of the epoch that this side has in hand.
inline PathModel::Ring& ring_of(PathModel::State& state, PathModel::Who who) {
  return state.rings[state.sides[who].epoch - 1];
}
inline const PathModel::Ring& ring_of(const PathModel::State& state, PathModel::Who who) {
  return state.rings[state.sides[who].epoch - 1];
}

inline PathModel::Who other(PathModel::Who who) {
  return who == PathModel::kWriter ? PathModel::kReader : PathModel::kWriter;
}

inline std::uint8_t seen_put(const PathModel::Ring& ring) {
  return ring.frames == PathModel::View::kLive ? ring.put : ring.seen_put;
}
inline std::uint8_t seen_count(const PathModel::Ring& ring) {
  return ring.count == PathModel::View::kLive ? ring.consumed : ring.seen_count;
}

// Whether R takes frames from a ring, and counts them for W.
bool reads(const PathModel::State& state);
bool publish(PathModel::State& state);  // true: there was something to count
// A writer died, and frames that stand in its sound ring will never be looked at.
bool threw_away(const PathModel::State& state);
void die(PathModel::State& state, PathModel::Who who);
// Forgets the regions of epochs that nobody has in hand, so that equal states are equal.
void forget_epochs(PathModel::State& state);

}  // namespace xs::model
