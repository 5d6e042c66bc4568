// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/board.hpp"

#include <gtest/gtest.h>

#include "dom0/fake_machine.hpp"

namespace xs::test {

namespace {

constexpr const char* kOne = "000000000000000a";
constexpr const char* kTwo = "000000000000000b";

struct Dom0Board : testing::Test {
  Dom0Board() {
    machine.add(0, "Domain-0");
    machine.add(5, "u1");
    machine.put(5, kOne, "xs1 1 f\n");
    machine.put(5, "what", "xs1 1 f\n");
    EXPECT_TRUE(board.begin());
  }
  bool hear() { return *board.wait(0, -1); }

  FakeMachine machine;
  dom0::Board board{machine};
};

TEST_F(Dom0Board, HasWhatIsThereAndNothingElse) {
  EXPECT_EQ(board.of(5).size(), 1u);
  EXPECT_EQ(board.of(5).at(0xa).generation, 1u);
  EXPECT_TRUE(board.of(0).empty());
  EXPECT_TRUE(board.of(99).empty());
}

TEST_F(Dom0Board, FollowsWhatChanges) {
  machine.put(5, kOne, "xs1 2 f\nQ 7\n");
  machine.put(5, kTwo, "xs1 1 f\n");
  EXPECT_TRUE(hear());
  EXPECT_EQ(board.of(5).at(0xa).quiesced, 7u);
  EXPECT_EQ(board.of(5).size(), 2u);
  machine.put(5, kTwo, "nonsense");
  machine.put(5, "nonsense", "xs1 1 f\n");
  EXPECT_TRUE(hear());
  EXPECT_EQ(board.of(5).size(), 1u);
  machine.take(std::string(hv::directory_of(5).data()) + '/' + kOne);
  EXPECT_TRUE(hear());
  EXPECT_TRUE(board.of(5).empty());
  EXPECT_FALSE(hear()) << "nothing has changed";
}

TEST_F(Dom0Board, ADomainThatGoesTakesItsNotesWithIt) {
  EXPECT_TRUE(hear()) << "of the watches being set";
  machine.take("/local/domain/5");
  EXPECT_TRUE(hear());
  EXPECT_TRUE(board.of(5).empty());
}

TEST_F(Dom0Board, DomainsThatComeAreSeen) {
  machine.put(7, kTwo, "xs1 1 f\n");
  EXPECT_TRUE(hear());
  EXPECT_TRUE(board.of(7).empty()) << "nobody has told that there is one";
  machine.add(7, "u2");
  machine.fire(dom0::kNewDomains);
  EXPECT_TRUE(hear());
  EXPECT_EQ(board.of(7).size(), 1u);
  machine.put(7, kTwo, "xs1 4 f\n");
  EXPECT_TRUE(hear());
  EXPECT_EQ(board.of(7).at(0xb).generation, 4u);
}

TEST_F(Dom0Board, AStoreThatFailsIsAnError) {
  machine.put(5, kOne, "xs1 2 f\n");
  machine.broken = EIO;
  EXPECT_EQ(board.wait(0, -1).error().code, EIO);
  EXPECT_EQ(dom0::Board(machine).begin().error().code, EIO);
}

}  // namespace

}  // namespace xs::test
