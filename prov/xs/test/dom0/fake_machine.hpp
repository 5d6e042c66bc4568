// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A hypervisor and its store, as xsctl sees them.
#pragma once
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "dom0/ctl/machine.hpp"

namespace xs::test {

// What happens by itself, and when: time goes on while somebody waits, and not otherwise.
struct FakeClock {
  std::uint64_t now = 0;  // ms
  std::multimap<std::uint64_t, std::function<void()>> later;

  void after(std::uint64_t milliseconds, std::function<void()> what) {
    later.emplace(now + milliseconds, std::move(what));
  }
  // To what comes next, but at most to then. False: nothing comes before.
  bool go_on(std::uint64_t then) {
    if (later.empty() || later.begin()->first > then) return now = then, false;
    const auto next = later.extract(later.begin());
    now = std::max(now, next.key());
    next.mapped()();
    return true;
  }
};

struct FakeMachine : dom0::Machine {
  std::vector<dom0::Domain> all;
  std::map<std::uint32_t, dom0::Grants> tables;
  std::map<std::string, std::string> nodes;
  std::map<std::string, std::uint32_t> owners;  // of nodes that were given away
  std::set<std::string> watched;
  FakeClock* clock = nullptr;
  std::function<bool()> woken = [] { return false; };  // the descriptor is readable
  std::function<void(const std::string&)> on_change = [](const std::string&) {};  // of a node
  int broken = 0;     // what every call says, if it isn't 0
  int conflicts = 0;  // transactions that somebody disturbs

  // A domain with a name, if it isn't empty.
  void add(std::uint32_t id, const std::string& name, dom0::State state = dom0::State::kBlocked) {
    all.push_back({id, state, 256, {}});
    if (!name.empty()) nodes[home(id) + "name"] = name;
  }
  void put(std::uint32_t id, const std::string& node, const std::string& note) {
    nodes[home(id) + "data/xs/" + node] = note;
    fire(home(id) + "data/xs/" + node);
  }
  void take(const std::string& path) {
    std::erase_if(nodes, [&](const auto& node) {
      return node.first == path || node.first.starts_with(path + '/');
    });
    fire(path);
  }
  static std::string home(std::uint32_t id) { return "/local/domain/" + std::to_string(id) + '/'; }
  // Somebody who watches it, or what is above or below, is told.
  void fire(const std::string& path) {
    on_change(path);
    for (const std::string& each : watched) {
      if (path == each || path.starts_with(each + '/')) told_.push_back(path);
      if (each.starts_with(path + '/')) told_.push_back(each);
    }
  }

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
    if (broken) return util::Error{broken, "the store is broken"};
    std::set<std::string> names;
    for (const auto& [name, value] : nodes)
      if (name.starts_with(path + '/'))
        names.insert(
            name.substr(path.size() + 1, name.find('/', path.size() + 1) - path.size() - 1));
    if (names.empty()) return util::Error{ENOENT, "no such node"};
    return std::vector<std::string>(names.begin(), names.end());
  }

  util::Result<bool> begin_changes() override {
    if (broken) return util::Error{broken, "the store is broken"};
    before_ = {nodes, owners};
    in_changes_ = true;
    return true;
  }
  util::Result<bool> end_changes(bool keep) override {
    in_changes_ = false;
    const auto changed = std::exchange(changed_, {});
    const bool disturbed = keep && conflicts > 0 && conflicts-- > 0;
    if (!keep || disturbed) std::tie(nodes, owners) = before_;
    if (disturbed) return util::Error{EAGAIN, "somebody was faster"};
    for (const std::string& path : changed)
      if (keep) fire(path);
    return true;
  }
  util::Result<bool> write(const std::string& path, const std::string& value) override {
    nodes[path] = value;
    return change(path);
  }
  util::Result<bool> remove(const std::string& path) override {
    if (!nodes.erase(path)) return util::Error{ENOENT, "no such node"};
    return change(path);
  }
  util::Result<bool> give(const std::string& path, std::uint32_t domain) override {
    owners[path] = domain;
    return change(path);
  }
  util::Result<bool> watch(const std::string& path) override {
    if (broken) return util::Error{broken, "the store is broken"};
    watched.insert(path);
    told_.push_back(path);
    return true;
  }
  util::Result<std::vector<std::string>> wait(std::uint64_t milliseconds, int) override {
    if (broken) return util::Error{broken, "the store is broken"};
    const std::uint64_t until = clock ? clock->now + milliseconds : 0;
    while (told_.empty() && clock && !woken() && clock->go_on(until)) {
    }
    return std::exchange(told_, {});
  }

 private:
  bool change(const std::string& path) {
    if (in_changes_)
      changed_.push_back(path);
    else
      fire(path);
    return true;
  }

  std::pair<std::map<std::string, std::string>, std::map<std::string, std::uint32_t>> before_;
  bool in_changes_ = false;
  std::vector<std::string> changed_;
  std::vector<std::string> told_;
};

}  // namespace xs::test
