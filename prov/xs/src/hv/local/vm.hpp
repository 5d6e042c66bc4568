// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A simulated virtual machine: a file that says on which host it is, and a watch on that file
// (docs/hv.md, Simulated hosts).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "hv/card.hpp"
#include "hv/unique_fd.hpp"
#include "util/result.hpp"

namespace xs::hv {

// What stands in the file: where the machine is, and how it came there.
struct Whereabouts {
  std::string host;
  bool sees_ones = true;    // what it had mapped of others; else it stays as it was
  bool seen_ones = true;    // what others had mapped of it
  unsigned told_late = 0;   // ms until its processes are told
  unsigned lost_late = 0;   // ms until their peers are told
  std::uint32_t domid = 0;  // 0: a new one each time
  bool pause = false;       // it is still there, and about to be moved

  // Nothing if there is no name, or a word that nobody knows.
  static std::optional<Whereabouts> from(const std::string& text);
};

class VmFile {
 public:
  // Begins to watch it. EINVAL, with a line in the log that names the file: there is no such
  // directory. Throws bad_alloc, as read() does.
  static util::Result<VmFile> open(const std::string& name);
  // Readable when something was written in the file's directory.
  int descriptor() const noexcept { return notify_.get(); }
  // Whether that was the file; it is not readable then.
  bool was_written() noexcept;
  // What stands there now. EAGAIN, quietly: it is empty, its writer is about to write, which will
  // be another event; EINVAL, with a line in the log that names the file: it can't be read, or
  // makes no sense.
  util::Result<Whereabouts> read() const;
  // The same, but waits a moment for that writer.
  util::Result<Whereabouts> read_first();
  util::Error useless(const char* why) const noexcept;
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;  // absolute
  std::string leaf_;
  UniqueFd notify_;
};

// By which the processes of one simulated VM know each other: a socket that nobody speaks to, which
// the kernel takes down. vm: a digest of the file's name.
class VmSign {
 public:
  static util::Result<VmSign> put_up(const Id& vm, const Id& process) noexcept;
  static bool is_up(const Id& vm, const Id& process) noexcept;

 private:
  explicit VmSign(UniqueFd socket) noexcept : socket_(std::move(socket)) {}
  UniqueFd socket_;
};

// Makes its descriptor readable, once, when its time has come.
class Timer {
 public:
  static util::Result<Timer> make() noexcept;
  int descriptor() const noexcept { return fd_.get(); }
  void start(unsigned milliseconds) noexcept;
  void stop() noexcept;

 private:
  UniqueFd fd_;
};

}  // namespace xs::hv
