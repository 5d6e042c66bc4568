// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/fake/network.hpp"

#include <algorithm>

#include "sim/fake/connection.hpp"

namespace xs::sim {

proto::Address FakeNetwork::address(unsigned host, std::uint16_t port) noexcept {
  proto::Address made;
  made.family = 4;
  made.port = port;
  made.ip[0] = std::byte{10};
  made.ip[3] = static_cast<std::byte>(host);
  return made;
}

unsigned FakeNetwork::host_of(const proto::Address& address) noexcept {
  return std::to_integer<unsigned>(address.ip[3]);
}

FakeEndpoint* FakeNetwork::listener(const proto::Address& address) noexcept {
  const auto found = listeners_.find(address);
  return found == listeners_.end() ? nullptr : found->second;
}

bool FakeNetwork::listen(const proto::Address& address, FakeEndpoint& endpoint) noexcept {
  return listeners_.emplace(address, &endpoint).second;
}

std::uint16_t FakeNetwork::free_port(unsigned host) noexcept {
  for (unsigned offset = 0;; ++offset) {
    const auto port = static_cast<std::uint16_t>(
        kEphemeral + (offset < 64 ? dice_.below(habits_.ports) : habits_.ports + offset));
    if (!listener(address(host, port))) return port;
  }
}

Nanoseconds FakeNetwork::arrival(unsigned from, unsigned to, Nanoseconds first) noexcept {
  if (gone(from) || gone(to)) return util::kNever;
  const Nanoseconds latency = dice_.between(habits_.latency_low, habits_.latency_high);
  const auto parted = parted_.find(std::minmax(from, to));
  if (parted == parted_.end() || now_ >= parted->second.until) return now_ + latency;
  const Nanoseconds until = parted->second.until;
  if (parted->second.again == Again::kAtOnce) return until + latency;
  Nanoseconds leaves = now_;
  for (Nanoseconds pause = first; leaves < until; pause *= 2) leaves += pause;
  return leaves + latency;
}

void FakeNetwork::part(unsigned a, unsigned b, Nanoseconds until, Again again) noexcept {
  parted_[std::minmax(a, b)] = {until, again};
}

std::vector<std::shared_ptr<Connection>> FakeNetwork::connections() noexcept {
  std::vector<std::shared_ptr<Connection>> live;
  std::erase_if(connections_, [&](const auto& each) {
    auto connection = each.lock();
    if (!connection) return true;
    if (connection->established()) live.push_back(std::move(connection));
    return false;
  });
  return live;
}

void FakeNetwork::add(const std::shared_ptr<Connection>& connection) noexcept {
  connections_.push_back(connection);
}

}  // namespace xs::sim
