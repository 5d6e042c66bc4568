// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The xenstore as the probe uses it, and the other guest's probe on the far side of it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "xen/probe/libraries.hpp"

namespace xs::probe {

class Store {
 public:
  Store();
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Errors are errno values, 0 for none. A read says why in `error`.
  std::optional<std::string> read(const std::string& path, int* error = nullptr);
  int write(const std::string& path, const std::string& value);
  int remove(const std::string& path);
  int list(const std::string& path);
  int watch(const std::string& path, const std::string& token);
  int unwatch(const std::string& path, const std::string& token);
  // The first entry is of the owner and says what everybody may do.
  int permit(const std::string& path, const std::vector<struct xs_permissions>& permissions);
  // Readable by that domain alone, or by all.
  int permit_one(const std::string& path, unsigned domain);
  int permit_all(const std::string& path);

  // Path of the next watch event, without waiting longer than that.
  std::optional<std::string> next_event(std::chrono::milliseconds patience);
  unsigned own_domain() const { return own_domain_; }

 private:
  struct xs_handle* handle_;
  unsigned own_domain_ = 0;
};

// Both probes take the same steps in the same order; what one says at a step, the other hears.
class Partner {
 public:
  Partner(Store& store, unsigned domain) : store_(store), domain_(domain) {}
  unsigned domain() const { return domain_; }
  // Of the two, which one this is: decides who acts first where that matters.
  bool first() const { return store_.own_domain() < domain_; }
  // Removes what a former run left; removes what this one made.
  void begin();
  void end();
  // Ends the program when the other one doesn't come to this step for a minute.
  std::string exchange(const std::string& mine);
  void meet() { exchange("."); }
  // Where it writes, as we name it, and where we do.
  std::string path_of(const std::string& node) const;
  static std::string own(const std::string& node) { return "data/xs-probe/" + node; }
  Store& store() { return store_; }

 private:
  static std::string step_node(unsigned step);

  Store& store_;
  unsigned domain_;
  unsigned step_ = 0;
};

}  // namespace xs::probe
