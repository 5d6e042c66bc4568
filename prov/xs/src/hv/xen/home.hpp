// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where our own domain's nodes are on a connection to the store. Root in dom0 is given the daemon's
// socket, which is no domain's: what is relative there is below the root of the store.
#pragma once
#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "hv/xen/note.hpp"

namespace xs::hv {

class Home {
 public:
  // `is_there` tells whether this connection can read a node.
  template <class IsThere>
  static Home find(IsThere is_there) noexcept {
    Home home;
    home.by_socket_ = !is_there("domid") && is_there("/local/domain/0/domid");
    return home;
  }
  // What to ask the store for.
  XenPath outside(const char* path) const noexcept {
    XenPath whole{};
    const bool is_ours = by_socket_ && path[0] != '/';
    std::snprintf(whole.data(), whole.size(), "%s%s", is_ours ? kDom0.data() : "", path);
    return whole;
  }
  // What we call what the store tells of.
  const char* inside(const char* path) const noexcept {
    const bool is_ours = by_socket_ && std::string_view(path).starts_with(kDom0);
    return is_ours ? path + kDom0.size() : path;
  }

 private:
  static constexpr std::string_view kDom0 = "/local/domain/0/";
  bool by_socket_ = false;
};

}  // namespace xs::hv
