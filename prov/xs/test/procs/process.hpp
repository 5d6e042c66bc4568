// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A process under test, seen from the driver.
#pragma once
#include <sys/types.h>

#include <functional>
#include <map>
#include <string>

#include "procs/limits.hpp"
#include "procs/network.hpp"
#include "procs/shared.hpp"
#include "procs/worker.hpp"

namespace xs::test {

using Environment = std::map<std::string, std::string>;  // FI_XS_... and the like

class Process {
 public:
  using Body = std::function<void(Worker&)>;

  // Runs the body in a child process on that host. The body's end is the process' end; what it
  // throws fails the test case.
  Process(std::string name, const Host& host, const Environment& environment, const Body& body);
  ~Process();  // killed if it is still there
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void tell(const std::string& line) const;
  // The process' next line must begin with that word; gives what follows it. Throws Failure if
  // another one comes or none in time.
  std::string expect(const std::string& word, milliseconds within = kSoon);
  // It completes sends until it has done that many in all.
  void expect_sent(std::uint64_t count, milliseconds within = kSoon);
  std::uint64_t sent() const { return board_->sent; }
  // It ends by itself, and well.
  void expect_end(milliseconds within = kSoon);

  void kill();  // -9
  void stop() const;
  void resume() const;

  const std::string& name() const { return name_; }
  // All that it wrote on standard output and error.
  std::string log() const;
  // Where it is; if it runs, it writes the functions it is in to its log.
  std::string report() const;

 private:
  [[noreturn]] void run(const Host& host, const Environment& environment, const Body& body,
                        Channel channel);
  // -1: still running after that time; else its status as of waitpid.
  int wait(milliseconds within);
  std::string hear(const std::string& awaited, milliseconds within) const;
  std::string last_words() const;

  std::string name_;
  Shared<Board> board_;
  UniqueFd log_;
  std::optional<Channel> channel_;
  pid_t pid_ = -1;  // -1: has ended
};

}  // namespace xs::test
