// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "path_state.hpp"

namespace xs::model {

using Model = PathModel;

bool reads(const Model::State& state) {
  const Model::Side& reader = state.sides[Model::kReader];
  return reader.maps && reader.path != Model::Path::kLeaving;
}

bool publish(Model::State& state) {
  Model::Ring& ring = ring_of(state, Model::kReader);
  const bool moves = ring.consumed != ring.taken;
  ring.consumed = ring.taken;
  return moves;
}

bool threw_away(const Model::State& state) {
  const Model::Side& writer = state.sides[Model::kWriter];
  const Model::Side& reader = state.sides[Model::kReader];
  if (!writer.dead || !state.writing) return false;
  const Model::Ring& ring = ring_of(state, Model::kWriter);
  const bool looks = reader.epoch == writer.epoch && reader.maps;
  return !looks && ring.frames == Model::View::kLive && state.next < ring.first + ring.put;
}

void die(Model::State& state, Model::Who who) {
  state.sides[who].dead = true;
  state.controls[other(who)] = {};
  if (who == Model::kWriter) {
    state.ack = {};
  } else {
    state.frames = 0;
    state.ping = {};
  }
  forget_epochs(state);
}

void forget_epochs(Model::State& state) {
  for (std::uint8_t epoch = 1; epoch <= Model::kMostEpochs; ++epoch) {
    const bool in_hand = state.sides[0].epoch == epoch || state.sides[1].epoch == epoch;
    if (!in_hand) state.rings[epoch - 1] = {};
  }
}

}  // namespace xs::model
