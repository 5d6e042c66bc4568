// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What cases with an address vector that processes share by name have (docs/vectors.md).
#pragma once
#include <unistd.h>

#include <filesystem>
#include <string>

#include "procs/failure.hpp"
#include "procs/procs.hpp"

namespace xs::test {

class SharedVector : public Procs {
 protected:
  // No other test of this machine has that name.
  SharedVector() : name_("procs." + std::to_string(getpid())) {}
  ~SharedVector() override {
    EXPECT_FALSE(exists()) << "left behind";
    std::filesystem::remove(path());
  }

  Vector::Attributes to_write() const { return {name_}; }
  Vector::Attributes to_read() const { return {name_, FI_READ}; }
  std::filesystem::path path() const {
    return "/dev/shm/xs-av-" + std::to_string(geteuid()) + "-" + name_;
  }
  bool exists() const { return std::filesystem::exists(path()); }

 private:
  std::string name_;
};

// Sends that message to the peer, and takes the peer's one with that tag from it alone; both are as
// long, and each is made of its tag. Throws Failure if another one comes.
inline void exchange(Node& node, std::int64_t peer, std::size_t size, std::uint64_t out_tag,
                     std::uint64_t in_tag) {
  const auto number = static_cast<fi_addr_t>(peer);
  Transfer out{.bytes = pattern(size, out_tag)}, in{.bytes = Bytes(size)};
  node.receive(in, in_tag, 0, number);
  node.send(out, number, out_tag);
  node.finish(out, "the end of a send by a shared number");
  node.finish(in, "a message from a shared number");
  if (in.length != size || in.bytes != pattern(size, in_tag)) throw Failure("another content");
}

}  // namespace xs::test
