// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A hypervisor and its store, as xsctl sees them.
#pragma once
#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "dom0/ctl/machine.hpp"

namespace xs::test {

struct FakeMachine : dom0::Machine {
  std::vector<dom0::Domain> all;
  std::map<std::uint32_t, dom0::Grants> tables;
  std::map<std::string, std::string> nodes;
  int broken = 0;  // what every call says, if it isn't 0

  // A domain with a name, if it isn't empty.
  void add(std::uint32_t id, const std::string& name, dom0::State state = dom0::State::kBlocked) {
    all.push_back({id, state, 256});
    if (!name.empty()) nodes[home(id) + "name"] = name;
  }
  void put(std::uint32_t id, const std::string& node, const std::string& note) {
    nodes[home(id) + "data/xs/" + node] = note;
  }
  static std::string home(std::uint32_t id) { return "/local/domain/" + std::to_string(id) + '/'; }

  util::Result<std::vector<dom0::Domain>> domains() override {
    if (broken) return util::Error{broken, "Xen is broken"};
    return all;
  }
  util::Result<dom0::Grants> grants(std::uint32_t domain) override {
    const auto found = tables.find(domain);
    if (found == tables.end()) return util::Error{EPERM, "no table"};
    return found->second;
  }
  util::Result<std::string> read(const std::string& path) override {
    if (broken) return util::Error{broken, "the store is broken"};
    const auto found = nodes.find(path);
    if (found == nodes.end()) return util::Error{ENOENT, "no such node"};
    return found->second;
  }
  util::Result<std::vector<std::string>> list(const std::string& path) override {
    std::vector<std::string> names;
    for (const auto& [name, value] : nodes)
      if (name.starts_with(path + '/')) names.push_back(name.substr(path.size() + 1));
    if (names.empty()) return util::Error{ENOENT, "no such node"};
    return names;
  }
};

}  // namespace xs::test
