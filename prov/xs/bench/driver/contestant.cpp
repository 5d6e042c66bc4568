// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "driver/contestant.hpp"

#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <string_view>

namespace xs::bench {
namespace {

// As a shell at the other end of ssh takes it for one word.
std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string name_of(const std::string& provider, Group group) {
  if (group == Group::kSecond) return provider + "@2";
  if (group == Group::kIdle) return provider + kIdleEnding;
  return group == Group::kAsleep ? provider + " asleep" : provider;
}

}  // namespace

Casting::Casting(const Options& options, const Suite& suite, std::string control_path,
                 std::optional<CpuPair> cpus)
    : options_(options), suite_(suite), control_path_(std::move(control_path)) {
  if (cpus) cpus_ = std::to_string((*cpus)[0]) + "," + std::to_string((*cpus)[1]);
}

// A provider that the user's shell prefers must not decide who is measured.
Command Casting::worker(const std::vector<std::string>& what) const {
  Command command;
  command.arguments = {std::filesystem::read_symlink("/proc/self/exe"), "worker", control_path_,
                       cpus_};
  command.arguments.insert(command.arguments.end(), what.begin(), what.end());
  command.variables = {{"FI_PROVIDER", std::nullopt}};
  return command;
}

// What our environment says to libfabric holds over there, too.
Command Casting::far(const Command& near) const {
  Command command;
  std::istringstream words(options_.far);
  for (std::string word; words >> word;) command.arguments.push_back(word);
  command.arguments.emplace_back("env");
  for (const auto& [name, value] : near.variables)
    if (!value) command.arguments.insert(command.arguments.end(), {"-u", name});
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (std::string_view(*variable).starts_with("FI_") &&
        !std::string_view(*variable).starts_with("FI_PROVIDER="))
      command.arguments.push_back(quoted(*variable));
  for (const auto& [name, value] : near.variables)
    if (value) command.arguments.push_back(quoted(name + '=' + *value));
  for (const std::string& word : near.arguments) command.arguments.push_back(quoted(word));
  return command;
}

// The subject alone is told where its plugin is and what to build on.
void Casting::find_subject(Command& command) const {
  if (!options_.plugin_dir.empty())
    command.variables.emplace_back("FI_PROVIDER_PATH", options_.plugin_dir);
  if (!options_.inner.empty()) command.variables.emplace_back("FI_XS_FALLBACK", options_.inner);
}

Contestant Casting::floor() const {
  return {{"floor", Group::kNone, Role::kFloor}, {worker({"0", "floor"}), worker({"1", "floor"})}};
}

Contestant Casting::provider(Group group, Role role, const std::string& name) const {
  Contestant result = {{name_of(name, group), group, role}, {}};
  const unsigned idle = group == Group::kIdle ? options_.idle : 0;
  for (const char* side : {"0", "1"}) {
    Command command = worker({side, group == Group::kAsleep ? "asleep" : "awake",
                              std::string(suite_.name), name, std::to_string(idle)});
    if (group == Group::kSecond)
      command.variables.emplace_back("LD_LIBRARY_PATH", options_.second_libfabric + "/lib");
    if (role == Role::kSubject) find_subject(command);
    result.commands.push_back(command);
  }
  if (!options_.far.empty()) result.commands[1] = far(result.commands[1]);
  return result;
}

Command Casting::mpirun(const std::vector<std::string>& mca) const {
  Command command;
  command.arguments = {"mpirun", "-n", "2", "--bind-to", "none", "--oversubscribe"};
  command.arguments.insert(command.arguments.end(), mca.begin(), mca.end());
  // Two ranks on two cores: --oversubscribe is for containers that count fewer.
  for (const char* word : {"--mca", "mpi_yield_when_idle", "0"}) command.arguments.push_back(word);
  command.arguments.push_back(options_.mpi_program);
  command.arguments.push_back(control_path_);
  if (!cpus_.empty()) command.arguments.push_back(cpus_);
  if (geteuid() == 0)
    command.variables = {{"OMPI_ALLOW_RUN_AS_ROOT", "1"}, {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"}};
  return command;
}

// Open MPI leaves "tcp;ofi_rxm" and others out unless they are listed.
Contestant Casting::mpi_over_provider(Role role, const std::string& name) const {
  Command command = mpirun(
      {"--mca", "pml", "cm", "--mca", "mtl", "ofi", "--mca", "mtl_ofi_provider_include", name});
  command.variables.emplace_back("FI_PROVIDER", name);
  if (role == Role::kSubject) find_subject(command);
  return {{"mpi " + name, Group::kMpi, role}, {command}};
}

Contestant Casting::mpi_over_btl(const std::string& btl) const {
  Command command = mpirun({"--mca", "pml", "ob1", "--mca", "btl", "self," + btl});
  command.variables.emplace_back("FI_PROVIDER", std::nullopt);
  return {{"mpi " + btl, Group::kMpi, Role::kPeer}, {command}};
}

}  // namespace xs::bench
