// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/xen/mates.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <string_view>

#include "hv/xen/sign.hpp"

namespace xs::hv {

namespace {

XenPath mate_of(std::uint64_t process) noexcept {
  XenPath path{};
  std::snprintf(path.data(), path.size(), "%s/%016" PRIx64, kMatesDirectory, process);
  return path;
}

template <class T>
bool parse(std::string_view word, T& to) noexcept {
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, to, 16);
  return error == std::errc{} && stop == end;
}

}  // namespace

int Mates::enter(std::uint64_t network) noexcept {
  std::array<char, 20> text{};
  const int size = std::snprintf(text.data(), text.size(), "%" PRIx64, network);
  entered_ = true;
  return calls_->write(mate_of(own_.high).data(),
                       std::string_view(text.data(), static_cast<std::size_t>(size)));
}

void Mates::leave() noexcept { calls_->remove(mate_of(own_.high).data()); }

std::size_t Mates::count(std::uint64_t network) noexcept {
  std::array<char, 4096> names;
  auto size = calls_->list(kMatesDirectory, names);
  std::string_view left(names.data(), size ? *size : 0);
  std::size_t others = 0;
  while (!left.empty()) {
    const std::string_view name = left.substr(0, left.find('\n'));
    left.remove_prefix(std::min(name.size() + 1, left.size()));
    std::uint64_t process = 0;
    if (!parse(name, process) || process == own_.high) continue;
    const XenPath node = mate_of(process);
    if (has_ended(process, node.data(), network))
      calls_->remove(node.data());
    else
      ++others;
  }
  return others + 1;
}

// Of those that live in another network namespace nothing is seen.
bool Mates::has_ended(std::uint64_t process, const char* node, std::uint64_t network) noexcept {
  if (Sign::is_up(process)) return false;
  std::array<char, 20> text{};
  std::uint64_t theirs = 0;
  auto size = calls_->read(node, text);
  return size && parse({text.data(), *size}, theirs) && theirs == network;
}

}  // namespace xs::hv
