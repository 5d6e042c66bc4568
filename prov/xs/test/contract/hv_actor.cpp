// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "contract/hv_actor.hpp"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace xs::test {

namespace {

template <std::size_t kSize>
std::array<std::byte, kSize> array_from(const std::string& hex) {
  std::array<std::byte, kSize> out{};
  const auto bytes = from_hex(hex);
  std::copy_n(bytes.begin(), std::min(kSize, bytes.size()), out.begin());
  return out;
}

// The permissions of the mapping that an address lies in, as /proc tells them: "r--s".
std::string permissions(const void* address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char rights[5] = "";
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights) == 3 &&
        begin <= reinterpret_cast<std::uintptr_t>(address) &&
        reinterpret_cast<std::uintptr_t>(address) < end)
      return rights;
  }
  return "none";
}

bool readable(int descriptor, int milliseconds) {
  struct pollfd ready = {.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, milliseconds) == 1;
}

template <class T>
T next(std::istream& words) {
  T value{};
  words >> value;
  return value;
}

}  // namespace

std::string to_hex(std::span<const std::byte> bytes) {
  std::string out;
  for (const std::byte byte : bytes) {
    out += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4];
    out += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15];
  }
  return out;
}

std::vector<std::byte> from_hex(const std::string& hex) {
  std::vector<std::byte> out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<std::byte>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  return out;
}

std::size_t open_descriptors() {
  using Entries = std::filesystem::directory_iterator;
  return static_cast<std::size_t>(std::distance(Entries("/proc/self/fd"), Entries()));
}

std::size_t shared_mappings() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);)
    count += line.find("s ", line.find(' ')) == line.find(' ') + 4 ? 1 : 0;
  return count;
}

HvActor::Pair& HvActor::of(const hv::Link& link) noexcept {
  const auto is_it = [&](const Pair& pair) { return pair.link.get() == &link; };
  const auto found = std::find_if(pairs_.begin(), pairs_.end(), is_it);
  if (found == pairs_.end()) std::abort();  // told of a link that was destroyed
  return *found;
}

void HvActor::lost(hv::Link& link, hv::Loss why) noexcept {
  Pair& pair = of(link);
  ++pair.lost;
  pair.why = why;
  if (why == hv::Loss::kMoved && pair.met_after == moves_) ++untold_;
  if (pair.leave_when_lost) pair.link.reset();
}

// card | meet CARD | progress | readable MS | counters | cost | close | moves: how many, and losses
// by a move that was not told before | pauses: how often they began or ended, and whether something
// is still to be given back
std::string HvActor::obey(const std::string& line) {
  std::istringstream words(line);
  const auto verb = next<std::string>(words);
  if (verb == "card") return to_hex(encode(backend_->card()));
  if (verb == "meet") return meet(words);
  if (verb == "progress") return std::to_string(backend_->progress(*this));
  if (verb == "readable") return std::to_string(readable(backend_->descriptor(), next<int>(words)));
  if (verb == "moves") return std::to_string(moves_) + ' ' + std::to_string(untold_);
  if (verb == "pauses") return std::to_string(pauses_) + ' ' + std::to_string(backend_->restless());
  if (verb == "counters") return counters();
  if (verb == "cost")
    return std::to_string(open_descriptors()) + ' ' + std::to_string(shared_mappings());
  if (verb == "close") {
    pairs_.clear();
    backend_.reset();
    return "0";
  }
  if (verb == "put" || verb == "get" || verb == "own" || verb == "sum" || verb == "rights" ||
      verb == "revoke" || verb == "unshare" || verb == "unmap")
    return about_memory(verb, words);
  return about_pair(verb, words);
}

// budget P N: pages, in use, on their way back, cost of N; or none
// state P | news P | ring P | leave P | leave_when_lost P | share P PAGES | map P OFFER
std::string HvActor::about_pair(const std::string& verb, std::istream& words) {
  Pair& pair = pairs_.at(next<std::size_t>(words));
  if (verb == "leave") {
    pair.link.reset();
    return "0";
  }
  if (verb == "leave_when_lost") {
    pair.leave_when_lost = true;
    return "0";
  }
  if (verb == "news") {
    std::ostringstream out;
    out << pair.opened << ' ' << pair.pages << ' ' << pair.rung << ' ' << pair.lost << ' '
        << static_cast<int>(pair.why);
    return out.str();
  }
  if (verb == "state") return std::to_string(static_cast<int>(pair.link->state()));
  if (verb == "ring") return std::to_string(static_cast<int>(pair.link->ring()));
  if (verb == "budget") return budget(*pair.link, words);
  if (verb == "share") return share(pair, words);
  if (verb == "map") return map(pair, words);
  return "no such command";
}

// put S AT HEX | own S AT SIZE | get M AT SIZE | sum M: size and the sum of its bytes | rights M |
// revoke S | unshare S | unmap M
std::string HvActor::about_memory(const std::string& verb, std::istream& words) {
  const auto which = next<std::size_t>(words);
  const auto at = next<std::size_t>(words);
  if (verb == "put") {
    const auto bytes = from_hex(next<std::string>(words));
    std::copy(bytes.begin(), bytes.end(), shares_.at(which)->bytes().begin() + at);
  } else if (verb == "get") {
    return to_hex(mappings_.at(which)->bytes().subspan(at, next<std::size_t>(words)));
  } else if (verb == "own") {
    return to_hex(shares_.at(which)->bytes().subspan(at, next<std::size_t>(words)));
  } else if (verb == "sum") {
    std::uint64_t sum = 0;
    for (const std::byte byte : mappings_.at(which)->bytes())
      sum += std::to_integer<unsigned>(byte);
    return std::to_string(mappings_.at(which)->bytes().size()) + ' ' + std::to_string(sum);
  } else if (verb == "rights") {
    return permissions(mappings_.at(which)->bytes().data());
  } else if (verb == "revoke") {
    shares_.at(which)->revoke();
  } else if (verb == "unshare") {
    shares_.at(which).reset();
  } else {
    mappings_.at(which).reset();
  }
  return "0";
}

std::string HvActor::meet(std::istream& words) {
  const auto card = hv::decode_card(array_from<hv::kCardSize>(next<std::string>(words)));
  if (!card) return "-1 0";
  auto met = backend_->meet(*card);
  if (!met) return std::to_string(met.error().code) + " 0";
  pairs_.emplace_back().link = std::move(*met);
  pairs_.back().met_after = moves_;
  return "0 " + std::to_string(pairs_.size() - 1);
}

std::string HvActor::budget(const hv::Link& link, std::istream& words) {
  const hv::Budget* const budget = link.budget();
  if (!budget) return "none";
  std::ostringstream out;
  out << budget->pages << ' ' << budget->in_use << ' ' << budget->leaving << ' '
      << link.cost(next<std::size_t>(words));
  return out.str();
}

std::string HvActor::share(Pair& pair, std::istream& words) {
  auto shared = pair.link->share(next<std::size_t>(words));
  if (!shared) return std::to_string(shared.error().code) + " 0 0";
  shares_.push_back(std::move(*shared));
  return "0 " + std::to_string(shares_.size() - 1) + ' ' + to_hex(shares_.back()->offer());
}

std::string HvActor::map(Pair& pair, std::istream& words) {
  auto mapped = pair.link->map(array_from<sizeof(hv::Offer)>(next<std::string>(words)));
  if (!mapped) return std::to_string(mapped.error().code) + " 0";
  mappings_.push_back(std::move(*mapped));
  return "0 " + std::to_string(mappings_.size() - 1);
}

std::string HvActor::counters() const {
  const hv::Counters& c = backend_->counters();
  std::ostringstream out;
  out << c.opened << ' ' << c.gone << ' ' << c.elsewhere << ' ' << c.stale << ' ' << c.other_user
      << ' ' << c.evicted << ' ' << c.nonsense << ' ' << c.bad_pages << ' ' << c.exhausted << ' '
      << c.moved;
  return out.str();
}

}  // namespace xs::test
