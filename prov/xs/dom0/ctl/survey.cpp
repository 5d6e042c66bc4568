// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/survey.hpp"

#include <algorithm>
#include <cerrno>
#include <map>

#include "dom0/ctl/board.hpp"
#include "hv/xen/note.hpp"

namespace xs::dom0 {

namespace {

using util::Error;
using util::Result;

bool isnt_there(const Error& error) noexcept {
  return error.code == ENOENT || error.code == EACCES;
}

bool has_peers_in(const Process& process, std::uint32_t domain) noexcept {
  return std::find(process.lives.begin(), process.lives.end(), domain) != process.lives.end();
}

class Surveyor {
 public:
  explicit Surveyor(Machine& machine) noexcept : machine_(machine) {}
  Result<Survey> look();

 private:
  // 0, or why the machine can't be asked any more.
  int look_at(DomainSeen& seen);
  int read_name(DomainSeen& seen);
  int read_notes(DomainSeen& seen);
  int read_note(DomainSeen& seen, const std::string& directory, const std::string& node);
  void find_peers();
  struct Where {
    std::uint32_t domain;
    const Process* process;
  };
  const Process* find_peer(const DomainSeen& at, const Process& process, Link& link) const;
  bool have_met(const DomainSeen& at, const Process& process, const Where& peer) const;
  void find_zombies();
  std::vector<Holder> holders_of(const DomainSeen& zombie) const;

  struct Ids {
    std::uint32_t session, echo;
  };
  // What the note of `from` says of its link with `to`.
  std::optional<Ids> ids(std::uint32_t domain, std::uint64_t from, std::uint64_t to) const;

  Machine& machine_;
  Survey survey_;
  std::multimap<std::uint64_t, Where> by_id_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, hv::WholeNote> notes_;
};

Result<Survey> Surveyor::look() {
  auto domains = machine_.domains();
  if (!domains) return domains.error();
  for (const Domain& domain : *domains) survey_.domains.emplace_back().domain = domain;
  for (DomainSeen& seen : survey_.domains)
    if (const int error = look_at(seen)) return Error{error, "the store can't be read"};
  find_peers();
  find_zombies();
  return std::move(survey_);
}

int Surveyor::look_at(DomainSeen& seen) {
  // Of some it isn't to be had: dom0's own, or those of another version.
  if (auto grants = machine_.grants(seen.domain.id)) seen.grants = std::move(*grants);
  if (const int error = read_name(seen)) return error;
  return read_notes(seen);
}

int Surveyor::read_name(DomainSeen& seen) {
  auto name = machine_.read("/local/domain/" + std::to_string(seen.domain.id) + "/name");
  if (name)
    seen.name = name->substr(0, kLongestName);
  else if (!isnt_there(name.error()))
    return name.error().code;
  return 0;
}

int Surveyor::read_notes(DomainSeen& seen) {
  const std::string directory = hv::directory_of(seen.domain.id).data();
  auto nodes = machine_.list(directory);
  if (!nodes) return isnt_there(nodes.error()) ? 0 : nodes.error().code;
  for (const std::string& node : *nodes)
    if (const int error = read_note(seen, directory, node)) return error;
  return 0;
}

int Surveyor::read_note(DomainSeen& seen, const std::string& directory, const std::string& node) {
  const auto id = parse_node(node);
  if (!id || seen.processes.size() >= kMostProcesses) {
    ++seen.strange;
    return 0;
  }
  auto text = machine_.read(directory + '/' + node);
  if (!text && !isnt_there(text.error())) return text.error().code;
  if (!text) return 0;  // gone meanwhile
  auto note = hv::parse_whole_note(*text);
  if (!note) {
    ++seen.strange;
    return 0;
  }
  if (note->peers.size() > kMostLinks) note->peers.resize(kMostLinks);
  Process process;
  process.id = *id;
  process.pid = note->pid;
  process.generation = note->generation;
  process.lives = note->lives;
  for (const auto& peer : note->peers) {
    Link& link = process.links.emplace_back();
    link.peer = peer.process;
    link.granted = peer.granted;
  }
  seen.processes.push_back(std::move(process));
  notes_.insert_or_assign({seen.domain.id, *id}, std::move(*note));
  return 0;
}

void Surveyor::find_peers() {
  for (const DomainSeen& seen : survey_.domains)
    for (const Process& process : seen.processes)
      by_id_.emplace(process.id, Where{seen.domain.id, &process});
  for (DomainSeen& seen : survey_.domains)
    for (Process& process : seen.processes)
      for (Link& link : process.links)
        if (const Process* const peer = find_peer(seen, process, link)) link.pid = peer->pid;
}

// Anybody may give a node of his the name of another one's: only who lives where this process has
// peers is looked at, and who has met it in turn comes first.
const Process* Surveyor::find_peer(const DomainSeen& at, const Process& process, Link& link) const {
  const Process* best = nullptr;
  const auto [begin, end] = by_id_.equal_range(link.peer);
  for (auto each = begin; each != end && !link.open; ++each) {
    const Where& where = each->second;
    if (where.domain == at.domain.id || !has_peers_in(process, where.domain)) continue;
    const bool met = has_peers_in(*where.process, at.domain.id) && have_met(at, process, where);
    if (best && !met) continue;
    best = where.process;
    link.domain = where.domain;
    link.open = met;
    link.taken.reset();
    for (const Link& back : best->links)
      if (back.peer == process.id) link.taken = back.granted;
  }
  return best;
}

bool Surveyor::have_met(const DomainSeen& at, const Process& process, const Where& peer) const {
  const auto ours = ids(at.domain.id, process.id, peer.process->id);
  const auto theirs = ids(peer.domain, peer.process->id, process.id);
  return ours && theirs && ours->session != 0 && theirs->session != 0 &&
         ours->echo == theirs->session && theirs->echo == ours->session;
}

std::optional<Surveyor::Ids> Surveyor::ids(std::uint32_t domain, std::uint64_t from,
                                           std::uint64_t to) const {
  const auto note = notes_.find({domain, from});
  if (note == notes_.end()) return std::nullopt;
  for (const auto& peer : note->second.peers)
    if (peer.process == to) return Ids{peer.session, peer.echo};
  return std::nullopt;
}

void Surveyor::find_zombies() {
  for (const DomainSeen& seen : survey_.domains)
    if (seen.domain.state == State::kDying)
      survey_.zombies.push_back({seen.domain.id, seen.domain.pages, holders_of(seen)});
}

std::vector<Holder> Surveyor::holders_of(const DomainSeen& zombie) const {
  std::vector<Holder> holders;
  if (zombie.grants)
    for (const Grants::To& to : zombie.grants->to)
      if (to.mapped > 0) holders.push_back({to.reader, to.mapped, {}});
  for (const DomainSeen& seen : survey_.domains) {
    std::vector<std::uint64_t> named;
    for (const Process& process : seen.processes)
      if (has_peers_in(process, zombie.domain.id)) named.push_back(process.id);
    if (named.empty() || seen.domain.id == zombie.domain.id) continue;
    auto holder = std::find_if(holders.begin(), holders.end(),
                               [&](const Holder& each) { return each.domain == seen.domain.id; });
    if (holder == holders.end()) holder = holders.insert(holder, {seen.domain.id, 0, {}});
    holder->processes = std::move(named);
  }
  return holders;
}

}  // namespace

const DomainSeen* Survey::find(std::uint32_t domain) const noexcept {
  const auto found = std::find_if(domains.begin(), domains.end(),
                                  [&](const DomainSeen& seen) { return seen.domain.id == domain; });
  return found == domains.end() ? nullptr : &*found;
}

Result<Survey> survey(Machine& machine) { return Surveyor(machine).look(); }

}  // namespace xs::dom0
