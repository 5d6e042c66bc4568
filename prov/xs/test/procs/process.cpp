// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "procs/process.hpp"

#include <execinfo.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "procs/failure.hpp"

namespace xs::test {

namespace {

constexpr char kFailure[] = "FAILURE: ";

void write_stack(int) {
  std::array<void*, 16> frames;
  backtrace_symbols_fd(frames.data(), backtrace(frames.data(), frames.size()), 2);
}

// A hang of a process; XS_PROCS_HOLD: seconds to look at it with a debugger first.
Failure hang(const std::string& text) {
  if (const char* hold = std::getenv("XS_PROCS_HOLD"))
    std::this_thread::sleep_for(seconds(std::atoi(hold)));
  return Failure(text);
}

}  // namespace

Process::Process(std::string name, const Host& host, const Environment& environment,
                 const Body& body)
    : name_(std::move(name)),
      log_(checked(memfd_create("log", MFD_CLOEXEC), "memfd_create")) {
  int ends[2];
  checked(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
  UniqueFd ours(ends[0]), theirs(ends[1]);
  std::fflush(nullptr);
  pid_ = checked(fork(), "fork");
  if (pid_ == 0) {
    ours.reset();
    run(host, environment, body, Channel(std::move(theirs)));
  }
  channel_.emplace(std::move(ours));
}

Process::~Process() { kill(); }

void Process::run(const Host& host, const Environment& environment, const Body& body,
                  Channel channel) {
  Worker worker(std::move(channel), *board_);
  try {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    checked(dup2(log_.get(), 1), "dup2");
    checked(dup2(1, 2), "dup2");
    std::signal(SIGUSR1, write_stack);
    host.enter();
    for (const auto& [variable, value] : environment) setenv(variable.c_str(), value.c_str(), 1);
    body(worker);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s%s\n", kFailure, failure.what());  // if nobody listens
    worker.say(kFailure + std::string(failure.what()));
    std::exit(1);
  }
  std::exit(0);
}

void Process::tell(const std::string& line) const {
  try {
    channel_->say(line);
  } catch (const Failure&) {
    throw Failure(name_ + " has ended before `" + line + "`: " + last_words());
  }
}

// What it said and nobody has heard yet.
std::string Process::last_words() const {
  try {
    return channel_->hear(milliseconds(0)).value_or("");
  } catch (const Failure&) {
    return "";
  }
}

std::string Process::hear(const std::string& awaited, milliseconds within) const {
  try {
    const auto line = channel_->hear(within);
    if (line) return *line;
  } catch (const Failure&) {
    throw Failure(name_ + " ended when `" + awaited + "` was awaited");
  }
  throw hang(name_ + " hangs: `" + awaited + "` was awaited for " +
                std::to_string(within.count()) + " ms");
}

std::string Process::expect(const std::string& word, milliseconds within) {
  const std::string line = hear(word, within);
  if (!line.starts_with(word))
    throw Failure(name_ + " says `" + line + "` instead of `" + word + "`");
  return line.substr(std::min(line.size(), word.size() + 1));
}

void Process::expect_sent(std::uint64_t count, milliseconds within) {
  for (const auto deadline = Clock::now() + within; sent() < count;) {
    const std::string progress =
        std::to_string(sent()) + " of " + std::to_string(count) + " sends: ";
    if (wait(milliseconds(2)) != -1)
      throw Failure(name_ + " ended after " + progress + last_words());
    if (Clock::now() >= deadline) throw hang(name_ + " hangs after " + progress);
  }
}

int Process::wait(milliseconds within) {
  const auto deadline = Clock::now() + within;
  for (;;) {
    int status = 0;
    if (checked(waitpid(pid_, &status, WNOHANG), "waitpid") == pid_) {
      pid_ = -1;
      return status;
    }
    if (Clock::now() >= deadline) return -1;
    std::this_thread::sleep_for(milliseconds(2));
  }
}

void Process::expect_end(milliseconds within) {
  const int status = wait(within);
  if (status == -1)
    throw hang(name_ + " hangs: its end was awaited for " + std::to_string(within.count()) +
                  " ms");
  if (status == 0) return;
  throw Failure(name_ + " ended with wait status " + std::to_string(status) + " " + last_words());
}

void Process::kill() {
  if (pid_ == -1) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void Process::stop() const { checked(::kill(pid_, SIGSTOP), "SIGSTOP"); }
void Process::resume() const { checked(::kill(pid_, SIGCONT), "SIGCONT"); }

std::string Process::log() const {
  struct stat status {};
  checked(fstat(log_.get(), &status), "fstat");
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  text.resize(static_cast<std::size_t>(
      checked(pread(log_.get(), text.data(), text.size(), 0), "reading a log")));
  return text;
}

std::string Process::report() const {
  std::string text = name_ + (pid_ == -1 ? " has ended at: " : " is at: ") + board_->place +
                     ", sent " + std::to_string(board_->sent.load()) + ", received " +
                     std::to_string(board_->received.load()) + "\n";
  if (pid_ != -1) {
    ::kill(pid_, SIGCONT);
    ::kill(pid_, SIGUSR1);
    std::this_thread::sleep_for(milliseconds(50));
  }
  return text;
}

}  // namespace xs::test
