// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "procs/network.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "procs/failure.hpp"

namespace xs::test {

namespace {

UniqueFd this_namespace() {
  return UniqueFd(checked(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "/proc/self/ns/net"));
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> part;
  ssize_t got;
  while ((got = read(fd, part.data(), part.size())) > 0)
    text.append(part.data(), static_cast<std::size_t>(got));
  return text;
}

}  // namespace

Namespace::Namespace() {
  const UniqueFd here = this_namespace();
  checked(unshare(CLONE_NEWNET), "a network namespace (these tests need root)");
  fd_ = this_namespace();
  checked(setns(here.get(), CLONE_NEWNET), "back to the first network namespace");
  run("ip link set lo up");
}

void Namespace::enter() const { checked(setns(fd_.get(), CLONE_NEWNET), "network namespace"); }

std::string Namespace::path() const {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_.get());
}

std::string Namespace::run(const std::string& script) const {
  int ends[2];
  checked(pipe2(ends, O_CLOEXEC), "pipe");
  UniqueFd reader(ends[0]), writer(ends[1]);
  const pid_t child = checked(fork(), "fork");
  if (child == 0) {
    if (setns(fd_.get(), CLONE_NEWNET) == 0 && dup2(writer.get(), 1) == 1 && dup2(1, 2) == 2)
      execl("/bin/sh", "sh", "-ec", script.c_str(), nullptr);
    _exit(127);
  }
  writer.reset();
  std::string output = read_all(reader.get());
  int status = 0;
  checked(waitpid(child, &status, 0), "waitpid");
  if (status != 0) throw Failure("`" + script + "` failed: " + output);
  return output;
}

Host::Host(const Network& network, int number)
    : network_(network),
      port_("port" + std::to_string(number)),
      address_("10.83.0." + std::to_string(number)) {
  network.switch_.run("ip link add " + port_ + " type veth peer name eth0 netns " + space_.path() +
                      "; ip link set " + port_ + " master switch up");
  space_.run("ip addr add " + address_ + "/24 dev eth0; ip link set eth0 up");
}

void Host::renumber(const std::string& address) const {
  space_.run("ip addr flush dev eth0; ip addr add " + address + "/24 dev eth0");
}

int Host::reset_connections() const {
  // Established ones only: ending a half-open request takes its listener with it.
  const std::string ended = space_.run("ss -KtnH state established");
  return static_cast<int>(std::count(ended.begin(), ended.end(), '\n'));
}

void Host::unplug() const { network_.switch_.run("ip link set " + port_ + " down"); }
void Host::plug() const { network_.switch_.run("ip link set " + port_ + " up"); }

int Host::halve_connections() const {
  unplug();
  const int ended = reset_connections();
  plug();
  return ended;
}

Network::Network(int hosts) {
  switch_.run("ip link add switch type bridge; ip link set switch up");
  for (int number = 1; number <= hosts; ++number)
    hosts_.push_back(std::unique_ptr<Host>(new Host(*this, number)));
}

}  // namespace xs::test
