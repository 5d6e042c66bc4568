// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// 64 processes in 4 virtual machines that do not know each other keep within what a machine may
// grant, store and watch (docs/budgets.md, "Pages of a VM"): `xs-sim --guests`.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "hv/fake/xen.hpp"
#include "sim/fake/network.hpp"
#include "sim/guest/rank.hpp"

namespace xs::sim {

class Guests final : private NetworkObserver {
 public:
  // limit: pages that each VM may grant.
  explicit Guests(std::size_t limit);
  // To the end, or to the first thing that is wrong: then what, else an empty text.
  std::string run();

 private:
  void arrives(ProcessId, Nanoseconds) noexcept override {}
  void touches(const void*, std::size_t, bool) noexcept override {}
  void carried(const char*, const proto::Address&, const proto::Address&, bool,
               std::span<const std::byte>) noexcept override {}
  void stopped(const proto::Address&) noexcept override {}
  void misused(const char* what) noexcept override {
    fail("the inner provider was misused: ", what);
  }

  void alone();
  void everybody();
  void crashes();
  void pauses();
  void announce(unsigned vm, bool pause);
  void await_quiet(unsigned vm);
  void judge_pause();
  void end();

  void start(unsigned vm, unsigned number);
  void pass(unsigned milliseconds, bool calm, std::size_t busy_bytes);
  void send_calm(unsigned millisecond);
  void send_busy(std::size_t bytes);
  bool are_busy(unsigned a, unsigned b) const;
  void judge_quotas(const char* when);
  void judge_busy(const char* when);
  void show(const char* when);
  void fail(const std::string& what, const std::string& more) {
    if (wrong_.empty()) wrong_ = what + more;
  }
  template <class F>
  void for_each(F&& f) {
    for (auto& rank : ranks_)
      if (rank) f(*rank);
  }

  FakeNetwork network_;
  test::FakeXen xen_;
  std::vector<std::unique_ptr<Rank>> ranks_;  // of the first VM, of the second ...
  unsigned lives_ = 0;
  unsigned time_ = 0;  // milliseconds
  std::uint64_t lost_ = 0;
  std::string wrong_;
};

}  // namespace xs::sim
