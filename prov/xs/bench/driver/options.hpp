// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/suite.hpp"

namespace xs::bench {

/// The command line of the driver.
struct Options {
  std::string subject = "xs";  ///< the provider in question
  std::vector<const Suite*> suites = {kSuites.begin(), kSuites.end()};
  std::vector<std::string> peers = {"shm", "sm2", "net", "tcp", "tcp;ofi_rxm", "sockets", "mpi"};
  std::string inner;             ///< what the subject must build on; empty: the first that is there
  std::string plugin_dir;        ///< where libxs-fi.so is; empty: where libfabric looks
  std::string second_libfabric;  ///< install prefix; empty: none
  std::string mpi_program;       ///< the program that mpirun starts; empty: no MPI
  std::string far;   ///< the command that runs another one on another machine; empty: one machine
  std::string near;  ///< this machine's address, for workers over there
  bool asleep = false;      ///< also measure sleepers
  unsigned idle = 0;        ///< also measure beside that many idle peers; 0: don't
  unsigned beginnings = 0;  ///< fresh pairs, for the first message
  std::string out = ".";    ///< directory for the results
  unsigned rounds = 40;
  std::size_t largest = kMessageSizes.back();  ///< bytes of the largest message
  std::size_t window_memory = kWindowBytes;    ///< bytes of a window of a stream
  double budget = 0.010;                       ///< seconds per measurement
  double deadline = 2.0;                       ///< seconds after which a measurement is given up
  double limit = 600;  ///< seconds after which no further measurement begins
  bool has_peer(const std::string& name) const;
};

/// Nothing if the command line asks for help. Throws Failure if it is wrong.
std::optional<Options> parse_options(const std::vector<std::string>& arguments);

/// What the options mean, for people.
extern const char* const kUsage;

}  // namespace xs::bench
