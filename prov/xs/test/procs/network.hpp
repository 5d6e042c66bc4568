// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Hosts on a switch, each a network namespace of its own, and ways to spoil their connections. The
// namespaces have no names: they end with the last process and descriptor that holds them. Needs
// root and iproute2.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "procs/unique_fd.hpp"

namespace xs::test {

class Namespace {
 public:
  // A new one, with nothing but a loopback interface that is up.
  Namespace();

  // Puts the calling process there.
  void enter() const;
  // Runs a shell script there; gives what it wrote. Throws Failure if it fails.
  std::string run(const std::string& script) const;
  // By what other namespaces' `ip` finds this one.
  std::string path() const;

 private:
  UniqueFd fd_;
};

class Network;

class Host {
 public:
  const std::string& address() const { return address_; }
  void enter() const { space_.enter(); }

  // Takes its address away and gives it another one, which the other hosts don't hear of.
  void renumber(const std::string& address) const;
  // Ends every TCP connection of this host with a reset to both sides; gives their number.
  int reset_connections() const;
  // Takes the cable out, and puts it in again: packets vanish without a word.
  void unplug() const;
  void plug() const;
  // Ends this host's connections while the other sides can't hear of it: they keep half of each.
  int halve_connections() const;

 private:
  friend class Network;
  Host(const Network& network, int number);

  const Network& network_;
  std::string port_;  // its end at the switch
  std::string address_;
  Namespace space_;
};

// Hosts 10.83.0.1 and on, one switch.
class Network {
 public:
  explicit Network(int hosts);
  const Host& host(int index) const { return *hosts_.at(static_cast<std::size_t>(index)); }

 private:
  friend class Host;
  Namespace switch_;
  std::vector<std::unique_ptr<Host>> hosts_;
};

}  // namespace xs::test
