// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <algorithm>

#include "dom0/ctl/report.hpp"
#include "dom0/ctl/text.hpp"

namespace xs::dom0 {

namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr std::uint64_t kPagesPerMiB = 256;
constexpr const char* kUnknown = "-";

template <class T>
std::string number(const std::optional<T>& value) {
  return value ? std::to_string(*value) : kUnknown;
}

std::string name_of(const DomainSeen& seen) { return seen.name ? printable(*seen.name) : "(none)"; }

// Of all to all readers.
std::string granted_by(const DomainSeen& seen) {
  if (!seen.grants) return kUnknown;
  std::uint64_t pages = 0;
  for (const Grants::To& to : seen.grants->to) pages += to.pages;
  return std::to_string(pages);
}

std::string domains_of(const Survey& survey) {
  Rows rows{{"DOMAIN", "NAME", "STATE", "MiB", "XS", "LINKS", "RINGS", "GRANTED", "FRAMES"}};
  for (const DomainSeen& seen : survey.domains) {
    std::size_t links = 0, rings = 0;
    for (const Process& process : seen.processes)
      for (const Link& link : process.links) {
        links += link.open;
        rings += link.has_rings();
      }
    std::string frames = kUnknown;
    if (seen.grants)
      frames = std::to_string(seen.grants->frames) + '/' + std::to_string(seen.grants->most_frames);
    rows.push_back({std::to_string(seen.domain.id), name_of(seen), name_of(seen.domain.state),
                    std::to_string(seen.domain.pages / kPagesPerMiB),
                    std::to_string(seen.processes.size()), std::to_string(links),
                    std::to_string(rings), granted_by(seen), frames});
  }
  return table(rows);
}

const char* state_of(const Link& link) noexcept {
  if (!link.open) return "meeting";
  return link.has_rings() ? "rings" : "open";
}

std::string processes_of(const Survey& survey) {
  Rows rows{{"DOMAIN", "PID", "PROCESS", "PEER", "PID", "PROCESS", "LINK", "GRANTS", "IS GRANTED"}};
  for (const DomainSeen& seen : survey.domains)
    for (const Process& process : seen.processes) {
      const std::vector<std::string> us{std::to_string(seen.domain.id), number(process.pid),
                                        hex(process.id)};
      if (process.links.empty()) rows.push_back(us);
      for (const Link& link : process.links) {
        rows.push_back(us);
        for (std::string word :
             {number(link.domain), number(link.pid), hex(link.peer), std::string(state_of(link)),
              number(link.granted), number(link.taken)})
          rows.back().push_back(std::move(word));
      }
    }
  return rows.size() == 1 ? "No process runs xs with its node in the store.\n" : table(rows);
}

// All of them: those of a guest's devices to dom0, too.
std::string grants_of(const Survey& survey) {
  Rows rows{{"OWNER", "READER", "PAGES", "READ-ONLY", "MAPPED"}};
  for (const DomainSeen& seen : survey.domains) {
    if (!seen.grants) continue;
    for (const Grants::To& to : seen.grants->to)
      rows.push_back({std::to_string(seen.domain.id), std::to_string(to.reader),
                      std::to_string(to.pages), std::to_string(to.read_only),
                      std::to_string(to.mapped)});
  }
  return rows.size() == 1 ? "" : '\n' + table(rows);
}

std::string describe(const Holder& holder, const Survey& survey) {
  std::string text = "domain " + std::to_string(holder.domain);
  if (const DomainSeen* const seen = survey.find(holder.domain)) text += ' ' + name_of(*seen);
  text += holder.mapped > 0 ? ", " + std::to_string(holder.mapped) + " pages mapped"
                            : ", by what its processes say";
  for (const std::uint64_t process : holder.processes) text += ", process " + hex(process);
  return text;
}

std::string zombies_of(const Survey& survey) {
  std::string text;
  for (const Zombie& zombie : survey.zombies) text += '\n' + as_text(zombie, survey);
  return text;
}

std::string strange_of(const Survey& survey) {
  std::string text;
  for (const DomainSeen& seen : survey.domains)
    if (seen.strange > 0)
      text += "\ndomain " + std::to_string(seen.domain.id) + ": " + std::to_string(seen.strange) +
              " nodes below data/xs are no notes, or too many\n";
  return text;
}

}  // namespace

std::string as_text(const Zombie& zombie, const Survey& survey) {
  std::string text = "ZOMBIE " + std::to_string(zombie.id) + ": dead, and still has " +
                     std::to_string(zombie.pages) + " pages\n";
  for (const Holder& holder : zombie.holders)
    text += "  held by " + describe(holder, survey) + '\n';
  if (zombie.holders.empty()) text += "  held by nobody who is known\n";
  return text;
}

const char* name_of(State state) noexcept {
  switch (state) {
    case State::kRunning:
      return "running";
    case State::kBlocked:
      return "blocked";
    case State::kPaused:
      return "paused";
    case State::kShutdown:
      return "shutdown";
    case State::kDying:
      break;
  }
  return "dying";
}

std::string as_text(const Survey& survey) {
  return domains_of(survey) + '\n' + processes_of(survey) + grants_of(survey) + zombies_of(survey) +
         strange_of(survey);
}

}  // namespace xs::dom0
