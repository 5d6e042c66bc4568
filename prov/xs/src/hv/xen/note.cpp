// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/xen/note.hpp"

#include <charconv>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

namespace xs::hv {

namespace {

constexpr std::string_view kDomains = "/local/domain/";
constexpr std::string_view kBelow = "/data/xs";

// Takes the text up to the separator, and the separator, off the front.
std::string_view take(std::string_view& text, char separator) noexcept {
  const std::size_t end = text.find(separator);
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return word;
}

template <class T>
bool parse(std::string_view word, T& to, int base = 16) noexcept {
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, to, base);
  return error == std::errc{} && stop == end;
}

bool parse_life(std::string_view line, std::uint32_t own_domain, NoteToUs& note) noexcept {
  std::uint32_t domain = 0, reference = 0;
  if (!parse(take(line, ' '), domain) || !parse(line, reference)) return false;
  if (domain == own_domain) note.life = reference;
  return true;
}

bool parse_peer(std::string_view line, const Id& own, NoteToUs& note) noexcept {
  std::uint64_t process = 0;
  std::uint32_t session = 0, echo = 0, bell = 0;
  if (!parse(take(line, ' '), process) || !parse(take(line, ' '), session) ||
      !parse(take(line, ' '), echo))
    return false;
  const bool wants_bell = !line.empty();
  if (wants_bell && !parse(take(line, ' '), bell)) return false;
  if (process != own.high) return true;
  note.session = session;
  note.echo = echo;
  note.bell = wants_bell ? std::optional(bell) : std::nullopt;
  return true;
}

// What makes no sense is no answer, and takes nothing from the rest.
std::optional<std::uint64_t> parse_serial(std::string_view line) noexcept {
  std::uint64_t serial = 0;
  if (!parse(line, serial) || serial == 0) return std::nullopt;
  return serial;
}

}  // namespace

XenPath node_of(const Id& process) noexcept {
  XenPath path{};
  std::snprintf(path.data(), path.size(), "data/xs/%016" PRIx64, process.high);
  return path;
}

XenPath node_of(std::uint32_t domain, const Id& process) noexcept {
  XenPath path{};
  std::snprintf(path.data(), path.size(), "/local/domain/%" PRIu32 "/data/xs/%016" PRIx64, domain,
                process.high);
  return path;
}

XenPath directory_of(std::uint32_t domain) noexcept {
  XenPath path{};
  std::snprintf(path.data(), path.size(), "/local/domain/%" PRIu32 "/data/xs", domain);
  return path;
}

std::optional<NodeName> parse_path(std::string_view path) noexcept {
  NodeName name{};
  if (!path.starts_with(kDomains)) return std::nullopt;
  path.remove_prefix(kDomains.size());
  const std::string_view domain = path.substr(0, path.find('/'));
  if (!parse(domain, name.domain, 10)) return std::nullopt;
  path.remove_prefix(domain.size());
  if (!path.starts_with(kBelow)) return name;
  path.remove_prefix(kBelow.size());
  if (path.starts_with('/')) name.node = path.substr(1);
  return name;
}

Note::Note(std::uint64_t generation, std::uint64_t network) noexcept {
  need(add("xs1 %" PRIx64 " %" PRIx64 "\n", generation, network));
}

void Note::add_life(std::uint32_t domain, std::uint32_t reference) noexcept {
  need(add("L %" PRIx32 " %" PRIx32 "\n", domain, reference));
}

void Note::add_peer(const Id& process, std::uint32_t session, std::uint32_t echo,
                    std::optional<std::uint32_t> bell) noexcept {
  if (bell)
    need(add("P %016" PRIx64 " %" PRIx32 " %" PRIx32 " %" PRIx32 "\n", process.high, session, echo,
             *bell));
  else
    need(add("P %016" PRIx64 " %" PRIx32 " %" PRIx32 "\n", process.high, session, echo));
}

void Note::add_pid(std::uint32_t pid) noexcept { need(add("I %" PRIx32 "\n", pid)); }

void Note::add_quiesced(std::uint64_t serial) noexcept { need(add("Q %" PRIx64 "\n", serial)); }

void Note::add_told(std::uint64_t serial) noexcept { need(add("T %" PRIx64 "\n", serial)); }

// The line grows at its end. What had no room leaves nothing behind it, or it would be taken for
// the next link's.
void Note::add_granted(std::size_t pages) noexcept {
  if (no_more_granted_) return;
  const std::size_t end = size_;
  if (in_granted_) --size_;
  no_more_granted_ = !add(in_granted_ ? " %zx\n" : "R %zx\n", pages);
  in_granted_ = true;
  if (!no_more_granted_) return;
  size_ = end;
  text_[end - 1] = '\n';
}

bool Note::add(const char* format, ...) noexcept {
  va_list words;
  va_start(words, format);
  const std::size_t room = text_.size() - size_;
  const int size = std::vsnprintf(text_.data() + size_, room, format, words);
  va_end(words);
  if (size < 0 || static_cast<std::size_t>(size) >= room) return false;
  size_ += static_cast<std::size_t>(size);
  return true;
}

std::optional<NoteToUs> parse_note(std::string_view text, const Id& own,
                                   std::uint32_t own_domain) noexcept {
  NoteToUs note;
  std::string_view first = take(text, '\n');
  if (take(first, ' ') != "xs1" || !parse(take(first, ' '), note.generation) ||
      !parse(first, note.network))
    return std::nullopt;
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    const std::string_view kind = take(line, ' ');
    note.quiesced = note.quiesced || (kind == "Q" && parse_serial(line));
    const bool good = kind == "L"   ? parse_life(line, own_domain, note)
                      : kind == "P" ? parse_peer(line, own, note)
                                    : true;
    if (!good) return std::nullopt;
  }
  return note;
}

namespace {

bool read_peer(std::string_view line, WholeNote& note) {
  WholeNote::Peer peer;
  if (!parse(take(line, ' '), peer.process) || !parse(take(line, ' '), peer.session) ||
      !parse(take(line, ' '), peer.echo))
    return false;
  note.peers.push_back(peer);
  return true;
}

bool read_life(std::string_view line, WholeNote& note) {
  std::uint32_t domain = 0, reference = 0;
  if (!parse(take(line, ' '), domain) || !parse(take(line, ' '), reference)) return false;
  note.lives.push_back(domain);
  return true;
}

bool read_granted(std::string_view line, WholeNote& note) noexcept {
  for (WholeNote::Peer& peer : note.peers) {
    if (line.empty()) break;
    std::uint32_t pages = 0;
    if (!parse(take(line, ' '), pages)) return false;
    peer.granted = pages;
  }
  return true;
}

bool read_serial(std::string_view line, std::optional<std::uint64_t>& to) noexcept {
  if (const auto serial = parse_serial(line)) to = serial;
  return true;
}

bool read_line(std::string_view line, WholeNote& note) {
  const std::string_view kind = take(line, ' ');
  if (kind == "P") return read_peer(line, note);
  if (kind == "L") return read_life(line, note);
  if (kind == "R") return read_granted(line, note);
  if (kind == "Q") return read_serial(line, note.quiesced);
  if (kind == "T") return read_serial(line, note.told);
  if (kind == "I") return parse(take(line, ' '), note.pid.emplace());
  return true;
}

}  // namespace

std::optional<WholeNote> parse_whole_note(std::string_view text) {
  WholeNote note;
  std::string_view first = take(text, '\n');
  if (take(first, ' ') != "xs1" || !parse(take(first, ' '), note.generation) ||
      !parse(first, note.network))
    return std::nullopt;
  while (!text.empty())
    if (!read_line(take(text, '\n'), note)) return std::nullopt;
  return note;
}

std::optional<std::uint64_t> parse_quiesce(std::string_view text) noexcept {
  return parse_serial(text.substr(0, text.find_first_of(" \n")));
}

}  // namespace xs::hv
