// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>

#include "greeting_model.hpp"

// What the greeting model keeps in order in its states: tokens, and what is under way.
namespace xs::model {

constexpr std::size_t kA = 0;
constexpr std::size_t kB = 1;
constexpr std::uint8_t kForger = 0;  // its incarnation
constexpr std::uint8_t kForgedToken = 1;

// Tokens are random and never used twice; here one that nothing refers to any more is as good.
std::uint8_t fresh_token(GreetingModel::State& state, std::size_t side);

// Sends `message` to the side `to`. A full bag loses it: any message may be lost anyway.
void post(GreetingModel::State& state, std::size_t to, const GreetingModel::Message& message);

// Brings equal states to equal bytes: the order in a bag and the names of tokens mean nothing,
// and what nothing refers to any more is forgotten.
void normalise(GreetingModel::State& state);

}  // namespace xs::model
