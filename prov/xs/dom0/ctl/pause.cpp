// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/pause.hpp"

#include <algorithm>

#include "dom0/ctl/text.hpp"

namespace xs::dom0 {

namespace {

constexpr std::size_t kMostNamed = 20;  // lines

}  // namespace

std::string describe(const Who& who) {
  const std::string pid = who.pid ? "pid " + std::to_string(*who.pid) : "an unknown pid";
  return "domain " + std::to_string(who.domain) + ", " + pid + " (process " + hex(who.process) +
         ')';
}

void Pause::look(const Board& board, Machine& machine) {
  silent_.clear();
  untelling_.clear();
  beside_.clear();
  const Notes& notes = board.of(domain_);
  processes_ = notes.size();
  for (const auto& [process, note] : notes) {
    seen_.insert(process);
    if (note.quiesced != serial_)
      silent_.push_back({domain_, process, note.pid});
    else if (note.told != serial_)
      untelling_.push_back({domain_, process, note.pid});
  }
  for (const auto& [domain, others] : board.all())
    if (domain != domain_) look_beside(domain, others);
  if (!beside_.empty()) leave_out_who_holds_nothing(machine);
}

// A note of a process that has ended meanwhile is gone, but not yet what its peers hold of it.
void Pause::look_beside(std::uint32_t domain, const Notes& notes) {
  for (const auto& [process, note] : notes) {
    const auto named = std::find_if(note.peers.begin(), note.peers.end(),
                                    [&](const auto& peer) { return seen_.contains(peer.process); });
    if (named != note.peers.end())
      beside_.push_back({{domain, process, note.pid}, named->process, named->echo != 0});
  }
}

// Dom0 has pages of every guest mapped, for its disks and networks: there the note alone tells.
void Pause::leave_out_who_holds_nothing(Machine& machine) {
  auto grants = machine.grants(domain_);
  const auto holds = [&](std::uint32_t domain) {
    return !grants || std::any_of(grants->to.begin(), grants->to.end(), [&](const auto& to) {
      return to.reader == domain && to.mapped > 0;
    });
  };
  std::erase_if(beside_, [&](const Peer& peer) {
    return peer.who.domain == 0 ? !peer.has_met : !holds(peer.who.domain);
  });
}

std::string Pause::progress() const {
  std::string text = std::to_string(processes_ - silent_.size()) + " of " +
                     std::to_string(processes_) + " have paused";
  if (silent_.size() == 1) text += ", not yet " + describe(silent_.front());
  if (silent_.empty() && !beside_.empty())
    text += ", and " + count(beside_.size(), "peer", "peers") + " in other domains not let go";
  if (is_whole() && !untelling_.empty())
    text +=
        processes_ - untelling_.size() == 1
            ? ", 1 has told all its peers"
            : ", " + std::to_string(processes_ - untelling_.size()) + " have told all their peers";
  return text;
}

namespace {

std::string text_of(const std::vector<std::string>& lines) {
  std::string text;
  for (std::size_t i = 0; i < std::min(lines.size(), kMostNamed); ++i)
    text += "  " + lines[i] + '\n';
  if (lines.size() > kMostNamed)
    text += "  and " + std::to_string(lines.size() - kMostNamed) + " more\n";
  return text;
}

}  // namespace

std::string Pause::untold() const {
  std::vector<std::string> lines;
  for (const Who& who : untelling_) lines.push_back(describe(who));
  return text_of(lines);
}

std::string Pause::missing() const {
  std::vector<std::string> lines;
  for (const Who& who : silent_) lines.push_back(describe(who) + " has not paused");
  for (const Peer& peer : beside_)
    lines.push_back(describe(peer.who) + " has not let go of process " + hex(peer.of));
  return text_of(lines);
}

}  // namespace xs::dom0
