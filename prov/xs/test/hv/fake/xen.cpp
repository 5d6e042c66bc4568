// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/fake/xen.hpp"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "hv/hv.hpp"

namespace xs::test {

using hv::kPageSize;
using util::Error;
using util::Result;

namespace {

constexpr off_t kMemory = off_t{1} << 32;  // bytes, sparse: no page is used twice

std::string home_of(std::uint32_t domain) {
  return "/local/domain/" + std::to_string(domain) + '/';
}

off_t at(std::size_t page) { return static_cast<off_t>(page * kPageSize); }

}  // namespace

FakeXen::FakeXen() : memory_(memfd_create("fake xen", MFD_CLOEXEC)) {
  if (ftruncate(memory_.get(), kMemory) != 0) std::abort();
}

std::shared_ptr<FakeXenCalls> FakeXen::connect(std::uint32_t domain) {
  nodes_[home_of(domain) + "domid"] = {std::to_string(domain), true};
  return std::make_shared<FakeXenCalls>(*this, domain);
}

bool FakeXen::is_inhabited(std::uint32_t domain) const {
  return std::any_of(connections_.begin(), connections_.end(),
                     [&](const FakeXenCalls* each) { return each->domain_ == domain; });
}

std::string FakeXen::value(const std::string& path) const {
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? "" : found->second.value;
}

void FakeXen::put(const std::string& path, const std::string& value) {
  nodes_[path] = {value, true};
  fire(path);
}

void FakeXen::remove(const std::string& path) {
  if (nodes_.erase(path) > 0) fire(path);
}

// Directories that exist because of what is in them are nodes, too.
FakeXen::Used FakeXen::used(std::uint32_t domain) const {
  Used used;
  const std::string data = home_of(domain) + "data/";
  std::map<std::string, std::set<std::string>> directories;
  std::set<std::string> nodes;
  for (const auto& [path, node] : nodes_) {
    if (!path.starts_with(data)) continue;
    used.value = std::max(used.value, node.value.size());
    for (std::size_t end = path.size(); end > data.size(); end = path.rfind('/', end - 1)) {
      const std::string each = path.substr(0, end);
      nodes.insert(each);
      directories[each.substr(0, each.rfind('/'))].insert(each);
    }
  }
  used.nodes = nodes.size();
  for (const auto& [path, names] : directories) used.names = std::max(used.names, names.size());
  for (const auto& [key, grant] : grants_) used.pages += key.first == domain;
  for (const FakeXenCalls* each : connections_)
    if (each->domain_ == domain) used.watches += each->watches();
  return used;
}

void FakeXen::note_peak(std::uint32_t domain) {
  const Used now = used(domain);
  Used& peak = domains_[domain].peak;
  peak = {.pages = std::max(peak.pages, now.pages),
          .nodes = std::max(peak.nodes, now.nodes),
          .watches = std::max(peak.watches, now.watches),
          .names = std::max(peak.names, now.names),
          .value = std::max(peak.value, now.value)};
}

bool FakeXen::has_room(std::uint32_t domain, const std::string& path, std::string_view value) {
  const Quota& most = quota(domain);
  if (value.size() > most.value) return false;
  if (nodes_.contains(path)) return true;
  nodes_[path];
  const Used then = used(domain);
  nodes_.erase(path);
  return then.nodes <= most.nodes && then.names <= most.names;
}

void FakeXen::fire(const std::string& path) {
  for (FakeXenCalls* each : connections_) each->hear(path);
}

void FakeXen::displace(std::uint32_t from, std::uint32_t to) {
  ports.move(from);
  for (FakeXenCalls* each : connections_) {
    if (each->domain_ != from) continue;
    each->domain_ = to;
    for (const auto& [begin, pages] : each->mapped_) {
      auto* const place = const_cast<std::byte*>(begin);
      mmap(place, pages * kPageSize, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
      std::memset(place, 0xff, pages * kPageSize);
    }
  }
  const std::string home = home_of(from);
  std::vector<std::string> gone;
  for (const auto& [path, node] : nodes_)
    if (path.starts_with(home)) gone.push_back(path);
  for (const std::string& path : gone) remove(path);
  std::erase_if(grants_, [&](const auto& each) { return each.first.first == from; });
  nodes_[home_of(to) + "domid"] = {std::to_string(to), true};
}

void FakeXen::fire_all(std::uint32_t domain) {
  for (FakeXenCalls* each : connections_) {
    if (each->domain_ != domain) continue;
    for (const std::string& path : each->watched_) each->events_.push_back(path);
    eventfd_write(each->bell_.get(), 1);
  }
}

void FakeXen::scribble(std::uint32_t domain, std::uint32_t reference, std::size_t where,
                       std::byte byte) {
  const Grant& grant = grants_.at({domain, reference});
  if (pwrite(memory_.get(), &byte, 1, at(grant.page) + static_cast<off_t>(where)) != 1)
    std::abort();
}

void FakeXen::scribble_all(std::uint32_t domain, std::byte byte, bool lives) {
  for (const auto& [key, grant] : grants_) {
    if (key.first != domain || (grant.life && !lives)) continue;
    for (std::size_t i = 0; i < kPageSize; ++i) scribble(domain, key.second, i, byte);
  }
}

FakeXenCalls::FakeXenCalls(FakeXen& xen, std::uint32_t domain)
    : xen_(xen),
      domain_(domain),
      bell_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      alarm_device_(eventfd(0, EFD_CLOEXEC)) {
  xen_.connections_.push_back(this);
}

FakeXenCalls::~FakeXenCalls() {
  std::erase(xen_.connections_, this);
  if (!alarms_.empty() && !xen_.ports.kept.contains(alarms())) ++xen_.ports.crashes;
}

void FakeXenCalls::kill() {
  clear_lives();
  release_mappings();
}

void FakeXenCalls::clear_lives() {
  killed_ = true;
  for (const auto& [begin, shared] : shared_)
    if (shared.clears >= 0) begin[shared.clears] = std::byte{0};
}

void FakeXenCalls::release_mappings() {
  killed_ = true;
  if (!channels_) return;
  channels_->end();
  for (const auto& [begin, port] : std::exchange(alarms_, {})) channels_->ring_and_let_go(port);
}

Result<std::byte*> FakeXenCalls::share(std::uint32_t domain,
                                       std::span<std::uint32_t> references) noexcept {
  if (xen_.used(domain_).pages + references.size() > limit())
    return Error{ENOSPC, "pages can't be granted"};
  void* const begin = mmap(nullptr, references.size() * kPageSize, PROT_READ | PROT_WRITE,
                           MAP_SHARED, xen_.memory_.get(), at(xen_.next_page_));
  if (begin == MAP_FAILED) return Error{errno, "pages can't be granted"};
  Shared shared;
  for (std::uint32_t& reference : references) {
    reference = xen_.next_reference_++;
    xen_.grants_[{domain_, reference}] = {xen_.next_page_++, domain};
    shared.references.push_back(reference);
  }
  shared_[static_cast<std::byte*>(begin)] = shared;
  xen_.note_peak(domain_);
  return static_cast<std::byte*>(begin);
}

Result<std::byte*> FakeXenCalls::share_life(std::uint32_t domain, std::uint32_t& reference,
                                            std::uint32_t offset) noexcept {
  auto begin = share(domain, {&reference, 1});
  if (!begin) return begin;
  shared_[*begin].clears = offset;
  xen_.grants_[{domain_, reference}].life = true;
  return begin;
}

void FakeXenCalls::unshare(std::byte* begin, std::size_t pages) noexcept {
  const Shared& shared = shared_.at(begin);
  if (shared.references.size() != pages) std::abort();
  if (shared.clears >= 0) begin[shared.clears] = std::byte{0};
  for (const std::uint32_t reference : shared.references) xen_.grants_.erase({domain_, reference});
  shared_.erase(begin);
  munmap(begin, pages * kPageSize);
}

Result<const std::byte*> FakeXenCalls::map(std::uint32_t domain,
                                           std::span<const std::uint32_t> references) noexcept {
  if (xen_.at_map) xen_.at_map(domain, references.front());
  std::vector<std::size_t> pages;
  for (const std::uint32_t reference : references) {
    const auto found = xen_.grants_.find({domain, reference});
    if (found == xen_.grants_.end() || found->second.reader != domain_)
      return Error{EINVAL, "grants can't be mapped"};
    pages.push_back(found->second.page);
  }
  const std::size_t size = pages.size() * kPageSize;
  void* const begin = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED) return Error{ENOMEM, "grants can't be mapped"};
  auto* const bytes = static_cast<std::byte*>(begin);
  for (std::size_t i = 0; i < pages.size(); ++i)
    if (mmap(bytes + i * kPageSize, kPageSize, PROT_READ, MAP_SHARED | MAP_FIXED,
             xen_.memory_.get(), at(pages[i])) == MAP_FAILED)
      std::abort();
  mapped_[bytes] = pages.size();
  return bytes;
}

Result<const std::byte*> FakeXenCalls::map_alarm(std::uint32_t domain, std::uint32_t reference,
                                                 std::uint32_t port) noexcept {
  auto begin = map(domain, {&reference, 1});
  if (!begin) return begin;
  if (const int error = channels_->hold(port)) {
    unmap(*begin, 1);
    return Error{error, "no alarm can be set"};
  }
  alarms_[*begin] = port;
  return begin;
}

Result<std::unique_ptr<hv::EventChannels>> FakeXenCalls::open_channels() noexcept {
  if (xen_.ports.refuses != 0) return Error{xen_.ports.refuses, "no event channels"};
  return std::unique_ptr<hv::EventChannels>(
      std::make_unique<FakeChannels>(xen_.ports, domain_, channels_));
}

void FakeXenCalls::unmap(const std::byte* begin, std::size_t pages) noexcept {
  if (mapped_.at(begin) != pages) std::abort();
  if (alarms_.contains(begin)) std::abort();
  mapped_.erase(begin);
  munmap(const_cast<std::byte*>(begin), pages * kPageSize);
}

void FakeXenCalls::unmap_alarm(const std::byte* page) noexcept {
  // The kernel of a killed process has rung it already.
  if (const auto alarm = alarms_.extract(page)) {
    if (channels_)
      channels_->ring_and_let_go(alarm.mapped());
    else
      ++xen_.ports.crashes;
  }
  unmap(page, 1);
}

std::string FakeXenCalls::whole(const std::string& path) const {
  return path.starts_with('/') ? path : home_of(domain_) + path;
}

// A node that isn't there, of another domain: EACCES, as one that may not be read. Dom0 may read
// and write everything.
Result<std::size_t> FakeXenCalls::read(const char* path, std::span<char> to) noexcept {
  const std::string name = whole(path);
  const bool own = may_all() || name.starts_with(home_of(domain_));
  const auto found = xen_.nodes_.find(name);
  if (found == xen_.nodes_.end()) return Error{own ? ENOENT : EACCES, "no such node"};
  if (!own && !found->second.readable) return Error{EACCES, "no such node"};
  return found->second.value.copy(to.data(), to.size());
}

Result<std::size_t> FakeXenCalls::list(const char* path, std::span<char> to) noexcept {
  const std::string above = whole(path) + '/';
  std::string names;
  bool any = false;
  for (const auto& [name, node] : xen_.nodes_) {
    if (!name.starts_with(above)) continue;
    any = true;
    const std::string line = name.substr(above.size()) + '\n';
    if (names.size() + line.size() > to.size()) break;
    names += line;
  }
  if (!any) return Error{ENOENT, "no such node"};
  return names.copy(to.data(), to.size());
}

int FakeXenCalls::write(const char* path, std::string_view value) noexcept {
  if (killed_) return 0;
  if (!xen_.data_is_ours && !may_all()) return EACCES;
  if (!xen_.has_room(domain_, whole(path), value)) return ENOSPC;
  xen_.nodes_[whole(path)].value = value;
  xen_.note_peak(domain_);
  xen_.fire(whole(path));
  return 0;
}

int FakeXenCalls::remove(const char* path) noexcept {
  if (killed_) return 0;
  if (xen_.nodes_.erase(whole(path)) == 0) return ENOENT;
  xen_.fire(whole(path));
  return 0;
}

int FakeXenCalls::permit_all(const char* path, std::uint32_t own) noexcept {
  if (own != domain_) return EINVAL;
  xen_.nodes_[whole(path)].readable = true;
  xen_.fire(whole(path));
  return 0;
}

int FakeXenCalls::watch(const char* path) noexcept {
  if (broken_) return EBADF;
  if (xen_.used(domain_).watches >= xen_.quota(domain_).watches) {
    broken_ = true;
    watched_.clear();
    events_.clear();
    return E2BIG;
  }
  watched_.insert(path);
  xen_.note_peak(domain_);
  events_.push_back(path);
  eventfd_write(bell_.get(), 1);
  return 0;
}

void FakeXenCalls::unwatch(const char* path) noexcept {
  watched_.erase(path);
  std::erase_if(events_, [&](const std::string& each) { return each.starts_with(path); });
}

void FakeXenCalls::hear(const std::string& path) {
  for (const std::string& watched : watched_) {
    const std::string name = whole(watched);
    if (path != name && !path.starts_with(name + '/')) continue;
    events_.push_back(watched + path.substr(name.size()));
    eventfd_write(bell_.get(), 1);
  }
}

bool FakeXenCalls::next_event(std::span<char> path) noexcept {
  if (events_.empty()) {
    eventfd_t count = 0;
    eventfd_read(bell_.get(), &count);
    return false;
  }
  std::snprintf(path.data(), path.size(), "%s", events_.front().c_str());
  events_.pop_front();
  return true;
}

}  // namespace xs::test
