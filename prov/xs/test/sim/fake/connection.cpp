// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/fake/connection.hpp"

#include <algorithm>

namespace xs::sim {

Pieces::Pieces(std::span<const struct iovec> iov) noexcept
    : count_(std::min(iov.size(), iov_.size())) {
  for (std::size_t i = 0; i < count_; ++i) {
    iov_[i] = iov[i];
    size_ += iov[i].iov_len;
  }
}

void cut(FakeNetwork& network, End& end, Cut how) noexcept {
  if (how == Cut::kNothing) return;
  const std::size_t kept =
      how == Cut::kAll ? 0 : network.dice().below(end.arriving.size() + 1);
  end.arriving.erase(end.arriving.begin() + static_cast<std::ptrdiff_t>(kept), end.arriving.end());
}

namespace {
// When news of the end of a connection get to that end.
Nanoseconds news(FakeNetwork& network) noexcept {
  const Habits& habits = network.habits();
  return network.now() + network.dice().between(0, 3 * habits.latency_high);
}
}  // namespace

void reset(FakeNetwork& network, Connection& connection) noexcept {
  connection.broken = true;
  for (End& end : connection.ends) {
    cut(network, end, network.dice().pick({Cut::kNothing, Cut::kSome, Cut::kSome, Cut::kAll}));
    end.ends_at = std::min(end.ends_at, news(network));
    network.observer().arrives(end.process, end.ends_at);
  }
}

void half_open(FakeNetwork& network, Connection& connection, unsigned knowing,
               bool dark) noexcept {
  network.note_half_dead();
  connection.broken = true;
  connection.dark = dark;
  for (End& end : connection.ends)
    cut(network, end, network.dice().pick({Cut::kNothing, Cut::kSome, Cut::kAll}));
  End& end = connection.ends[knowing];
  end.ends_at = std::min(end.ends_at, news(network));
  network.observer().arrives(end.process, end.ends_at);
}

void darken(FakeNetwork& network, Connection& connection) noexcept {
  network.note_half_dead();
  connection.broken = true;
  connection.dark = true;
  for (End& end : connection.ends)
    cut(network, end, network.dice().pick({Cut::kNothing, Cut::kSome, Cut::kAll}));
}

void slow_down(FakeNetwork& network, Connection& connection, Nanoseconds by) noexcept {
  for (End& end : connection.ends) {
    for (Stretch& stretch : end.arriving) stretch.arrives += by;
    end.last_arrival = std::max(end.last_arrival, network.now()) + by;
    network.observer().arrives(end.process, end.last_arrival);
  }
}

}  // namespace xs::sim
