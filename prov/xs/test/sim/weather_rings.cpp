// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What befalls shared memory: links, mappings, places.
#include <cerrno>

#include "sim/world.hpp"

namespace xs::sim {

using hv::Loss;
using util::kMillisecond;

namespace {
constexpr std::uint64_t kMostStrikes = 2000;  // looks at clocks
}

// At once, or while somebody is at work.
void World::blow_on_rings() {
  const Nanoseconds mean = scenario_.stormy / (scenario_.ring_events + 1);
  next_ring_event_ = network_.now() + 1 + ring_dice_.below(2 * mean + 1);
  if (network_.now() - began_ > scenario_.stormy) return;
  ++tally_.faults;
  if (ring_dice_.percent(50)) return hurt_rings();
  machine_.at_strike(1 + ring_dice_.below(kMostStrikes), [this] {
    if (stormy_) hurt_rings();
  });
}

void World::hurt_rings() {
  if (ring_dice_.percent(50)) return hurt_mapping();
  if (!machine_.backends().empty()) hurt_place(*ring_dice_.pick(machine_.backends()));
}

void World::hurt_mapping() {
  if (machine_.mappings().empty()) return;
  FakeMapping& mapping = *ring_dice_.pick(machine_.mappings());
  const Sight sight = ring_dice_.pick({Sight::kFrozen, Sight::kOnes});
  const char* const what = sight == Sight::kOnes ? "turns to ones" : "freezes";
  if (ring_dice_.percent(40)) {
    judge_.trace("what %u sees of %u %s", mapping.reader(), mapping.owner(), what);
    return mapping.turn(sight);
  }
  const std::size_t page = ring_dice_.below(mapping.pages());
  judge_.trace("what %u sees of %u %s when page %zu is read", mapping.reader(), mapping.owner(),
               what, page);
  constexpr std::uint64_t kMostLater = 400;
  mapping.set_trap(page, sight,
                   mode_.fine ? static_cast<unsigned>(ring_dice_.below(kMostLater)) : 0);
}

// Others come or go.
void World::tighten(FakeHv& place) {
  constexpr std::uint64_t kMostPages = 60;
  const std::size_t pages = ring_dice_.below(kMostPages);
  judge_.trace("%u may share %zu pages", place.number(), pages);
  place.set_budget(pages);
}

void World::hurt_place(FakeHv& place) {
  if (mode_.tight && ring_dice_.percent(50)) return tighten(place);
  const auto until = network_.now() + ring_dice_.between(1, 100) * kMillisecond;
  switch (ring_dice_.below(9)) {
    case 0:
    case 1:
    case 2: {
      if (place.links().empty()) return;
      const Loss why = ring_dice_.pick({Loss::kGone, Loss::kFault, Loss::kExhausted, Loss::kMoved});
      judge_.trace("%u loses a link for reason %d", place.number(), static_cast<int>(why));
      return ring_dice_.pick(place.links())->lose(why);
    }
    case 3:
    case 4:
      return move_process(place);
    case 5: {
      const int error = ring_dice_.pick({EAGAIN, ENOMEM, EMFILE});
      judge_.trace("%u lacks something (%d)", place.number(), error);
      return place.lack(error, until);
    }
    case 6:
      judge_.trace("%u is told nothing", place.number());
      return place.delay(until);
    case 7:
      judge_.trace("%u hears bells", place.number());
      return place.jingle();
    default:
      machine_.habits().deaf_percent = ring_dice_.pick({0u, 30u, 100u});
      judge_.trace("%u%% of bells are not heard", machine_.habits().deaf_percent);
  }
}

void World::move_process(FakeHv& place) {
  const bool stays = ring_dice_.percent(30);
  const unsigned host = stays ? place.host() : static_cast<unsigned>(ring_dice_.between(1, 4));
  const Sight seen = ring_dice_.pick({Sight::kOnes, Sight::kFrozen});
  const Sight shown = ring_dice_.pick({Sight::kOnes, Sight::kFrozen});
  judge_.trace("%u moves to place %u", place.number(), host);
  ++tally_.moves;
  place.move(host, seen, shown);
}

}  // namespace xs::sim
