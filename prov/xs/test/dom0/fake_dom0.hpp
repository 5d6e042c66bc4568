// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A dom0 with guests whose processes answer, and an xl that does what a test says.
#pragma once
#include <csignal>
#include <sstream>

#include "dom0/ctl/move.hpp"
#include "dom0/ctl/options.hpp"
#include "dom0/ctl/request.hpp"
#include "dom0/ctl/text.hpp"
#include "dom0/fake_machine.hpp"

namespace xs::test {

struct FakeSystem : dom0::System {
  FakeClock* clock = nullptr;
  std::set<std::uint32_t> others;  // pids of other xsctls
  bool has_xl = true;
  int signal = 0;  // that has asked us to end
  std::vector<std::string> ran;
  std::function<dom0::Ended()> xl = [] { return dom0::Ended(); };
  int broken = 0;  // what running xl fails with

  bool has(const std::string& program) override { return has_xl && program == "xl"; }
  util::Result<dom0::Ended> run(const std::vector<std::string>& words) override {
    for (const std::string& word : words) ran.push_back(word);
    if (broken) return util::Error{broken, "it can't be run"};
    return xl();
  }
  int asked_to_end() override { return signal; }
  int descriptor() const override { return -1; }
  std::uint64_t now() override { return clock->now; }
  std::uint32_t pid() override { return 812; }
  bool is_one_of_us(std::uint32_t pid) override { return others.contains(pid); }
  std::uint64_t random() override { return 0x5eed; }
};

// Dom0, and the domains 5 (u1) and 7 (u2).
struct FakeDom0 {
  static constexpr const char* kRequest = "/local/domain/5/data/xs-here/quiesce";
  static constexpr const char* kAsked = "0000000000005eed 812";
  static constexpr const char* kOne = "000000000000000a";
  static constexpr const char* kTwo = "000000000000000b";
  static constexpr const char* kPeer = "000000000000000f";

  FakeClock clock;
  FakeMachine machine;
  FakeSystem system;
  std::ostringstream out, log;

  FakeDom0() {
    machine.clock = system.clock = &clock;
    machine.woken = [this] { return system.signal != 0; };
    machine.add(0, "Domain-0", dom0::State::kRunning);
    machine.add(5, "u1");
    machine.add(7, "u2");
    for (const std::uint32_t id : {5u, 7u}) {
      machine.all.at(id == 5 ? 1 : 2).uuid[0] = static_cast<std::uint8_t>(id);
      machine.nodes[FakeMachine::home(id) + "data"] = "";
      machine.tables[id] = {};
    }
    machine.on_change = [this](const std::string& path) { on_change(path); };
  }
  FakeDom0(const FakeDom0&) = delete;
  FakeDom0& operator=(const FakeDom0&) = delete;

  // A process of domain 5, which answers after so long; with links, if any, in its note until then.
  // Its peers know so long after that.
  static constexpr std::uint64_t kNever = 1'000'000;
  void add_process(const std::string& node, const std::string& pid, std::uint64_t answers_after,
                   const std::string& links = "", std::uint64_t told_after = 0) {
    machine.put(5, node, "xs1 1 f\nI " + pid + '\n' + links);
    answers_[node] = {pid, answers_after, told_after};
  }
  void add_silent(const std::string& node, const std::string& pid) {
    machine.put(5, node, "xs1 1 f\nI " + pid + '\n');
  }
  static std::string note(const std::string& pid, bool paused, bool told = true) {
    return "xs1 1 f\nI " + pid + '\n' + (paused ? "Q 5eed\n" : "") +
           (paused && told ? "T 5eed\n" : "");
  }
  // As xl does it: the domain is another one, here.
  void come_back(std::uint32_t id) {
    machine.add(id, "u1");
    machine.all.back().uuid[0] = 5;
    machine.nodes[FakeMachine::home(id) + "data"] = "";
    machine.tables[id] = {};
    go_away();
    machine.fire(dom0::kNewDomains);
  }
  void go_away() {
    machine.take("/local/domain/5");
    std::erase_if(machine.all, [](const auto& domain) { return domain.id == 5; });
  }
  bool is_asked() { return machine.nodes.contains(kRequest); }

  int run(const std::vector<std::string>& words) {
    const auto options = dom0::parse(words);
    switch (options.action) {
      case dom0::Action::kAbort:
        return dom0::abort_move(options, machine, system, {out, log});
      case dom0::Action::kRestore:
        return dom0::restore(options, machine, system, {out, log});
      default:
        return dom0::move(options, machine, system, {out, log});
    }
  }
  bool said(const std::string& words) const { return out.str().find(words) != std::string::npos; }
  bool complained(const std::string& words) const {
    return log.str().find(words) != std::string::npos;
  }

 private:
  struct Answer {
    std::string pid;
    std::uint64_t after;
    std::uint64_t told_after;
  };
  void on_change(const std::string& path) {
    if (path != kRequest) return;
    for (const auto& [node, answer] : answers_) {
      says(node, answer, answer.after, answer.told_after == 0);
      if (answer.told_after > 0) says(node, answer, answer.after + answer.told_after, true);
    }
  }
  void says(const std::string& node, const Answer& answer, std::uint64_t after, bool told) {
    clock.after(after, [this, node, answer, told] {
      if (machine.nodes.contains("/local/domain/5/data"))
        machine.put(5, node, note(answer.pid, is_asked(), told));
    });
  }
  std::map<std::string, Answer> answers_;
};

}  // namespace xs::test
