// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who keeps a descriptor that must not be closed for the last time.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <set>
#include <string>

#include "hv/unique_fd.hpp"
#include "hv/xen/keeper.hpp"

namespace xs::hv {

namespace fs = std::filesystem;

namespace {

// What /proc says that a process has open, by number.
std::set<std::string> open_in(pid_t pid) {
  std::set<std::string> names;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone))
    names.insert(entry.path().filename().string() + " " +
                 fs::read_symlink(entry.path(), gone).string());
  return names;
}

pid_t number_of(const fs::path& process) {
  const std::string name = process.filename().string();
  return name.find_first_not_of("0123456789") == std::string::npos ? std::stoi(name) : 0;
}

// Another process than this one that has this pipe open; 0: there is none.
pid_t holder_of(int descriptor) {
  std::error_code gone;
  const std::string wanted = fs::read_symlink("/proc/self/fd/" + std::to_string(descriptor));
  for (const auto& process : fs::directory_iterator("/proc", gone)) {
    const pid_t pid = number_of(process.path());
    if (pid == 0 || pid == getpid()) continue;
    for (const std::string& name : open_in(pid))
      if (name.ends_with(" " + wanted)) return pid;
  }
  return 0;
}

bool ended(int reader, int milliseconds) {
  struct pollfd waits = {.fd = reader, .events = POLLIN, .revents = 0};
  return poll(&waits, 1, milliseconds) == 1 && (waits.revents & POLLHUP) != 0;
}

class Keeper : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    reader_ = UniqueFd(ends[0]);
    writer_ = UniqueFd(ends[1]);
  }
  UniqueFd reader_, writer_;
};

}  // namespace

TEST_F(Keeper, HoldsBothAfterUsAndNothingElse) {
  const UniqueFd other(eventfd(0, EFD_CLOEXEC));
  ASSERT_TRUE(keep_for_ever({writer_.get(), other.get()}));
  const std::string pipe = fs::read_symlink("/proc/self/fd/" + std::to_string(writer_.get()));
  writer_.reset();
  EXPECT_FALSE(ended(reader_.get(), 50));
  const pid_t keeper = holder_of(reader_.get());
  ASSERT_NE(keeper, 0);
  EXPECT_EQ(open_in(keeper),
            (std::set<std::string>{
                "0 /dev/null", "1 /dev/null", "2 /dev/null", "3 " + pipe,
                "4 " + fs::read_symlink("/proc/self/fd/" + std::to_string(other.get())).string()}));
  EXPECT_EQ(getsid(keeper) == getsid(0), false) << "none of the job's signals reaches it";
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "nobody whom the application could wait for";
  EXPECT_EQ(errno, ECHILD);
  kill(keeper, SIGKILL);
  EXPECT_TRUE(ended(reader_.get(), 10000));
}

TEST_F(Keeper, MayBeOneOfTheNumbersThatItNeedsItself) {
  const UniqueFd saved(dup(STDIN_FILENO));
  ASSERT_EQ(dup2(writer_.get(), STDIN_FILENO), STDIN_FILENO);
  writer_.reset();
  EXPECT_TRUE(keep_for_ever({STDIN_FILENO, STDIN_FILENO}));
  saved ? void(dup2(saved.get(), STDIN_FILENO)) : void(close(STDIN_FILENO));
  EXPECT_FALSE(ended(reader_.get(), 50));
  kill(holder_of(reader_.get()), SIGKILL);
  EXPECT_TRUE(ended(reader_.get(), 10000));
}

TEST_F(Keeper, SaysThatNobodyKeepsIt) {
  errno = 0;
  EXPECT_FALSE(keep_for_ever({-1, STDIN_FILENO}));
  EXPECT_EQ(errno, EBADF);
  EXPECT_FALSE(keep_for_ever({STDIN_FILENO, -1}));
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
}

}  // namespace xs::hv
