// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "path_model.hpp"

#include "model_test.hpp"

// Each test that takes a rule out shows the fault that the rule is there for.
namespace xs::model {
namespace {

constexpr auto kLiar = "an honest peer was called a liar";
constexpr auto kInVain = "a sound ring was left for a PING";
constexpr auto kThrownAway = "frames of a dead writer were thrown away";
constexpr auto kFailed = "frames that were taken were reported as failed";

Report path(const PathRules& rules, const PathWorld& world) {
  return explored(PathModel(rules, world));
}

// The writer of the frames may be the side that names epochs, or the one that answers.
class Path : public testing::TestWithParam<bool> {
 protected:
  static Report path(const PathRules& rules, PathWorld world) {
    world.writer_proposes = GetParam();
    return explored(PathModel(rules, world));
  }
};
class PathWithout : public Path {};
std::string name_of(const testing::TestParamInfo<bool>& info) {
  return info.param ? "WriterProposes" : "ReaderProposes";
}
INSTANTIATE_TEST_SUITE_P(Either, Path, testing::Bool(), name_of);
INSTANTIATE_TEST_SUITE_P(Either, PathWithout, testing::Bool(), name_of);

TEST_P(Path, IsCleanWithThreeFrames) { EXPECT_TRUE(path({}, {.frames = 3}).clean()); }

TEST_P(Path, IsCleanWhenEitherSideLeaves) { EXPECT_TRUE(path({}, {.leaves = 1}).clean()); }

TEST_P(Path, IsCleanWhenAMappingFreezes) { EXPECT_TRUE(path({}, {.freezes = 1}).clean()); }

TEST_P(Path, IsCleanWhenAMappingReadsAllOnes) {
  EXPECT_TRUE(path({}, {.frames = 1, .ones = 2}).clean());
}

TEST_P(Path, IsCleanWhenARingIsJoinedAgain) {
  EXPECT_TRUE(path({}, {.epochs = 2, .leaves = 1}).clean());
}

TEST_P(Path, SidesAgreeInTheEnd) {
  const PathWorld world{.frames = 1, .losses = 1, .leaves = 1, .writer_exits = false};
  EXPECT_TRUE(path({}, world).clean());
}

TEST_P(Path, SidesAgreeWhateverComesLate) {
  const PathWorld world{.frames = 1, .controls = 2, .leaves = 1, .writer_exits = false};
  EXPECT_TRUE(path({}, world).clean());
}

TEST_P(Path, SidesAgreeOnTheSecondRing) {
  const PathWorld world{.frames = 1, .epochs = 2, .leaves = 1, .writer_exits = false};
  EXPECT_TRUE(path({}, world).clean());
}

TEST_P(Path, SidesAgreeAfterARefusal) {
  EXPECT_TRUE(path({}, {.controls = 2, .refusals = 1, .writer_exits = false}).clean());
}

TEST_P(Path, IsCleanWhenTheWriterIsKilled) {
  EXPECT_TRUE(path({}, {.frames = 1, .leaves = 1, .writer_dies = true}).clean());
}

TEST_P(Path, IsCleanWhenTheReaderExits) {
  EXPECT_TRUE(path({}, {.frames = 1, .leaves = 1, .reader_exits = true}).clean());
}

TEST_P(Path, IsCleanWithGapReports) { EXPECT_TRUE(path({}, {.losses = 1, .gaps = true}).clean()); }

// ---- Joining ----

// Only if the writer answers: a proposer knows that its reader reads.
TEST(PathWithoutMapped, TheFramesOfADeadWriterAreOutOfReach) {
  const PathWorld world{.writer_proposes = false, .writer_dies = true};
  EXPECT_STREQ(path({.mapped = false}, world).broken, kThrownAway);
}

TEST(PathWithoutMapped, SoundRingsAreLeft) {
  EXPECT_STREQ(path({.mapped = false}, {.writer_proposes = false}).broken, kInVain);
}

TEST_P(PathWithout, GoingBackOnJoiningHonestPeersLie) {
  EXPECT_STREQ(path({.rewind_on_joining = false}, {}).broken, kLiar);
}

TEST_P(PathWithout, GoingBackAndTheLookAtHeadsFramesAreSkipped) {
  EXPECT_STREQ(path({.rewind_on_joining = false, .check_head = false}, {}).broken,
               "a frame was taken before its predecessor");
}

TEST_P(PathWithout, TheCountAsOnlyWitnessNumbersAreSkipped) {
  EXPECT_STREQ(path({.count_alone = false}, {}).broken, kLiar);
}

TEST_P(PathWithout, RepeatedOffersAProposerWaitsForEver) {
  EXPECT_GT(path({.repeat_offer = false}, {.frames = 1, .losses = 1, .writer_exits = false}).stuck,
            0U);
}

TEST_P(PathWithout, RepeatedMappedAnAnswererWaitsForEver) {
  EXPECT_GT(path({.repeat_mapped = false}, {.losses = 1, .writer_exits = false}).stuck, 0U);
}

TEST_P(PathWithout, MemoryOfEpochsOneSideIsLeftBehind) {
  const PathWorld world{.frames = 1, .controls = 2, .refusals = 1, .writer_exits = false};
  EXPECT_GT(path({.remember_epochs = false}, world).stuck, 0U);
}

// ---- Leaving ----

TEST_P(PathWithout, RepeatedLeftASideWaitsForEver) {
  EXPECT_GT(path({.repeat_left = false}, {.frames = 1, .leaves = 1, .writer_exits = false}).stuck,
            0U);
}

TEST_P(PathWithout, AnAnswerToLeftASideWaitsForEver) {
  EXPECT_GT(path({.answer_left = false}, {.frames = 1, .leaves = 1, .writer_exits = false}).stuck,
            0U);
}

TEST_P(PathWithout, ALastLookAtTheCountTakenFramesFail) {
  EXPECT_STREQ(path({.look_on_leaving = false}, {.reader_exits = true}).broken, kFailed);
}

TEST_P(PathWithout, WhatAckSaidMeanwhileTakenFramesFail) {
  EXPECT_STREQ(path({.recall_on_leaving = false}, {.reader_exits = true}).broken, kFailed);
}

TEST_P(PathWithout, TheMappingTheFramesOfADeadWriterAreLost) {
  EXPECT_STREQ(path({.keep_mapping = false}, {.leaves = 1, .writer_dies = true}).broken,
               kThrownAway);
}

TEST_P(PathWithout, ALastDrainTheFramesOfADeadWriterAreLost) {
  EXPECT_STREQ(path({.drain_at_end = false}, {.leaves = 1, .writer_dies = true}).broken,
               kThrownAway);
}

TEST_P(PathWithout, AnEndForTheGoneTheirMappingsStayForEver) {
  EXPECT_GT(path({.gone_is_left = false}, {.frames = 1}).stuck, 0U);
}

TEST_P(PathWithout, LingerFramesAreLostAtExit) {
  EXPECT_GT(path({.linger = false}, {.frames = 1}).stuck, 0U);
}

// ---- PING ----

TEST_P(PathWithout, LeavingForAnEchoAFrozenRingIsForEver) {
  EXPECT_GT(path({.leave_on_echo = false}, {.frames = 1, .freezes = 1}).stuck, 0U);
}

TEST_P(PathWithout, TheCountAsJudgeAFrozenCountIsForEver) {
  EXPECT_GT(path({.believe_count = false}, {.frames = 1, .freezes = 1}).stuck, 0U);
}

TEST_P(PathWithout, DrainingForAPingSoundRingsAreLeft) {
  EXPECT_STREQ(path({.drain_for_ping = false}, {}).broken, kInVain);
}

TEST_P(PathWithout, CountingForAPingSoundRingsAreLeft) {
  EXPECT_STREQ(path({.count_for_ping = false}, {}).broken, kInVain);
}

TEST_P(PathWithout, TheRingsOwnNumberInPingsSoundRingsAreLeft) {
  EXPECT_STREQ(path({.ping_says_put = false}, {}).broken, kInVain);
}

TEST_P(PathWithout, TheEpochInPingsSoundRingsAreLeft) {
  EXPECT_STREQ(path({.ping_names_epoch = false}, {}).broken, kInVain);
}

TEST_P(PathWithout, IgnoringGapsNumbersAreRepeated) {
  EXPECT_STREQ(path({.ignore_gap = false}, {.gaps = true}).broken, kLiar);
}

// PING finds it, and what is drained at the end needs no draining before.
TEST_P(PathWithout, HasteItIsSlowButClean) {
  const PathRules slow{
      .drain_on_leaving = false, .replay_on_leaving = false, .drain_when_ahead = false};
  EXPECT_TRUE(path(slow, {.frames = 1, .leaves = 1, .writer_dies = true}).clean());
}

}  // namespace
}  // namespace xs::model
