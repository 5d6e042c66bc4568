// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "greeting_model.hpp"

#include "model_test.hpp"

// Each test that takes a rule out shows the fault that the rule is there for.
namespace xs::model {
namespace {

constexpr GreetingWorld kRestart{.restarts = 1};
constexpr GreetingWorld kTimeout{.sends_a = 2, .timeouts = 1};
constexpr GreetingWorld kForgery{.forgeries = 1};
constexpr GreetingWorld kForgetting{.forgets = 1};

constexpr const char* kFalseDeath = "a living peer was taken for dead";

Report greeting(const GreetingRules& rules, const GreetingWorld& world) {
  return explored(GreetingModel(rules, world));
}

TEST(Greeting, IsCleanWhenNobodyDies) {
  EXPECT_TRUE(greeting({}, {.sends_a = 2, .sends_b = 2}).clean());
}

TEST(Greeting, IsCleanAcrossARestart) { EXPECT_TRUE(greeting({}, kRestart).clean()); }

TEST(Greeting, IsCleanAfterAFalseTimeout) { EXPECT_TRUE(greeting({}, kTimeout).clean()); }

TEST(Greeting, IsCleanWithAForgedHello) { EXPECT_TRUE(greeting({}, kForgery).clean()); }

TEST(Greeting, IsCleanWhenACandidateIsForgotten) { EXPECT_TRUE(greeting({}, kForgetting).clean()); }

// Both sides sending under two faults is 2.2 to 2.5 million states: clean, and too slow to repeat.
TEST(Greeting, IsCleanUnderSeveralFaultsIfOneSideSends) {
  EXPECT_TRUE(greeting({}, {.sends_a = 2, .sends_b = 0, .restarts = 1, .timeouts = 1}).clean());
  EXPECT_TRUE(greeting({}, {.sends_b = 0, .restarts = 1, .forgeries = 1, .forgets = 1}).clean());
  EXPECT_TRUE(greeting({}, {.sends_a = 0, .restarts = 1, .forgeries = 1}).clean());
}

TEST(GreetingWithout, ProofAHelloOpensASessionTowardsAForger) {
  EXPECT_STREQ(greeting({.hello_proves_nothing = false}, kForgery).broken,
               "a session opened towards a forger");
}

TEST(GreetingWithout, CandidatesAForgedHelloKillsTheLivingSession) {
  EXPECT_FALSE(greeting({.candidate_first = false}, kForgery).clean());
}

TEST(GreetingWithout, ASessionPerTokenAFalseTimeoutIsForEver) {
  EXPECT_GT(greeting({.other_token_other_session = false}, kTimeout).stuck, 0U);
}

TEST(GreetingWithout, IgnoringLateWelcomesALivingSessionIsKilled) {
  EXPECT_STREQ(greeting({.welcome_in_open_is_ignored = false}, kRestart).broken, kFalseDeath);
}

TEST(GreetingWithout, MovingFramesOfUnusedSessionsAForgottenCandidateIsADeath) {
  EXPECT_STREQ(greeting({.unused_lives_on = false}, kForgetting).broken, kFalseDeath);
}

TEST(GreetingWithout, ForgettingOlderCandidatesALateProofKillsTheLivingSession) {
  EXPECT_STREQ(greeting({.older_candidates_go = false}, kRestart).broken, kFalseDeath);
}

TEST(GreetingWithout, CandidatesThatGreetTheyMayNeverSend) {
  EXPECT_GT(greeting({.candidate_greets = false}, kTimeout).stuck, 0U);
}

TEST(GreetingWithout, TokensOfBothFramesOfTwoIncarnationsMix) {
  EXPECT_STREQ(greeting({.token_of_both = false}, kRestart).broken,
               "a frame was taken for one of another incarnation");
}

TEST(GreetingWithout, ResetTheDeadAreWaitedForForEver) {
  EXPECT_GT(greeting({.ping_is_reset = false}, kRestart).stuck, 0U);
}

}  // namespace
}  // namespace xs::model
