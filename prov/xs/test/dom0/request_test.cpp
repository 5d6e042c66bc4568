// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/request.hpp"

#include <gtest/gtest.h>

#include <random>

#include "dom0/fake_machine.hpp"

namespace xs::test {

namespace {

using Answer = dom0::Asking::Answer;

constexpr dom0::Request kOurs{0x5eed, 812};
const std::string kNode = "/local/domain/5/data/xs-here/quiesce";

struct WithGuest : FakeMachine {
  WithGuest() { nodes["/local/domain/5/data"] = ""; }
};

TEST(Dom0Request, IsOneLineOfWords) {
  EXPECT_EQ(as_text(kOurs), "0000000000005eed 812");
  EXPECT_EQ(dom0::parse_request("0000000000005eed 812"), kOurs);
  EXPECT_EQ(dom0::parse_request("5eed 812 of later versions"), kOurs);
  for (const char* text : {"", "5eed", "5eed ", "0 812", "x 812", "5eed x", "5eed -1", "5eed 812x",
                           "10000000000000000 812", "5eed 4294967296"})
    EXPECT_FALSE(dom0::parse_request(text)) << text;
}

TEST(Dom0Request, AnyTextIsReadOrRefused) {
  std::mt19937 dice(5);
  for (int i = 0; i < 20000; ++i) {
    std::string text = as_text(kOurs);
    for (unsigned changes = dice() % 6; changes > 0; --changes)
      text[dice() % text.size()] = static_cast<char>(dice() % 2 ? "0 f\n-x"[dice() % 6] : dice());
    text.resize(dice() % 30, static_cast<char>(dice()));
    const auto request = dom0::parse_request(text);
    if (request) {
      EXPECT_NE(request->serial, 0u);
    }
  }
}

TEST(Dom0Request, IsWrittenOnce) {
  WithGuest machine;
  EXPECT_EQ(dom0::ask(machine, 5, kOurs)->answer, Answer::kAsked);
  EXPECT_EQ(machine.nodes.at(kNode), "0000000000005eed 812");
  auto again = dom0::ask(machine, 5, {1, 1});
  EXPECT_EQ(again->answer, Answer::kAnotherStands);
  EXPECT_EQ(again->standing, "0000000000005eed 812");
  EXPECT_EQ(machine.nodes.at(kNode), "0000000000005eed 812");
}

// In both cases as a whole.
TEST(Dom0Request, IsTriedAgainIfSomebodyDisturbs) {
  WithGuest machine;
  machine.conflicts = 3;
  EXPECT_EQ(dom0::ask(machine, 5, kOurs)->answer, Answer::kAsked);
  EXPECT_EQ(machine.conflicts, 0);
  machine.conflicts = 3;
  EXPECT_TRUE(*dom0::take_back(machine, 5, as_text(kOurs)));
  EXPECT_FALSE(machine.nodes.contains(kNode));
  EXPECT_EQ(machine.conflicts, 0);
}

TEST(Dom0Request, IsGivenUpIfSomebodyDisturbsForEver) {
  WithGuest machine;
  machine.conflicts = 1'000'000;
  const auto before = machine.nodes;
  EXPECT_EQ(dom0::ask(machine, 5, kOurs).error().code, EAGAIN);
  EXPECT_EQ(machine.nodes, before);
}

TEST(Dom0Request, ADomainThatIsGoneIsNotMadeAnew) {
  FakeMachine machine;
  EXPECT_EQ(dom0::ask(machine, 5, kOurs)->answer, Answer::kNowhere);
  EXPECT_TRUE(machine.nodes.empty());
}

TEST(Dom0Request, OfOthersIsNotTakenBack) {
  WithGuest machine;
  EXPECT_FALSE(*dom0::take_back(machine, 5, as_text(kOurs))) << "there is none";
  machine.nodes[kNode] = "aa 700";
  EXPECT_FALSE(*dom0::take_back(machine, 5, as_text(kOurs)));
  EXPECT_EQ(machine.nodes.at(kNode), "aa 700");
  EXPECT_EQ(*dom0::read_request(machine, 5), "aa 700");
}

TEST(Dom0Request, AStoreThatFailsIsAnError) {
  WithGuest machine;
  machine.broken = EIO;
  EXPECT_EQ(dom0::ask(machine, 5, kOurs).error().code, EIO);
  EXPECT_EQ(dom0::take_back(machine, 5, "").error().code, EIO);
  EXPECT_EQ(dom0::read_request(machine, 5).error().code, EIO);
}

}  // namespace

}  // namespace xs::test
