// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the files of simulated VMs may say, and what is said of those that say something else.
#include "hv/local/vm.hpp"

#include <cerrno>
#include <thread>

#include "hv/hv_rig.hpp"
#include "hv/simulated_vm.hpp"
#include "util/log.hpp"

namespace xs::test {

using hv::Whereabouts;

namespace {

TEST(HvWhereabouts, AreWords) {
  const auto plain = Whereabouts::from("A\n");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "A");
  EXPECT_TRUE(plain->sees_ones && plain->seen_ones);
  EXPECT_EQ(plain->told_late + plain->lost_late + plain->domid, 0u);
  const auto all = Whereabouts::from("B sees=frozen\tseen=frozen told=1  lost=20\ndomid=3");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->host, "B");
  EXPECT_FALSE(all->sees_ones || all->seen_ones);
  EXPECT_EQ(all->told_late, 1u);
  EXPECT_EQ(all->lost_late, 20u);
  EXPECT_EQ(all->domid, 3u);
  EXPECT_TRUE(Whereabouts::from("A sees=frozen sees=ones")->sees_ones);
  EXPECT_FALSE(all->pause);
  EXPECT_TRUE(Whereabouts::from("A pause")->pause);
  for (const char* nonsense :
       {"", " \n", "A B", "A sees", "A sees=", "A sees=ice", "A lost=", "A lost=-1", "A lost=1ms",
        "A lost=99999999999", "A told=x", "A domid=", "A late=1", "A =1", "A pause=1", "A pauses",
        "pause pause pauses"})
    EXPECT_FALSE(Whereabouts::from(nonsense)) << nonsense;
}

std::string g_last_warning;
void keep_warning(util::Level, const char* text) noexcept { g_last_warning = text; }
bool is_warning(util::Level level) noexcept { return level == util::Level::kWarn; }

TEST(HvVm, AFileThatIsOfNoUseIsAnErrorThatNamesIt) {
  const SimulatedVm vm("A");
  const std::string file = vm.file().string();
  const auto error = [&](const std::string& option) {
    util::SystemRandom random;
    g_last_warning.clear();
    util::set_log_sink(keep_warning, is_warning);
    auto opened = hv::Local::open(option, random);
    util::set_log_sink(nullptr, nullptr);
    return opened ? 0 : opened.error().code;
  };
  const Holdings before = holdings();
  EXPECT_EQ(error('@' + file), 0);
  const std::string in_no_directory = file + "/none/vm";
  for (const std::string& none : {file + ".none", in_no_directory, std::string("/")}) {
    EXPECT_EQ(error('@' + none), EINVAL);
    EXPECT_NE(g_last_warning.find(none), std::string::npos) << g_last_warning;
  }
  EXPECT_EQ(error("@"), EINVAL);
  for (const char* text : {"", "A sees=ice"}) {
    vm.write(text);
    if (!*text) std::filesystem::resize_file(file, 0);
    EXPECT_EQ(error('@' + file), EINVAL);
    EXPECT_NE(g_last_warning.find(file), std::string::npos) << g_last_warning;
  }
  EXPECT_EQ(holdings(), before);
}

// The file's writer truncates it first.
TEST(HvVm, AFileThatIsJustBeingWrittenIsWaitedFor) {
  const SimulatedVm vm("A");
  std::filesystem::resize_file(vm.file(), 0);
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    vm.write("A");
  });
  util::SystemRandom random;
  EXPECT_TRUE(hv::Local::open(vm.option(), random));
  writer.join();
}

}  // namespace

}  // namespace xs::test
