// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xsctl migrate as a whole: a stand-in for Xen's libraries, a true xl (a script), true signals.
#include <gtest/gtest.h>
#include <signal.h>

#include <sstream>

#include "dom0/ctl/command.hpp"
#include "dom0/posix/system.hpp"
#include "dom0/xen/machine.hpp"
#include "xsctl/libraries.hpp"
#include "xsctl/script.hpp"

namespace xs::test {

namespace {

const std::string kRequest = "/local/domain/5/data/xs-here/quiesce";
const std::string kNode = "/local/domain/5/data/xs/000000000000000a";

class XsctlMove : public testing::Test {
 protected:
  XsctlMove() {
    libraries = FakeLibraries();
    for (const std::uint16_t id : {0, 5}) {
      xc_domaininfo_t info{};
      info.domain = id;
      info.handle[0] = static_cast<std::uint8_t>(id);
      info.flags = XEN_DOMINF_blocked;
      libraries.domains.push_back(info);
    }
    libraries.nodes["/local/domain/5/name"] = "u1";
    libraries.nodes["/local/domain/5/data"] = "";
    libraries.nodes[kNode] = "xs1 1 f\nI 19c\n";
    libraries.tables[5].resize(512);
    libraries.on_change = [this](const std::string& path) { answer(path); };
    xl_.write(R"(echo "$@" >>"$out")");
  }
  ~XsctlMove() override { EXPECT_EQ(libraries.open, 0); }

  // The guest's process does at once what it is asked.
  void answer(const std::string& path) {
    if (!answers_ || path != kRequest) return;
    const auto request = libraries.nodes.find(kRequest);
    asked_ = asked_ || request != libraries.nodes.end();
    const std::string line =
        request == libraries.nodes.end()
            ? ""
            : "Q " + request->second.substr(0, 16) + "\nT " + request->second.substr(0, 16) + '\n';
    change_node(kNode, "xs1 1 f\nI 19c\n" + line);
  }
  int run(const std::vector<std::string>& words) {
    return dom0::change(dom0::parse(words), [] { return dom0::open_xen(10); }, dom0::open_system,
                        {out_, log_});
  }
  bool is_asked() const { return libraries.nodes.contains(kRequest); }

  Script xl_;
  bool answers_ = true;
  bool asked_ = false;
  std::ostringstream out_, log_;
};

TEST_F(XsctlMove, RunsXl) {
  EXPECT_EQ(run({"migrate", "u1", "hostb", "--", "-s", "ssh -p 22"}), dom0::kDone) << log_.str();
  EXPECT_EQ(xl_.output(), "migrate -s ssh -p 22 5 hostb\n");
  EXPECT_TRUE(asked_);
  EXPECT_FALSE(is_asked()) << "this xl has left the domain where it was";
  EXPECT_EQ(log_.str(), "");
}

TEST_F(XsctlMove, TheRequestIsTheGuests) {
  libraries.on_change = [&](const std::string& path) {
    if (path != kRequest || !is_asked()) return;
    EXPECT_EQ(libraries.owners[kRequest], 5u);
    EXPECT_EQ(libraries.owners["/local/domain/5/data/xs-here"], 5u);
    EXPECT_EQ(libraries.nodes[kRequest].substr(16), ' ' + std::to_string(getpid()));
    asked_ = true;
  };
  libraries.disturbed = 2;
  run({"migrate", "--deadline", "1", "u1", "hostb"});
  EXPECT_TRUE(asked_);
}

TEST_F(XsctlMove, XlThatFailsHasTheProcessesGoOn) {
  xl_.write("exit 9");
  EXPECT_EQ(run({"save", "u1", "/u1.save"}), dom0::kNotMoved);
  EXPECT_NE(out_.str().find("xl has failed, with exit status 9"), std::string::npos);
  EXPECT_FALSE(is_asked());
}

// Whoever sends it, xl gets it once and ends; then the request is taken back.
TEST_F(XsctlMove, SignalsEndXlAndAreCleanedUpAfter) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    xl_.write("trap 'exit 1' INT TERM HUP; kill -" + std::to_string(signal) +
              " $PPID; while :; do sleep 0.01; done");
    EXPECT_EQ(run({"migrate", "u1", "hostb"}), 128 + signal);
    EXPECT_FALSE(is_asked());
  }
}

TEST_F(XsctlMove, SignalsEndTheWait) {
  answers_ = false;
  libraries.on_change = [](const std::string& path) {
    if (path == kRequest) kill(getpid(), SIGTERM);
  };
  EXPECT_EQ(run({"migrate", "--deadline", "3600", "u1", "hostb"}), 128 + SIGTERM);
  EXPECT_FALSE(is_asked());
  EXPECT_EQ(xl_.output(), "");
}

TEST_F(XsctlMove, WhereTheStoreTakesNothingNothingIsRun) {
  libraries.refusing = ENOSPC;
  EXPECT_EQ(run({"migrate", "u1", "hostb"}), dom0::kNoAnswer);
  EXPECT_EQ(log_.str(), "xsctl: the store begins no transaction: No space left on device\n");
  EXPECT_EQ(xl_.output(), "");
}

TEST_F(XsctlMove, NotWithoutXenAndNotFromAGuest) {
  libraries.is_xen = false;
  EXPECT_EQ(run({"migrate", "u1", "hostb"}), dom0::kCannot);
  libraries.is_xen = true;
  libraries.asking = EPERM;
  EXPECT_EQ(run({"abort", "u1"}), dom0::kCannot);
  EXPECT_EQ(xl_.output(), "");
}

TEST_F(XsctlMove, AbortTakesBackWhatAKilledOneHasAsked) {
  libraries.nodes[kRequest] = "5eed 4294967295";
  EXPECT_EQ(run({"migrate", "u1", "hostb"}), dom0::kBusy);
  EXPECT_EQ(run({"abort", "u1"}), dom0::kDone);
  EXPECT_FALSE(is_asked());
}

}  // namespace

}  // namespace xs::test
