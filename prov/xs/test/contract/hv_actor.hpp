// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A process that does with a backend of hv what it is told, line by line, so that the two sides of
// a test may live in one process, in two, or in two virtual machines.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "hv/hv.hpp"

namespace xs::test {

class HvActor final : hv::Events {
 public:
  explicit HvActor(std::unique_ptr<hv::Backend> backend) : backend_(std::move(backend)) {}

  // The answer to a command; they are listed in hv_actor.cpp.
  std::string obey(const std::string& line);

 private:
  struct Pair {
    std::unique_ptr<hv::Link> link;
    unsigned opened = 0, pages = 0, rung = 0, lost = 0;
    hv::Loss why{};
    unsigned met_after = 0;  // moves
    bool leave_when_lost = false;
  };

  void opened(hv::Link& link) noexcept override { ++of(link).opened; }
  void pages_came(hv::Link& link) noexcept override { ++of(link).pages; }
  void rung(hv::Link& link) noexcept override { ++of(link).rung; }
  void lost(hv::Link& link, hv::Loss why) noexcept override;
  void budget_changed() noexcept override {}
  void pause_changed() noexcept override { ++pauses_; }
  void moved() noexcept override { ++moves_; }
  Pair& of(const hv::Link& link) noexcept;

  std::string about_pair(const std::string& verb, std::istream& words);
  std::string about_memory(const std::string& verb, std::istream& words);
  std::string meet(std::istream& words);
  static std::string budget(const hv::Link& link, std::istream& words);
  std::string share(Pair& pair, std::istream& words);
  std::string map(Pair& pair, std::istream& words);
  std::string counters() const;

  std::unique_ptr<hv::Backend> backend_;
  unsigned moves_ = 0, pauses_ = 0, untold_ = 0;
  std::vector<Pair> pairs_;
  std::vector<std::unique_ptr<hv::Share>> shares_;
  std::vector<std::unique_ptr<hv::Mapping>> mappings_;
};

std::string to_hex(std::span<const std::byte> bytes);
std::vector<std::byte> from_hex(const std::string& hex);

// What this process holds: descriptors, and mappings that others may see.
std::size_t open_descriptors();
std::size_t shared_mappings();

}  // namespace xs::test
