// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "stream/evidence.hpp"

#include <gtest/gtest.h>

#include "stream/scripted_inner.hpp"

namespace xs::stream {
namespace {

using carrier::ProbeState;

struct EvidenceTest : testing::Test {
  // One look and its verdict, a spacing after the last one.
  Verdict look(ProbeState finds) {
    now += kSpacing;
    inner.probe_finds = finds;
    evidence.look(inner, test::test_address(2000), now, kSpacing);
    return evidence.judge(now, kTimeout);
  }

  static constexpr util::Nanoseconds kSpacing = 200 * util::kMillisecond;
  static constexpr util::Nanoseconds kTimeout = util::kSecond;
  test::ScriptedInner inner;
  Evidence evidence;
  util::Nanoseconds now = util::kSecond;
};

TEST_F(EvidenceTest, refusals_in_a_row_convict_when_they_have_lasted) {
  for (int i = 0; i < 8; ++i) EXPECT_EQ(look(ProbeState::kRefused), Verdict::kUnknown);
  EXPECT_EQ(look(ProbeState::kRefused), Verdict::kRefused);
}

TEST_F(EvidenceTest, two_refusals_are_too_few_however_far_apart) {
  EXPECT_EQ(look(ProbeState::kRefused), Verdict::kUnknown);
  now += 100 * kSpacing;
  EXPECT_EQ(look(ProbeState::kRefused), Verdict::kUnknown);
  EXPECT_EQ(look(ProbeState::kRefused), Verdict::kRefused);
}

TEST_F(EvidenceTest, port_that_was_opened_anew_is_no_death) {
  for (int i = 0; i < 8; ++i) look(ProbeState::kRefused);
  EXPECT_EQ(look(ProbeState::kAlive), Verdict::kUnknown);
  EXPECT_TRUE(evidence.alive());
}

TEST_F(EvidenceTest, sign_of_life_voids_refusals) {
  for (int i = 0; i < 8; ++i) look(ProbeState::kRefused);
  evidence.life();
  EXPECT_EQ(look(ProbeState::kRefused), Verdict::kUnknown);
}

TEST_F(EvidenceTest, sign_of_life_after_silence_is_a_return) {
  EXPECT_FALSE(evidence.life());
  look(ProbeState::kSilent);
  look(ProbeState::kSilent);
  EXPECT_TRUE(evidence.life());
  EXPECT_FALSE(evidence.life()) << "once";
}

TEST_F(EvidenceTest, answering_kernel_is_alive_and_its_probe_is_held) {
  look(ProbeState::kAlive);
  look(ProbeState::kAlive);
  EXPECT_TRUE(evidence.alive());
  EXPECT_EQ(inner.probes, 1u);
}

TEST_F(EvidenceTest, waiting_probe_says_nothing) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(look(ProbeState::kWaiting), Verdict::kUnknown);
  EXPECT_EQ(inner.probes, 1u);
}

TEST_F(EvidenceTest, silence_of_the_kernel_convicts_after_the_timeout) {
  Verdict verdict = Verdict::kUnknown;
  int looks = 0;
  while (verdict == Verdict::kUnknown && looks < 20) {
    verdict = look(ProbeState::kSilent);
    ++looks;
  }
  EXPECT_EQ(verdict, Verdict::kUnreachable);
  EXPECT_GE(looks, 6) << "the first look has watched no time yet";
}

TEST_F(EvidenceTest, excuse_holds_until_a_sign_of_life) {
  EXPECT_FALSE(evidence.excused());
  evidence.excuse();
  look(ProbeState::kSilent);
  EXPECT_TRUE(evidence.excused());
  evidence.life();
  EXPECT_FALSE(evidence.excused());
}

TEST_F(EvidenceTest, time_that_nobody_watched_convicts_nobody) {
  look(ProbeState::kSilent);
  now += 3600 * util::kSecond;
  evidence.look(inner, test::test_address(2000), now, kSpacing);
  EXPECT_EQ(evidence.judge(now, 60 * util::kSecond), Verdict::kUnknown);
}

TEST_F(EvidenceTest, looks_keep_their_spacing) {
  look(ProbeState::kRefused);
  now += kSpacing / 2;
  evidence.look(inner, test::test_address(2000), now, kSpacing);
  EXPECT_EQ(inner.probes, 1u);
}

}  // namespace
}  // namespace xs::stream
