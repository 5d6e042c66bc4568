// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What tools/callgrind counts: small messages between two processes that take turns, so that
// nothing is counted but work that finds something to do.
//
//   xs-bench-count counted|other PROVIDER    stdin and stdout: the other process
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/failure.hpp"
#include "worker/fabric_link.hpp"

using xs::bench::FabricLink;
using xs::bench::Failure;

namespace {

constexpr int kWarmUp = 3000;
constexpr int kRounds = 200;
constexpr int kBatch = 16;
constexpr std::size_t kBytes = 8;
constexpr std::uint64_t kTag = 1;

std::array<char, kBytes> out;
std::array<std::array<char, kBytes>, kBatch> in;

void say(const void* bytes, std::size_t size) {
  if (write(STDOUT_FILENO, bytes, size) != static_cast<ssize_t>(size)) throw Failure("write");
}
void hear(void* bytes, std::size_t size) {
  for (std::size_t got = 0; got < size;) {
    const ssize_t more = read(STDIN_FILENO, static_cast<char*>(bytes) + got, size - got);
    if (more <= 0) throw Failure("the other process is gone");
    got += static_cast<std::size_t>(more);
  }
}
void your_turn() { say("", 1); }
void my_turn() {
  char nothing;
  hear(&nothing, 1);
}

void meet(FabricLink& link) {
  std::string name = link.address();
  name.resize(256);
  const std::size_t length = link.address().size();
  say(&length, sizeof length);
  say(name.data(), name.size());
  std::size_t peer_length = 0;
  hear(&peer_length, sizeof peer_length);
  hear(name.data(), name.size());
  link.connect(name.substr(0, peer_length));
}

void warm_up(FabricLink& link, bool first) {
  for (std::uint64_t i = 1; i <= kWarmUp; ++i) {
    link.post_receive(in[0].data(), kBytes, kTag);
    if (first) link.post_send(out.data(), kBytes, kTag);
    link.wait_received(i);
    if (!first) link.post_send(out.data(), kBytes, kTag);
    link.wait_sent(i);
  }
  link.reset_counts();
}

void post_receives(FabricLink& link) {
  for (auto& each : in) link.post_receive(each.data(), kBytes, kTag);
}
void post_sends(FabricLink& link) {
  for (int i = 0; i < kBatch; ++i) link.post_send(out.data(), kBytes, kTag);
}

}  // namespace

// By these names callgrind knows them.
extern "C" {
[[gnu::noinline]] void xs_count_sends(FabricLink& link) {
  post_sends(link);
  link.wait_sent(kBatch);
}
[[gnu::noinline]] void xs_count_receives(FabricLink& link) {
  post_receives(link);
  link.wait_received(kBatch);
}
}

namespace {

void be_counted(FabricLink& link) {
  for (int round = 0; round < kRounds; ++round) {
    my_turn();
    xs_count_sends(link);
    your_turn();
    my_turn();
    xs_count_receives(link);
    link.reset_counts();
  }
  your_turn();
}

void be_the_other(FabricLink& link) {
  for (int round = 0; round < kRounds; ++round) {
    post_receives(link);
    your_turn();
    my_turn();
    link.wait_received(kBatch);
    post_sends(link);
    your_turn();
    link.wait_sent(kBatch);
    link.reset_counts();
  }
  my_turn();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return EXIT_FAILURE;
  try {
    const bool counted = std::string(arguments[1]) == "counted";
    FabricLink link(arguments[2], false);
    meet(link);
    warm_up(link, counted);
    counted ? be_counted(link) : be_the_other(link);
    if (counted) fprintf(stderr, "messages %d\n", kRounds * kBatch);
  } catch (const Failure& failure) {
    fprintf(stderr, "xs-bench-count: %s\n", failure.what());
    return EXIT_FAILURE;
  }
}
