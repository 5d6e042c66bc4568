// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "worker/idle_peers.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

namespace xs::bench {
namespace {

constexpr std::uint64_t kQuestionTag = 3;
constexpr std::uint64_t kAnswerTag = 4;
constexpr std::uint64_t kTurns = 300;     // providers that change their path do it far sooner
constexpr unsigned kSettlePasses = 2000;  // with nothing to say: for acknowledgements and the like

// A question is the address of who asks. As long as any of them.
using Question = std::array<char, 256>;

void ask(FabricLink& idle) {
  Question question = {};
  std::ranges::copy(idle.address(), question.begin());
  for (std::uint64_t turn = 1; turn <= kTurns; ++turn) {
    idle.post_receive(nullptr, 0, kAnswerTag);
    idle.post_send(question.data(), question.size(), kQuestionTag);
    idle.wait_received(turn);
    idle.wait_sent(turn);
  }
}

// Whoever asks is the only one that does: the next one begins when this one has all its answers.
void answer(FabricLink& main) {
  Question question = {};
  fi_addr_t asker = FI_ADDR_UNSPEC;
  main.reset_counts();
  for (std::uint64_t turn = 1; turn <= kTurns; ++turn) {
    main.post_receive_from(asker, question.data(), question.size(), kQuestionTag);
    main.wait_received(turn);
    if (turn == 1) asker = main.add({question.data(), question.size()});
    main.post_send_to(asker, nullptr, 0, kAnswerTag);
    main.wait_sent(turn);
  }
}

// xs takes some 20 of them for an endpoint and for what its peer has of it.
void raise_descriptor_limit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

IdlePeers::IdlePeers(const std::string& provider, unsigned count) {
  if (count > 0) raise_descriptor_limit();
  for (unsigned i = 0; i < count; ++i) links_.emplace_back(provider, false);
}

// By turns, since a call that has to be tried again may need progress of the other side's main
// endpoint, and makes none of our own.
void IdlePeers::meet(FabricLink& main, const std::string& peer, bool asks_first) {
  if (asks_first) ask_all(peer);
  answer_all(main);
  if (!asks_first) ask_all(peer);
  settle(main);
}

void IdlePeers::close(FabricLink main) {
  links_.push_back(std::move(main));
  std::vector<std::jthread> closers;
  for (FabricLink& link : links_)
    closers.emplace_back([&link] { const FabricLink closed(std::move(link)); });
}

void IdlePeers::ask_all(const std::string& peer) {
  for (FabricLink& idle : links_) {
    idle.connect(peer);
    ask(idle);
  }
}

void IdlePeers::answer_all(FabricLink& main) const {
  for (std::size_t i = 0; i < links_.size(); ++i) answer(main);
}

void IdlePeers::settle(FabricLink& main) {
  if (links_.empty()) return;
  for (unsigned pass = 0; pass < kSettlePasses; ++pass) {
    main.progress();
    for (FabricLink& idle : links_) idle.progress();
  }
}

}  // namespace xs::bench
