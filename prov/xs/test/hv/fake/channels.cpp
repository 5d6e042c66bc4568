// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/fake/channels.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace xs::test {

using util::Error;
using util::Result;

std::size_t FakePorts::count(std::uint32_t domain) const {
  return static_cast<std::size_t>(std::count_if(
      ports_.begin(), ports_.end(), [&](const auto& each) { return each.first.first == domain; }));
}

Result<std::uint32_t> FakePorts::make(std::uint32_t domain, FakeChannels* owner,
                                      std::uint32_t remote_domain) {
  if (count(domain) >= most) return Error{ENOSPC, "no port left"};
  std::uint32_t port = 1;
  while (ports_.contains({domain, port})) ++port;
  ports_[{domain, port}] = {.owner = owner, .remote_domain = remote_domain};
  return port;
}

Result<std::uint32_t> FakePorts::bind(std::uint32_t domain, FakeChannels* owner, Name remote) {
  const auto found = ports_.find(remote);
  if (found == ports_.end() || found->second.remote_port != 0 ||
      found->second.remote_domain != domain)
    return Error{EINVAL, "no such port"};
  auto port = make(domain, owner, remote.first);
  if (!port) return port;
  found->second.remote_port = *port;
  ports_[{domain, *port}].remote_port = remote.second;
  deliver({domain, *port});  // what was rung before may have been lost: Xen rings in any case
  return port;
}

void FakePorts::ring(Name from) {
  const auto found = ports_.find(from);
  if (found == ports_.end() || found->second.remote_port == 0) return;
  deliver({found->second.remote_domain, found->second.remote_port});
}

void FakePorts::deliver(Name to) {
  const auto found = ports_.find(to);
  if (found == ports_.end() || !found->second.owner) return;
  Port& port = found->second;
  if (std::exchange(port.masked, true))
    port.pending = true;
  else
    port.owner->hear(to.second);
}

void FakePorts::let_go(Name name) {
  const auto found = ports_.find(name);
  if (found == ports_.end() || --found->second.holders > 0) return;
  part(name);
  ports_.erase(name);
}

// The other end can be bound again, by anybody in that domain. It isn't told.
void FakePorts::part(Name name) {
  const Port& port = ports_.at(name);
  const auto other = ports_.find({port.remote_domain, port.remote_port});
  if (port.remote_port != 0 && other != ports_.end()) other->second.remote_port = 0;
}

void FakePorts::steal(std::uint32_t domain) {
  std::vector<Name> offered;
  for (const auto& [name, port] : ports_)
    if (port.remote_domain == domain && port.remote_port == 0) offered.push_back(name);
  for (const Name& name : offered) {
    [[maybe_unused]] auto stolen = bind(domain, nullptr, name);
  }
}

void FakePorts::storm(std::uint32_t domain, unsigned times) {
  for (unsigned i = 0; i < times; ++i)
    for (const auto& [name, port] : ports_)
      if (name.first == domain) ring(name);
}

void FakePorts::move(std::uint32_t domain) {
  std::vector<Name> gone;
  for (const auto& [name, port] : ports_)
    if (name.first == domain) gone.push_back(name);
  for (const Name& name : gone) {
    part(name);
    if (FakeChannels* const owner = ports_.at(name).owner) owner->dead_.insert(name.second);
    ports_.erase(name);
  }
}

FakeChannels::FakeChannels(FakePorts& ports, const std::uint32_t& domain, FakeChannels*& place)
    : ports_(ports),
      domain_(domain),
      place_(place),
      readable_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  place_ = this;
}

FakeChannels::~FakeChannels() {
  end();
  if (place_ == this) place_ = nullptr;
  if (!dead_.empty()) ++ports_.crashes;
}

void FakeChannels::end() {
  std::vector<std::uint32_t> own;
  for (auto& [name, port] : ports_.ports_) {
    if (port.owner != this) continue;
    own.push_back(name.second);
    port.owner = nullptr;
  }
  for (const std::uint32_t port : own) ports_.let_go({domain_, port});
}

FakePorts::Port* FakeChannels::find(std::uint32_t port) {
  const auto found = ports_.ports_.find({domain_, port});
  return found == ports_.ports_.end() || found->second.owner != this ? nullptr : &found->second;
}

Result<std::uint32_t> FakeChannels::offer(std::uint32_t domain) noexcept {
  if (!dead_.empty()) ++ports_.crashes;
  return ports_.make(domain_, this, domain);
}

Result<std::uint32_t> FakeChannels::bind(std::uint32_t domain, std::uint32_t port) noexcept {
  if (!dead_.empty()) ++ports_.crashes;
  return ports_.bind(domain_, this, {domain, port});
}

void FakeChannels::close(std::uint32_t port) noexcept {
  if (dead_.contains(port)) ++ports_.crashes;
  if (!find(port)) return;
  find(port)->owner = nullptr;
  ports_.let_go({domain_, port});
}

bool FakeChannels::ring(std::uint32_t port) noexcept {
  ++rings_;
  if (dead_.contains(port)) return true;
  if (!find(port)) return false;
  ports_.ring({domain_, port});
  return true;
}

void FakeChannels::hear(std::uint32_t port) {
  rung_.push_back(port);
  eventfd_write(readable_.get(), 1);
}

// A port that was closed meanwhile may be among them, as in the kernel's.
Result<std::uint32_t> FakeChannels::next() noexcept {
  if (failed_) return Error{EFBIG, "the device fails"};
  if (rung_.empty()) return Error{EAGAIN, "nothing was rung"};
  const std::uint32_t port = rung_.front();
  rung_.pop_front();
  eventfd_t count = 0;
  if (rung_.empty()) eventfd_read(readable_.get(), &count);
  return port;
}

void FakeChannels::unmask(std::uint32_t port) noexcept {
  FakePorts::Port* const found = find(port);
  if (!found || !found->masked) return;
  found->masked = std::exchange(found->pending, false);
  if (found->masked) hear(port);
}

void FakeChannels::fail() {
  failed_ = true;
  eventfd_write(readable_.get(), 1);
}

int FakeChannels::hold(std::uint32_t port) {
  if (!find(port)) return EINVAL;
  ++find(port)->holders;
  return 0;
}

void FakeChannels::ring_and_let_go(std::uint32_t port) {
  if (dead_.contains(port)) ++ports_.crashes;
  ports_.ring({domain_, port});
  ports_.let_go({domain_, port});
}

}  // namespace xs::test
