// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "contract/inner_contract.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace xs::test {

using carrier::InnerAddress;
using carrier::InnerCompletion;
using carrier::InnerOperation;
using carrier::Posted;
using carrier::ProbeState;

Bytes pattern(std::size_t size, unsigned seed) {
  Bytes bytes(size);
  std::uint32_t state = seed * 2654435761u + 12345u;
  for (std::byte& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

bool Side::poll() {
  std::array<InnerCompletion, 16> ended;
  const std::size_t count = endpoint_ ? endpoint_->poll(ended) : 0;
  ends_.insert(ends_.end(), ended.begin(), ended.begin() + count);
  return count > 0;
}

Side::Transfer& Side::keep(Bytes bytes) {
  return *transfers_.emplace_back(std::make_unique<Transfer>(std::move(bytes)));
}

Side::Transfer& Side::receive(std::size_t size) {
  Transfer& made = keep(Bytes(size));
  EXPECT_EQ(endpoint_->receive(made.bytes.data(), size, made), Posted::kOk);
  return made;
}

Side::Transfer& Side::tagged_receive(std::uint64_t tag, std::size_t size) {
  Transfer& made = keep(Bytes(size));
  const struct iovec iov = made.iov();
  EXPECT_EQ(endpoint_->tagged_receive(tag, {&iov, 1}, made), Posted::kOk);
  return made;
}

const InnerCompletion* Side::end_of(const InnerOperation& operation) const {
  const auto is_it = [&](const InnerCompletion& end) { return end.operation == &operation; };
  const auto found = std::find_if(ends_.begin(), ends_.end(), is_it);
  return found == ends_.end() ? nullptr : &*found;
}

Side& InnerContract::open(const proto::Address& at) {
  auto opened = provider().open(at);
  EXPECT_TRUE(opened) << opened.error().what << ": " << opened.error().code;
  return *sides_.emplace_back(std::make_unique<Side>(std::move(*opened)));
}

InnerAddress InnerContract::number(Side& from, Side& to) {
  auto number = from->insert(to->name());
  EXPECT_TRUE(number);
  return *number;
}

bool InnerContract::move_on() {
  bool moved = false;
  for (const auto& side : sides_) moved |= side->poll();
  if (!moved) world_->pass();
  return moved;
}

bool InnerContract::until(const std::function<bool()>& condition) {
  const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > late) return false;
    move_on();
  }
  return true;
}

void InnerContract::settle() {
  for (int quiet = 0; quiet < 300;) quiet += move_on() ? 0 : 1;
}

Side::Transfer& InnerContract::send(Side& from, InnerAddress to, Bytes bytes) {
  Side::Transfer& made = from.keep(std::move(bytes));
  const struct iovec iov = made.iov();
  EXPECT_TRUE(until([&] { return from->send(to, {&iov, 1}, made) == Posted::kOk; }));
  return made;
}

Side::Transfer& InnerContract::tagged_send(Side& from, InnerAddress to, std::uint64_t tag,
                                           Bytes bytes) {
  Side::Transfer& made = from.keep(std::move(bytes));
  const struct iovec iov = made.iov();
  EXPECT_TRUE(until([&] { return from->tagged_send(to, tag, {&iov, 1}, made) == Posted::kOk; }));
  return made;
}

bool InnerContract::exchange(Side& from, Side& to, std::size_t size) {
  const Bytes bytes = pattern(size, static_cast<unsigned>(size));
  const Side::Transfer& receive = to.receive(size);
  const Side::Transfer& sent = send(from, number(from, to), bytes);
  if (!until([&] { return from.end_of(sent) && to.end_of(receive); })) return false;
  const InnerCompletion& end = *to.end_of(receive);
  return end.error == 0 && end.length == size && receive.bytes == bytes &&
         from.end_of(sent)->error == 0;
}

std::unique_ptr<carrier::Probe> InnerContract::probe(const proto::Address& address) {
  constexpr std::uint64_t kTimeout = 1'000'000'000;  // ns
  auto started = provider().probe(address, kTimeout);
  EXPECT_TRUE(started);
  return std::move(*started);
}

ProbeState InnerContract::result_of(carrier::Probe& probe) {
  const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  ProbeState state = probe.poll();
  while (state == ProbeState::kWaiting && std::chrono::steady_clock::now() < late) {
    world_->pass();
    state = probe.poll();
  }
  return state;
}

}  // namespace xs::test
