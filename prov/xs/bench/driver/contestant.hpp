// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "common/cores.hpp"
#include "driver/options.hpp"
#include "driver/process.hpp"
#include "report/entry.hpp"

namespace xs::bench {

/// How to start the pair of workers of one entry: one command for each side,
/// or a single one (mpirun) for both.
struct Contestant {
  Entry entry;
  std::vector<Command> commands;
};

/// Makes the commands of all kinds of contestants for one suite.
class Casting {
 public:
  Casting(const Options& options, const Suite& suite, std::string control_path,
          std::optional<CpuPair> cpus);

  Contestant floor() const;
  /// A provider of the libfabric that belongs to `group`.
  Contestant provider(Group group, Role role, const std::string& name) const;
  /// Open MPI over its OFI component and this provider.
  Contestant mpi_over_provider(Role role, const std::string& name) const;
  /// Open MPI over one of its own byte transfer layers, such as "vader".
  Contestant mpi_over_btl(const std::string& btl) const;

 private:
  Command worker(const std::vector<std::string>& what) const;
  Command mpirun(const std::vector<std::string>& mca) const;
  Command far(const Command& near) const;
  void find_subject(Command& command) const;

  const Options& options_;
  const Suite& suite_;
  std::string control_path_;
  std::string cpus_;  // "A,B", or empty where pinning makes no sense
};

}  // namespace xs::bench
