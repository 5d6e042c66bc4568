// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Programs that xsctl runs, and signals, as they are.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "dom0/posix/system.hpp"
#include "xsctl/script.hpp"

namespace xs::test {

namespace {

class XsctlSystem : public testing::Test {
 protected:
  XsctlSystem() : system_(std::move(*dom0::open_system())) {}
  dom0::Ended run(const std::string& script) {
    xl_.write(script);
    auto ended = system_->run({"xl", "a word", ""});
    EXPECT_TRUE(ended);
    return ended ? *ended : dom0::Ended();
  }

  Script xl_;
  std::unique_ptr<dom0::System> system_;
};

TEST_F(XsctlSystem, RunsAProgramOfPath) {
  const dom0::Ended ended = run(R"(echo "$# $1" >"$out"; exit 7)");
  EXPECT_EQ(ended.status, 7);
  EXPECT_EQ(ended.signal, 0);
  EXPECT_EQ(xl_.output(), "2 a word\n");
  EXPECT_EQ(run("kill -KILL $$").signal, SIGKILL);
  EXPECT_EQ(system_->asked_to_end(), 0);
}

TEST_F(XsctlSystem, KnowsWhatPathHas) {
  EXPECT_TRUE(system_->has("sh"));
  xl_.be_alone();
  EXPECT_FALSE(system_->has("sh"));
  EXPECT_FALSE(system_->has("xl")) << "not yet";
  EXPECT_EQ(system_->run({"xl"}).error().code, ENOENT);
  xl_.write("");
  EXPECT_TRUE(system_->has("xl"));
  xl_.forbid();
  EXPECT_FALSE(system_->has("xl")) << "it can't be run";
  EXPECT_FALSE(system_->has(".")) << "a directory";
}

TEST_F(XsctlSystem, ASignalOfAnotherProcessIsPassedOn) {
  const dom0::Ended ended = run(R"(
    trap 'echo asked >>"$out"; exit 3' TERM
    kill -TERM $PPID
    while :; do sleep 0.01; done)");
  EXPECT_EQ(ended.status, 3);
  EXPECT_EQ(xl_.output(), "asked\n");
  EXPECT_EQ(system_->asked_to_end(), SIGTERM);
}

TEST_F(XsctlSystem, TheProgramHasTheSignalsThatWeHad) {
  EXPECT_EQ(run("kill -INT $$; sleep 0.01; exit 5").signal, SIGINT) << "not blocked there";
  EXPECT_EQ(run("kill -PIPE $$; sleep 0.01; exit 5").signal, SIGPIPE) << "nor ignored";
}

TEST_F(XsctlSystem, ASignalWakesAndIsRemembered) {
  EXPECT_EQ(system_->asked_to_end(), 0);
  kill(getpid(), SIGHUP);
  EXPECT_EQ(system_->asked_to_end(), SIGHUP);
  EXPECT_EQ(system_->asked_to_end(), SIGHUP);
}

TEST_F(XsctlSystem, EverythingIsAsBeforeAfterwards) {
  system_.reset();
  sigset_t blocked;
  sigprocmask(SIG_BLOCK, nullptr, &blocked);
  for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGCHLD})
    EXPECT_FALSE(sigismember(&blocked, each));
  struct sigaction action {};
  sigaction(SIGPIPE, nullptr, &action);
  EXPECT_EQ(action.sa_handler, SIG_DFL);
  system_ = std::move(*dom0::open_system());
}

// nohup.
TEST_F(XsctlSystem, WhatIsIgnoredStaysIgnored) {
  system_.reset();
  signal(SIGHUP, SIG_IGN);
  system_ = std::move(*dom0::open_system());
  kill(getpid(), SIGHUP);
  EXPECT_EQ(system_->asked_to_end(), 0);
  signal(SIGHUP, SIG_DFL);
}

TEST_F(XsctlSystem, KnowsProcessesOfItsKind) {
  const pid_t twin = fork();
  if (twin == 0) {
    pause();
    _exit(0);
  }
  EXPECT_TRUE(system_->is_one_of_us(static_cast<std::uint32_t>(twin)));
  kill(twin, SIGKILL);
  waitpid(twin, nullptr, 0);
  EXPECT_FALSE(system_->is_one_of_us(static_cast<std::uint32_t>(twin))) << "it has ended";
  EXPECT_FALSE(system_->is_one_of_us(system_->pid())) << "ourselves";
  EXPECT_FALSE(system_->is_one_of_us(1)) << "another program";
  EXPECT_FALSE(system_->is_one_of_us(0));
}

TEST_F(XsctlSystem, ClockAndDice) {
  const auto before = system_->now();
  usleep(20'000);
  EXPECT_GE(system_->now(), before + 20);
  EXPECT_NE(system_->random(), system_->random());
}

}  // namespace

}  // namespace xs::test
