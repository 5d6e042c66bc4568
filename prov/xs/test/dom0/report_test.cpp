// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "dom0/ctl/text.hpp"
#include "dom0/fake_machine.hpp"

namespace xs::test {

namespace {

using dom0::State;

// A pair with rings, one that is meeting, a zombie, strange nodes.
FakeMachine example() {
  FakeMachine machine;
  machine.add(0, "Domain-0", State::kRunning);
  machine.add(1, "u1");
  machine.add(2, "u2");
  machine.add(7, "", State::kDying);
  machine.put(1, "000000000000000a",
              "xs1 1 f\nI 19c\nL 2 8\nP 000000000000000b 5 7\nP 000000000000000c 6 0\nR 12 0\n");
  machine.put(2, "000000000000000b",
              "xs1 3 f\nI 7b\nL 1 8\nL 7 9\nP 000000000000000a 7 5\nR 102\n");
  machine.put(2, "000000000000000d", "xs1 1 f\n");
  machine.put(2, "what", "");
  machine.tables[1] = {{{0, 30, 4, 30}, {2, 19, 19, 19}}, 2, 64};
  machine.tables[7] = {{{2, 18, 18, 17}}, 1, 64};
  return machine;
}

std::string text_of(FakeMachine machine) { return as_text(*survey(machine)); }
std::string json_of(FakeMachine machine) { return as_json(*survey(machine)); }

// Golden.
TEST(Dom0Report, Text) {
  EXPECT_EQ(text_of(example()),
            R"(DOMAIN  NAME      STATE    MiB  XS  LINKS  RINGS  GRANTED  FRAMES
0       Domain-0  running  1    0   0      0      -        -
1       u1        blocked  1    1   1      1      49       2/64
2       u2        blocked  1    2   1      1      -        -
7       (none)    dying    1    0   0      0      18       1/64

DOMAIN  PID  PROCESS           PEER  PID  PROCESS           LINK     GRANTS  IS GRANTED
1       412  000000000000000a  2     123  000000000000000b  rings    18      258
1       412  000000000000000a  -     -    000000000000000c  meeting  0       -
2       123  000000000000000b  1     412  000000000000000a  rings    258     18
2       -    000000000000000d

OWNER  READER  PAGES  READ-ONLY  MAPPED
1      0       30     4          30
1      2       19     19         19
7      2       18     18         17

ZOMBIE 7: dead, and still has 256 pages
  held by domain 2 u2, 17 pages mapped, process 000000000000000b

domain 2: 1 nodes below data/xs are no notes, or too many
)");
}

TEST(Dom0Report, TextWithoutAnything) {
  FakeMachine machine;
  machine.add(0, "Domain-0", State::kRunning);
  EXPECT_EQ(text_of(machine), R"(DOMAIN  NAME      STATE    MiB  XS  LINKS  RINGS  GRANTED  FRAMES
0       Domain-0  running  1    0   0      0      -        -

No process runs xs with its node in the store.
)");
}

TEST(Dom0Report, AZombieThatNobodyIsKnownToHold) {
  FakeMachine machine;
  machine.add(9, "", State::kDying);
  EXPECT_NE(text_of(machine).find("held by nobody who is known"), std::string::npos);
}

// Golden.
TEST(Dom0Report, Json) {
  FakeMachine machine = example();
  machine.all.erase(machine.all.begin());
  EXPECT_EQ(json_of(machine),
            R"({"version": 1, "domains": [)"
            R"({"id": 1, "name": "u1", "state": "blocked", "pages": 256, "processes": [)"
            R"({"process": "000000000000000a", "pid": 412, "generation": 1, "links": [)"
            R"({"peer": "000000000000000b", "peer_domain": 2, "peer_pid": 123, "open": true, )"
            R"("rings": true, "pages_granted": 18, "pages_granted_by_peer": 258}, )"
            R"({"peer": "000000000000000c", "peer_domain": null, "peer_pid": null, "open": false, )"
            R"("rings": false, "pages_granted": 0, "pages_granted_by_peer": null}]}], )"
            R"("strange_nodes": 0, "grants": {"frames": 2, "most_frames": 64, "to": [)"
            R"({"reader": 0, "pages": 30, "read_only": 4, "mapped": 30}, )"
            R"({"reader": 2, "pages": 19, "read_only": 19, "mapped": 19}]}}, )"
            R"({"id": 2, "name": "u2", "state": "blocked", "pages": 256, "processes": [)"
            R"({"process": "000000000000000b", "pid": 123, "generation": 3, "links": [)"
            R"({"peer": "000000000000000a", "peer_domain": 1, "peer_pid": 412, "open": true, )"
            R"("rings": true, "pages_granted": 258, "pages_granted_by_peer": 18}]}, )"
            R"({"process": "000000000000000d", "pid": null, "generation": 1, "links": []}], )"
            R"("strange_nodes": 1, "grants": null}, )"
            R"({"id": 7, "name": null, "state": "dying", "pages": 256, "processes": [], )"
            R"("strange_nodes": 0, "grants": {"frames": 1, "most_frames": 64, "to": [)"
            R"({"reader": 2, "pages": 18, "read_only": 18, "mapped": 17}]}}], )"
            R"("zombies": [{"id": 7, "pages": 256, "holders": [)"
            R"({"domain": 2, "mapped": 17, "processes": ["000000000000000b"]}]}]})"
            "\n");
}

TEST(Dom0Report, EveryStateHasAName) {
  EXPECT_STREQ(dom0::name_of(State::kRunning), "running");
  EXPECT_STREQ(dom0::name_of(State::kBlocked), "blocked");
  EXPECT_STREQ(dom0::name_of(State::kPaused), "paused");
  EXPECT_STREQ(dom0::name_of(State::kShutdown), "shutdown");
  EXPECT_STREQ(dom0::name_of(State::kDying), "dying");
}

TEST(Dom0Text, WhatATerminalWouldObeyIsEscaped) {
  EXPECT_EQ(dom0::printable("a\x1b[2J\n\\\x7f\xff"), "a\\x1b[2J\\x0a\\\\\\x7f\\xff");
  EXPECT_EQ(dom0::json_string("a\"\\\n\xff"), "\"a\\\"\\\\\\u000a\\u00ff\"");
}

// One JSON value off the front of the text; what is left of it, or nothing if it is none.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : left_(text) {}
  bool whole() { return value() && left_ == "\n"; }

 private:
  bool take(std::string_view word) {
    if (!left_.starts_with(word)) return false;
    left_.remove_prefix(word.size());
    return true;
  }
  bool value() {
    if (take("{")) return members('}', true);
    if (take("[")) return members(']', false);
    if (left_.starts_with('"')) return string();
    if (take("null") || take("true") || take("false")) return true;
    const std::size_t digits = std::min(left_.find_first_not_of("0123456789"), left_.size());
    left_.remove_prefix(digits);
    return digits > 0;
  }
  bool members(char end, bool named) {
    if (take({&end, 1})) return true;
    do {
      if (named && (!string() || !take(": "))) return false;
      if (!value()) return false;
    } while (take(", "));
    return take({&end, 1});
  }
  bool string() {
    if (!take("\"")) return false;
    while (!left_.empty() && left_.front() != '"') {
      if (take("\\")) {
        if (take("u"))
          left_.remove_prefix(std::min<std::size_t>(3, left_.size()));
        else if (left_.empty() || (left_.front() != '"' && left_.front() != '\\'))
          return false;
      }
      if (left_.empty()) return false;
      left_.remove_prefix(1);
    }
    return take("\"");
  }
  std::string_view left_;
};

// Whatever guests write, what comes out is lines of text, and JSON.
TEST(Dom0Report, NonsenseComesOutAsText) {
  std::mt19937 dice(11);
  for (int round = 0; round < 3000; ++round) {
    FakeMachine machine = example();
    for (auto& [path, value] : machine.nodes) {
      for (unsigned changes = dice() % 6; changes > 0 && !value.empty(); --changes)
        value[dice() % value.size()] =
            static_cast<char>(dice() % 2 ? "\n PLRI0f"[dice() % 8] : dice());
      if (dice() % 8 == 0) value.resize(dice() % 3000, static_cast<char>(dice()));
    }
    std::string name(dice() % 20, ' ');
    for (char& each : name) each = static_cast<char>(dice());
    machine.put(1, name, "xs1 1 1\n");
    const std::string text = text_of(machine);
    EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](unsigned char byte) {
      return byte == '\n' || (byte >= 0x20 && byte < 0x7f);
    }));
    const std::string json = json_of(machine);
    ASSERT_TRUE(JsonReader(json).whole()) << json;
    EXPECT_EQ(json.find('\n'), json.size() - 1);
  }
}

}  // namespace

}  // namespace xs::test
