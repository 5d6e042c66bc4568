// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Two processes of one kernel and one network, of which one is another user or lives in namespaces
// of its own, as in a container: they talk by TCP, without a word of warning. Only where nothing
// but numbers of processes differ do they share memory, and must not take one number for another.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "procs/failure.hpp"
#include "procs/mover.hpp"
#include "procs/traffic.hpp"

namespace xs::test {

namespace {

constexpr uid_t kNobody = 65534;

// It has made a namespace for processes, or lives in one.
bool g_numbers_anew = false;

struct StrangerCase {
  const char* name;
  int namespaces;  // CLONE_NEW...; 0: another user
  bool shares = false;
};

// Only the children of who makes a namespace for processes live in it. False in the one that has
// waited for his child.
bool go_on_as_child() {
  g_numbers_anew = true;
  const pid_t child = checked(fork(), "fork");
  if (child == 0) {
    checked(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
    return true;
  }
  int status = 0;
  checked(waitpid(child, &status, 0), "waitpid");
  if (status != 0) throw Failure("its child ended with wait status " + std::to_string(status));
  return false;
}

class Strangers : public Conversation, public testing::WithParamInterface<StrangerCase> {
 protected:
  Strangers() : Conversation(1) {}

  // False: a child of this process has done what is to be done.
  static bool become_a_stranger() {
    const int namespaces = GetParam().namespaces;
    if (namespaces == 0) {
      // It is root who reaches the provider, wherever that was built.
      fi_freeinfo(any_info());
      checked(setuid(kNobody), "setuid");
      checked(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
      return true;
    }
    checked(unshare(namespaces), "namespaces (these tests need root)");
    return (namespaces & CLONE_NEWPID) == 0 || go_on_as_child();
  }

  // xs is found, and stays loaded.
  static struct fi_info* any_info() {
    struct fi_info* info = nullptr;
    const int error = fi_getinfo(FI_VERSION(1, 9), nullptr, nullptr, 0, nullptr, &info);
    if (error != 0) throw Failure(std::string("fi_getinfo: ") + fi_strerror(-error));
    return info;
  }
};

TEST_P(Strangers, Talk) {
  const Migrations nowhere(Fate::kAny);
  const Part part = [this](Worker& me, unsigned id) {
    if (id == 1 && !become_a_stranger()) return;
    const std::string& address = host(0).address();
    Node node(me, address, static_cast<std::uint16_t>(Node::kPort + id));
    talk(me, node, node.insert(address, static_cast<std::uint16_t>(Node::kPort + 1 - id)),
         Mix::kMixed, id);
  };
  // A stranger may not be able to write there what he has counted.
  start_together(part, nowhere.environment(), {});
  for (int i : {0, 1}) side(i).expect("ready");
  let_talk();
  for (int i = 0; i < 3; ++i) expect_flow();
  finish();
  const std::uint64_t ring = nowhere.sum("ring", "tx_msgs"),
                      fabric = nowhere.sum("fabric", "tx_msgs");
  std::cout << ring << " messages by rings, " << fabric << " by the fabric\n";
  EXPECT_EQ(ring > 0, GetParam().shares);
  EXPECT_GT(fabric, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Procs, Strangers,
    testing::Values(StrangerCase{"AnotherUser", 0}, StrangerCase{"Mounts", CLONE_NEWNS},
                    StrangerCase{"Users", CLONE_NEWUSER},
                    StrangerCase{"Processes", CLONE_NEWPID, true},
                    StrangerCase{"Container", CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace

}  // namespace xs::test

// AddressSanitizer's search for leaks forks, which a namespace without processes refuses to who made
// it, and looks its process up in /proc, which has the numbers of outside. It ends what it can't
// search. All others are searched.
extern "C" int __lsan_is_turned_off();
extern "C" __attribute__((visibility("default"))) int __lsan_is_turned_off() {
  return xs::test::g_numbers_anew;
}
