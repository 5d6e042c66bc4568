// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/xen/note.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace xs::test {

namespace {

constexpr hv::Id kUs{0x0123456789abcdef, 1};
constexpr hv::Id kOther{0xfedcba9876543210, 1};

hv::Note example() {
  hv::Note note(3, 0xf00);
  note.add_pid(0x19c);
  note.add_life(2, 0x44);
  note.add_life(0, 0x45);
  note.add_peer(kUs, 0x10, 0x20);
  note.add_peer(kOther, 0x11, 0);
  note.add_granted(0x12);
  note.add_granted(0);
  return note;
}

// Golden: other processes and xsctl read it.
TEST(HvNote, StandsAsDocumented) {
  EXPECT_EQ(example().text(),
            "xs1 3 f00\nI 19c\nL 2 44\nL 0 45\nP 0123456789abcdef 10 20\nP fedcba9876543210 11 0\n"
            "R 12 0\n");
}

TEST(HvNote, SaysToUsWhatIsForUs) {
  const hv::Note written = example();
  const auto note = hv::parse_note(written.text(), kUs, 2);
  ASSERT_TRUE(note);
  EXPECT_EQ(note->generation, 3u);
  EXPECT_EQ(note->network, 0xf00u);
  EXPECT_EQ(note->life, 0x44u);
  EXPECT_EQ(note->session, 0x10u);
  EXPECT_EQ(note->echo, 0x20u);
}

// So that later versions can say more.
TEST(HvNote, LinesOfAKindThatIsNotKnownAreLeftOut) {
  const auto note = hv::parse_note("xs1 1 2\nZ ?!\n\nP 0123456789abcdef 5 6\nzzz\n", kUs, 2);
  ASSERT_TRUE(note);
  EXPECT_EQ(note->session, 5u);
}

TEST(HvNote, SaysToOnlookersEverything) {
  const hv::Note written = example();
  const auto note = hv::parse_whole_note(written.text());
  ASSERT_TRUE(note);
  EXPECT_EQ(note->pid, 0x19cu);
  EXPECT_EQ(note->generation, 3u);
  EXPECT_EQ(note->lives, (std::vector<std::uint32_t>{2, 0}));
  ASSERT_EQ(note->peers.size(), 2u);
  EXPECT_EQ(note->peers[0].process, kUs.high);
  EXPECT_EQ(note->peers[0].session, 0x10u);
  EXPECT_EQ(note->peers[0].echo, 0x20u);
  EXPECT_EQ(note->peers[0].granted, 0x12u);
  EXPECT_EQ(note->peers[1].process, kOther.high);
  EXPECT_EQ(note->peers[1].granted, 0u);
}

TEST(HvNote, SaysThatItsProcessIsQuiet) {
  hv::Note note(3, 0xf00);
  note.add_pid(0x19c);
  note.add_quiesced(0xfedcba9876543210);
  EXPECT_EQ(note.text(), "xs1 3 f00\nI 19c\nQ fedcba9876543210\n");
  const auto whole = hv::parse_whole_note(note.text());
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->quiesced, 0xfedcba9876543210u);
  EXPECT_TRUE(hv::parse_note(note.text(), kUs, 2)->quiesced);
  const hv::Note free = example();
  EXPECT_FALSE(hv::parse_whole_note(free.text())->quiesced);
  EXPECT_FALSE(hv::parse_note(free.text(), kUs, 2)->quiesced);
}

TEST(HvNote, SaysThatPeersHaveHeard) {
  hv::Note note(3, 0xf00);
  note.add_told(0x2a);
  EXPECT_EQ(note.text(), "xs1 3 f00\nT 2a\n");
  const auto whole = hv::parse_whole_note(note.text());
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->told, 0x2au);
  EXPECT_FALSE(whole->quiesced);
  EXPECT_FALSE(hv::parse_note(note.text(), kUs, 2)->quiesced) << "nothing to a peer";
  EXPECT_FALSE(hv::parse_whole_note(example().text())->told);
  EXPECT_FALSE(hv::parse_whole_note("xs1 1 1\nT 0\n")->told);
}

TEST(HvNote, ASerialIsTheFirstWordOfWhatAnnouncesAMove) {
  EXPECT_EQ(hv::parse_quiesce("2a"), 0x2au);
  EXPECT_EQ(hv::parse_quiesce("ffffffffffffffff\n"), ~0ull);
  EXPECT_EQ(hv::parse_quiesce("1 xsctl 99 since 12:00"), 1u);
  for (const char* text :
       {"", " ", "0", "0 1", "g", "2ag", " 2a", "-1", "+1", "0x1", "11112222333344445"})
    EXPECT_FALSE(hv::parse_quiesce(text)) << text;
}

TEST(HvNote, WhatAnotherVersionDoesNotSayIsUnknown) {
  const auto note = hv::parse_whole_note("xs1 1 2\nP 0123456789abcdef 5 6 77 more\nZ\n");
  ASSERT_TRUE(note);
  EXPECT_FALSE(note->pid);
  ASSERT_EQ(note->peers.size(), 1u);
  EXPECT_EQ(note->peers[0].echo, 6u);
  EXPECT_FALSE(note->peers[0].granted);
}

TEST(HvNote, PagesBeyondTheLinksAreNobodys) {
  const auto note = hv::parse_whole_note("xs1 1 2\nP 0123456789abcdef 5 6\nR 1 2 3\n");
  ASSERT_TRUE(note);
  ASSERT_EQ(note->peers.size(), 1u);
  EXPECT_EQ(note->peers[0].granted, 1u);
}

TEST(HvNote, NonsenseIsNoNote) {
  for (const char* text :
       {"", "xs1", "xs2 1 1\n", "xs1 1 1\nP \n", "xs1 1 1\nL 1\n", "xs1 g 1\n", "xs1 1\n",
        "xs1 1 1\nI \n", "xs1 1 1\nP 1 2 3\nR x\n", "xs1 1 1\nP 1 2 z\n"})
    EXPECT_FALSE(hv::parse_whole_note(text)) << text;
}

TEST(HvNote, AnOnlookerSeesWhichRequestItIsPausedFor) {
  EXPECT_EQ(hv::parse_whole_note("xs1 1 2\nQ 5b1f9e1c02b7a6d4\n")->quiesced, 0x5b1f9e1c02b7a6d4u);
  EXPECT_FALSE(hv::parse_whole_note("xs1 1 2\n")->quiesced);
  for (const char* text : {"xs1 1 2\nQ\n", "xs1 1 2\nQ 0\n", "xs1 1 2\nQ x\n", "xs1 1 2\nQ 1 2\n",
                           "xs1 1 2\nQ 10000000000000000\n"}) {
    const auto note = hv::parse_whole_note(text);
    ASSERT_TRUE(note) << text;
    EXPECT_FALSE(note->quiesced) << text;
  }
}

// Whatever a guest writes: no more is made of it than it has lines.
TEST(HvNote, ChangedTextsAreReadOrRefused) {
  std::mt19937 dice(7);
  const hv::Note written = example();
  for (int i = 0; i < 20000; ++i) {
    std::string text(written.text());
    for (unsigned changes = dice() % 5; changes > 0; --changes)
      text[dice() % text.size()] =
          static_cast<char>(dice() % 3 ? "\n PLRIQ0f"[dice() % 9] : dice());
    text.resize(dice() % 4 ? text.size() : dice() % text.size());
    const auto note = hv::parse_whole_note(text);
    const auto to_us = hv::parse_note(text, kUs, 2);
    if (!note) continue;
    EXPECT_LE(note->peers.size() + note->lives.size(), text.size() / 4);
    if (to_us) {
      EXPECT_EQ(note->generation, to_us->generation);
    }
  }
}

// A full note does without the pages rather than without a link.
TEST(HvNote, PagesHaveNoRoomInAFullNote) {
  hv::Note note(1, 1);
  while (!note.is_full()) note.add_peer(kUs, 0xffffffff, 0xffffffff);
  hv::Note same(1, 1);
  while (same.text().size() < note.text().size()) same.add_peer(kUs, 0xffffffff, 0xffffffff);
  EXPECT_FALSE(same.is_full());
  for (int i = 0; i < 100; ++i) same.add_granted(0xffff);
  EXPECT_FALSE(same.is_full());
  EXPECT_LE(same.text().size(), hv::kNoteSize);
  EXPECT_TRUE(hv::parse_whole_note(same.text()));
}

}  // namespace

}  // namespace xs::test
