// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/command.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <sstream>

#include "dom0/fake_machine.hpp"

namespace xs::test {

namespace {

dom0::Outcome run(const std::vector<std::string>& words, const dom0::OpenMachine& open) {
  return dom0::list(dom0::parse(words), open);
}

dom0::OpenMachine refusing(int error) {
  return [error] { return util::Error{error, "why it is not to be had"}; };
}

TEST(Dom0Command, WhereItCanNotBeHadItSaysWhy) {
  for (const int error : {ENODEV, EACCES, EPERM}) {
    const dom0::Outcome outcome = run({"list"}, refusing(error));
    EXPECT_EQ(outcome.status, dom0::kCannot);
    EXPECT_EQ(outcome.log, "xsctl: why it is not to be had\n");
    EXPECT_EQ(outcome.out, "");
  }
}

TEST(Dom0Command, WhatFailsIsNamed) {
  const dom0::Outcome outcome = run({"list"}, refusing(ECONNREFUSED));
  EXPECT_EQ(outcome.status, dom0::kNoAnswer);
  EXPECT_EQ(outcome.log, "xsctl: why it is not to be had: Connection refused\n");
}

dom0::OpenMachine opening(const FakeMachine& machine) {
  return [machine]() -> util::Result<std::unique_ptr<dom0::Machine>> {
    return std::unique_ptr<dom0::Machine>(std::make_unique<FakeMachine>(machine));
  };
}

TEST(Dom0Command, AStoreThatStopsAnsweringIsNoEmptyList) {
  FakeMachine machine;
  machine.broken = EBADF;
  const dom0::Outcome outcome = run({"list"}, opening(machine));
  EXPECT_EQ(outcome.status, dom0::kNoAnswer);
  EXPECT_EQ(outcome.out, "");
}

TEST(Dom0Command, FromAGuestItIsRefused) {
  FakeMachine machine;
  machine.broken = EPERM;
  EXPECT_EQ(run({"list"}, opening(machine)).status, dom0::kCannot);
}

TEST(Dom0Command, AnOutcomeIsTold) {
  std::ostringstream out, log;
  EXPECT_EQ(dom0::tell({dom0::kCannot, "seen", "why"}, out, log), dom0::kCannot);
  EXPECT_EQ(out.str(), "seen");
  EXPECT_EQ(log.str(), "why");
}

TEST(Dom0Command, OutputThatCanNotBeWrittenIsAnError) {
  std::ostringstream out, log;
  out.setstate(std::ios::badbit);
  EXPECT_EQ(dom0::tell({}, out, log), dom0::kNoAnswer);
  EXPECT_NE(log.str(), "");
}

TEST(Dom0Command, BothForms) {
  FakeMachine machine;
  machine.add(0, "Domain-0");
  EXPECT_TRUE(run({"list"}, opening(machine)).out.starts_with("DOMAIN  NAME"));
  EXPECT_TRUE(run({"list", "--json"}, opening(machine)).out.starts_with("{\"version\": 1,"));
}

}  // namespace

}  // namespace xs::test
