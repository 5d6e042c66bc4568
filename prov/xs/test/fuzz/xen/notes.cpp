// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fuzz/xen/notes.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/script.hpp"
#include "hv/xen/note.hpp"
#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

namespace {

using hv::NoteToUs;
using hv::WholeNote;

constexpr hv::Id kUs{0x0123456789abcdef, 1};
constexpr std::uint32_t kOurDomain = 2;

// Nothing stands behind its end, and a sanitizer watches over that.
std::vector<char> alone(std::string_view text) { return {text.begin(), text.end()}; }
std::string_view view(const std::vector<char>& text) { return {text.data(), text.size()}; }

bool same(const WholeNote::Peer& a, const WholeNote::Peer& b) {
  return a.process == b.process && a.session == b.session && a.echo == b.echo &&
         a.granted == b.granted;
}

bool same(const WholeNote& a, const WholeNote& b) {
  return a.generation == b.generation && a.network == b.network && a.pid == b.pid &&
         a.quiesced == b.quiesced && a.told == b.told && a.lives == b.lives &&
         std::ranges::equal(a.peers, b.peers,
                            [](const auto& one, const auto& other) { return same(one, other); });
}

// Whoever reads a note for himself and whoever reads all of it agree.
void require_agreement(const NoteToUs& to_us, const WholeNote& whole) {
  require(to_us.generation == whole.generation && to_us.network == whole.network);
  require(to_us.quiesced == whole.quiesced.has_value());
  require(to_us.life.has_value() == (std::ranges::count(whole.lives, kOurDomain) > 0));
  // The last word counts.
  const auto last = std::find_if(whole.peers.rbegin(), whole.peers.rend(),
                                 [](const auto& each) { return each.process == kUs.high; });
  const bool met = last != whole.peers.rend();
  require(to_us.session == (met ? last->session : 0) && to_us.echo == (met ? last->echo : 0));
  require(met || !to_us.bell);
}

// Pages that had no room are not said.
WholeNote as_far_as_said(WholeNote meant, const WholeNote& said) {
  require(meant.peers.size() == said.peers.size());
  for (std::size_t i = 0; i < said.peers.size(); ++i)
    if (!said.peers[i].granted) meant.peers[i].granted.reset();
  return meant;
}

// What was understood can be said, and is understood again.
void require_said_again(const WholeNote& whole) {
  hv::Note note(whole.generation, whole.network);
  if (whole.pid) note.add_pid(*whole.pid);
  if (whole.quiesced) note.add_quiesced(*whole.quiesced);
  if (whole.told) note.add_told(*whole.told);
  for (const std::uint32_t domain : whole.lives) note.add_life(domain, 8);
  for (const WholeNote::Peer& each : whole.peers)
    note.add_peer({each.process, 0}, each.session, each.echo);
  for (const WholeNote::Peer& each : whole.peers) {
    if (!each.granted) break;
    note.add_granted(*each.granted);
  }
  if (note.is_full()) return;
  const auto again = hv::parse_whole_note(note.text());
  require(again && same(*again, as_far_as_said(whole, *again)));
}

void read_note(std::string_view text) {
  const auto to_us = hv::parse_note(text, kUs, kOurDomain);
  const auto whole = hv::parse_whole_note(text);
  if (to_us && whole) require_agreement(*to_us, *whole);
  if (whole) require_said_again(*whole);
  if (whole) require(whole->peers.size() + whole->lives.size() <= text.size() / 4);
}

void read_path(std::string_view text) {
  const auto name = hv::parse_path(text);
  if (!name || name->node.empty()) return;
  require(text.ends_with(name->node));
  hv::XenPath path = hv::directory_of(name->domain);
  const std::string_view above(path.data());
  // A number of a domain may begin with zeroes: nobody writes it so.
  require(above.size() <= text.size() - name->node.size());
}

}  // namespace

void read_text(std::string_view text) {
  const std::vector<char> copy = alone(text);
  read_note(view(copy));
  read_path(view(copy));
  if (const auto serial = hv::parse_quiesce(view(copy))) require(*serial != 0);
}

void write_and_read_note(util::Bytes bytes) {
  Script script(bytes);
  WholeNote said;
  said.generation = script.number<std::uint64_t>();
  said.network = script.number<std::uint64_t>();
  hv::Note note(said.generation, said.network);
  std::optional<std::uint32_t> bell;
  std::size_t granted = 0;
  bool in_pages = false;
  while (!script.empty() && !note.is_full()) {
    const WholeNote before = said;
    const std::uint8_t what = script.next();
    // The line of pages is the last one.
    in_pages = in_pages || what % 8 == 7;
    if (in_pages) {
      const auto pages = script.number<std::uint16_t>();
      note.add_granted(pages);
      if (granted < said.peers.size()) said.peers[granted].granted = pages;
      ++granted;
      continue;
    }
    switch (what % 8) {
      case 0:
        said.lives.push_back(what < 0x80 ? kOurDomain : script.number<std::uint32_t>());
        note.add_life(said.lives.back(), 8);
        break;
      case 1:
        said.pid = script.number<std::uint32_t>();
        note.add_pid(*said.pid);
        break;
      case 2:
        said.quiesced = script.number<std::uint32_t>() + std::uint64_t{1};
        note.add_quiesced(*said.quiesced);
        break;
      case 3:
        said.told = script.number<std::uint32_t>() + std::uint64_t{1};
        note.add_told(*said.told);
        break;
      default: {
        const std::uint64_t process = what < 0x40 ? kUs.high : script.number<std::uint64_t>();
        said.peers.push_back(
            {process, script.number<std::uint32_t>(), script.number<std::uint16_t>(), {}});
        const auto word = what % 2 ? std::optional<std::uint32_t>(script.next()) : std::nullopt;
        if (process == kUs.high) bell = word;
        note.add_peer({process, 0}, said.peers.back().session, said.peers.back().echo, word);
      }
    }
    if (note.is_full()) said = before;
  }
  require(note.text().size() < hv::kNoteSize && note.text().ends_with('\n'));
  const std::vector<char> copy = alone(note.text());
  const auto whole = hv::parse_whole_note(view(copy));
  const auto to_us = hv::parse_note(view(copy), kUs, kOurDomain);
  require(whole && to_us);
  require_agreement(*to_us, *whole);
  require(note.is_full() || to_us->bell == bell);
  require(same(*whole, as_far_as_said(said, *whole)));
  require_said_again(*whole);
}

}  // namespace xs::fuzz
