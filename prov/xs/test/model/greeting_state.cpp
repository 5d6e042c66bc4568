// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "greeting_state.hpp"

#include <algorithm>
#include <cstring>

namespace xs::model {
namespace {

using Model = GreetingModel;

// An incarnation has the tokens incarnation * kTokens + [0, kTokens).
constexpr std::uint8_t kTokens = 6;

bool knows(const Model::Session& session, std::uint8_t token) {
  return session.mine == token || session.theirs == token;
}

bool knows(const Model::Endpoint& end, std::uint8_t token) {
  return knows(end.session, token) ||
         std::any_of(end.candidates.items, end.candidates.items + end.candidates.size,
                     [&](const auto& session) { return knows(session, token); });
}

bool travels(const Model::State& state, std::uint8_t token) {
  for (const auto& bag : state.bags) {
    for (std::size_t i = 0; i < bag.size; ++i) {
      if (bag.items[i].token == token || bag.items[i].from == token) return true;
    }
  }
  return false;
}

bool in_use(const Model::State& state, std::uint8_t token) {
  return travels(state, token) || knows(state.ends[kA], token) || knows(state.ends[kB], token);
}

// A candidate whose token nobody can have read any more will never open.
void drop_hopeless_candidates(Model::State& state, std::size_t side) {
  auto& candidates = state.ends[side].candidates;
  for (std::size_t i = candidates.size; i-- != 0;) {
    const std::uint8_t token = candidates.items[i].mine;
    if (!travels(state, token) && !knows(state.ends[1 - side], token)) candidates.take(i);
  }
}

// An ended session is remembered only as long as it can be asked for.
void drop_needless_ends(Model::State& state, std::size_t side) {
  auto& ended = state.ends[side].ended;
  for (std::size_t i = ended.size; i-- != 0;) {
    if (!in_use(state, ended.items[i].mine)) ended.take(i);
  }
}

// Gives every token the first free name in the order in which the state mentions them.
class Renamer {
 public:
  void operator()(std::uint8_t& token) {
    if (token <= kForgedToken) return;
    const std::uint8_t incarnation = token / kTokens;
    if (names_[token] == 0) {
      names_[token] = static_cast<std::uint8_t>(incarnation * kTokens + used_[incarnation]++);
    }
    token = names_[token];
  }
  void operator()(Model::Session& session) {
    (*this)(session.mine);
    (*this)(session.theirs);
  }

 private:
  std::uint8_t names_[4 * kTokens] = {};
  std::uint8_t used_[4] = {};
};

void sort_bags(Model::State& state) {
  for (auto& bag : state.bags) {
    std::sort(bag.items, bag.items + bag.size,
              [](const Model::Message& a, const Model::Message& b) {
                return std::memcmp(&a, &b, sizeof a) < 0;
              });
  }
}

}  // namespace

std::uint8_t fresh_token(Model::State& state, std::size_t side) {
  const std::uint8_t first = static_cast<std::uint8_t>(state.ends[side].incarnation * kTokens);
  for (std::uint8_t token = first; token < first + kTokens; ++token) {
    if (!in_use(state, token)) return token;
  }
  state.broken = Model::Broken::kTooSmall;
  return first;
}

void post(Model::State& state, std::size_t to, const Model::Message& message) {
  auto& bag = state.bags[to];
  if (!bag.full() && !bag.holds(message)) bag.push(message);
}

void normalise(Model::State& state) {
  for (const std::size_t side : {kA, kB}) {
    drop_hopeless_candidates(state, side);
    drop_needless_ends(state, side);
  }
  sort_bags(state);
  Renamer rename;
  for (auto& end : state.ends) {
    rename(end.session);
    for (std::size_t i = 0; i < end.candidates.size; ++i) rename(end.candidates.items[i]);
  }
  for (auto& bag : state.bags) {
    for (std::size_t i = 0; i < bag.size; ++i) {
      rename(bag.items[i].token);
      rename(bag.items[i].from);
    }
  }
  for (auto& end : state.ends) {
    for (std::size_t i = 0; i < end.ended.size; ++i) {
      rename(end.ended.items[i].mine);
      rename(end.ended.items[i].theirs);
    }
  }
  sort_bags(state);
}

}  // namespace xs::model
