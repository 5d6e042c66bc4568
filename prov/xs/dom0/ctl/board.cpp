// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/board.hpp"

#include <cerrno>
#include <charconv>

namespace xs::dom0 {

using util::Result;

namespace {

bool isnt_there(const util::Error& error) noexcept {
  return error.code == ENOENT || error.code == EACCES;
}

}  // namespace

std::optional<std::uint64_t> parse_node(std::string_view name) noexcept {
  std::uint64_t id = 0;
  const char* const end = name.data() + name.size();
  const bool digits =
      name.size() == 16 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (!digits || std::from_chars(name.data(), end, id, 16).ptr != end) return std::nullopt;
  return id;
}

Result<bool> Board::begin() {
  if (auto watched = machine_.watch(kNewDomains); !watched) return watched;
  return look_for_domains();
}

Result<bool> Board::wait(std::uint64_t milliseconds, int descriptor) {
  auto paths = machine_.wait(milliseconds, descriptor);
  if (!paths) return paths.error();
  for (const std::string& path : *paths)
    if (auto heard = hear(path); !heard) return heard;
  return !paths->empty();
}

const Notes& Board::of(std::uint32_t domain) const noexcept {
  static const Notes kNone;
  const auto found = notes_.find(domain);
  return found == notes_.end() ? kNone : found->second;
}

// A directory is watched before it is read: nothing is missed. That the watch fires for its being
// set says nothing then.
Result<bool> Board::look_for_domains() {
  auto domains = machine_.domains();
  if (!domains) return domains.error();
  for (const Domain& domain : *domains) {
    if (notes_.contains(domain.id)) continue;
    if (auto watched = machine_.watch(hv::directory_of(domain.id).data()); !watched) return watched;
    fresh_.insert(domain.id);
    if (auto read = read_all(domain.id); !read) return read;
  }
  return true;
}

Result<bool> Board::hear(const std::string& path) {
  if (path == kNewDomains) return look_for_domains();
  const auto name = hv::parse_path(path);
  if (!name || !notes_.contains(name->domain)) return true;
  if (name->node.empty() && fresh_.erase(name->domain) > 0) return true;
  if (name->node.empty()) return read_all(name->domain);
  return read_one(name->domain, std::string(name->node));
}

Result<bool> Board::read_all(std::uint32_t domain) {
  notes_[domain].clear();
  auto nodes = machine_.list(hv::directory_of(domain).data());
  if (!nodes && !isnt_there(nodes.error())) return nodes.error();
  if (!nodes) return true;
  for (const std::string& node : *nodes)
    if (auto read = read_one(domain, node); !read) return read;
  return true;
}

Result<bool> Board::read_one(std::uint32_t domain, const std::string& node) {
  const auto id = parse_node(node);
  if (!id) return true;
  auto text = machine_.read(std::string(hv::directory_of(domain).data()) + '/' + node);
  if (!text && !isnt_there(text.error())) return text.error();
  auto note = text ? hv::parse_whole_note(*text) : std::nullopt;
  if (note)
    notes_[domain].insert_or_assign(*id, std::move(*note));
  else
    notes_[domain].erase(*id);
  return true;
}

}  // namespace xs::dom0
