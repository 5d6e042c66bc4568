// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/options.hpp"

#include <gtest/gtest.h>

namespace xs::test {

namespace {

using dom0::Action;
using Words = std::vector<std::string>;

TEST(Dom0Options, List) {
  EXPECT_EQ(dom0::parse({"list"}).action, Action::kList);
  EXPECT_FALSE(dom0::parse({"list"}).json);
  const auto all = dom0::parse({"list", "--json", "--timeout", "3"});
  EXPECT_EQ(all.action, Action::kList);
  EXPECT_TRUE(all.json);
  EXPECT_EQ(all.seconds, 3u);
}

TEST(Dom0Options, Moves) {
  const auto plain = dom0::parse({"migrate", "u1", "hostb"});
  EXPECT_EQ(plain.action, Action::kMigrate);
  EXPECT_EQ(plain.domain, "u1");
  EXPECT_EQ(plain.where, "hostb");
  EXPECT_EQ(plain.deadline, 5u);
  EXPECT_FALSE(plain.force);
  const auto all = dom0::parse({"save", "u1", "--force", "--deadline", "60", "/u1", "--timeout",
                                "20", "--", "-c", "--force", "--"});
  EXPECT_EQ(all.action, Action::kSave);
  EXPECT_EQ(all.where, "/u1");
  EXPECT_TRUE(all.force);
  EXPECT_EQ(all.deadline, 60u);
  EXPECT_EQ(all.seconds, 20u);
  EXPECT_EQ(all.to_xl, (Words{"-c", "--force", "--"}));
  EXPECT_EQ(dom0::parse({"restore", "/u1"}).where, "/u1");
  EXPECT_EQ(dom0::parse({"abort", "--force", "5"}).domain, "5");
}

TEST(Dom0Options, HelpIsNoError) {
  for (const Words& words :
       {Words{"-h"}, {"list", "--help"}, {"migrate", "u1", "hostb", "--help"}}) {
    const auto help = dom0::parse(words);
    EXPECT_EQ(help.action, Action::kSay);
    EXPECT_EQ(help.status, dom0::kDone);
    EXPECT_TRUE(help.text.starts_with("usage: xsctl list"));
  }
}

TEST(Dom0Options, OtherWordsAreRefused) {
  const std::vector<Words> bad = {
      {},
      {"lost"},
      {"list", "list"},
      {"list", "u1"},
      {"list", "--force"},
      {"list", "--", "u1"},
      {"--json"},
      {"list", "--timeout"},
      {"list", "--timeout", "0"},
      {"list", "--timeout", "-1"},
      {"list", "--timeout", "5s"},
      {"list", "--timeout", "99999"},
      {"migrate"},
      {"migrate", "u1"},
      {"migrate", "u1", ""},
      {"migrate", "u1", "hostb", "hostc"},
      {"migrate", "u1", "hostb", "--deadline"},
      {"migrate", "u1", "hostb", "--deadline", "0"},
      {"migrate", "u1", "hostb", "--json"},
      {"migrate", "-s", "ssh", "u1", "hostb"},
      {"save", "u1", "-"},
      {"restore"},
      {"restore", "--force", "/u1"},
      {"abort"},
      {"abort", "--deadline", "3", "u1"},
      {"\x1b[2J"},
  };
  for (const Words& words : bad) {
    const auto options = dom0::parse(words);
    EXPECT_EQ(options.action, Action::kSay);
    EXPECT_EQ(options.status, dom0::kUsage);
    EXPECT_EQ(options.text.find('\x1b'), std::string::npos);
    EXPECT_TRUE(options.text.starts_with("xsctl: ")) << options.text;
  }
  EXPECT_EQ(dom0::parse({"migrate", "u1"}).text,
            "xsctl: migrate wants more words; see xsctl --help\n");
}

}  // namespace

}  // namespace xs::test
