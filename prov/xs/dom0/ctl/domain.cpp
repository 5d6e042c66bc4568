// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/domain.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "dom0/ctl/survey.hpp"
#include "dom0/ctl/text.hpp"

namespace xs::dom0 {

using util::Error;
using util::Result;

namespace {

std::string name_of(Machine& machine, std::uint32_t id) {
  auto name = machine.read("/local/domain/" + std::to_string(id) + "/name");
  return name ? name->substr(0, kLongestName) : "";
}

// As xl takes it: what is a number is no name.
std::optional<std::uint32_t> parse_number(const std::string& word) noexcept {
  std::uint32_t number = 0;
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

Result<Domain> find(Machine& machine, const std::string& word) {
  auto domains = machine.domains();
  if (!domains) return domains.error();
  const auto number = parse_number(word);
  std::optional<Domain> found;
  for (const Domain& domain : *domains) {
    const bool meant = number
                           ? domain.id == *number
                           : domain.state != State::kDying && name_of(machine, domain.id) == word;
    if (!meant) continue;
    if (found) return Error{EEXIST, "more than one domain has that name: give its number"};
    found = domain;
  }
  if (!found) return Error{ESRCH, "there is no such domain"};
  return *found;
}

}  // namespace

std::string describe(const Guest& guest) {
  std::string text = "domain " + std::to_string(guest.domain.id);
  if (!guest.name.empty()) text += ' ' + printable(guest.name);
  return text;
}

Guest guest_of(Machine& machine, const Domain& domain) {
  return {domain, name_of(machine, domain.id)};
}

std::string describe_domain(Machine& machine, std::uint32_t id) {
  return describe(guest_of(machine, {.id = id}));
}

Result<Guest> find_guest(Machine& machine, const std::string& word) {
  auto domain = find(machine, word);
  if (!domain) return domain.error();
  if (domain->id == 0) return Error{EPERM, "domain 0 is this host's own, and can't be moved"};
  if (domain->state == State::kDying) return Error{EBUSY, "the domain is dying"};
  return guest_of(machine, *domain);
}

Result<std::optional<Domain>> find_domain(Machine& machine, std::uint32_t id) {
  auto domains = machine.domains();
  if (!domains) return domains.error();
  for (const Domain& domain : *domains)
    if (domain.id == id) return std::optional(domain);
  return std::optional<Domain>();
}

Result<std::optional<Domain>> find_successor(Machine& machine, const Domain& before) {
  auto domains = machine.domains();
  if (!domains) return domains.error();
  if (before.uuid == Domain().uuid) return std::optional<Domain>();
  for (const Domain& domain : *domains)
    if (domain.uuid == before.uuid && domain.id != before.id && domain.state != State::kDying)
      return std::optional(domain);
  return std::optional<Domain>();
}

std::string Mapped::text() const {
  if (is_nothing()) return "By the grant tables no page is mapped between it and other guests.\n";
  return "By the grant tables:\n" + lines + unknown;
}

Mapped what_is_mapped(Machine& machine, std::uint32_t domain) {
  Mapped mapped;
  auto domains = machine.domains();
  if (!domains) return {"", "  Xen doesn't tell\n"};
  const std::string it = describe_domain(machine, domain);
  for (const Domain& owner : *domains) {
    if (owner.id == 0) continue;
    const std::string whose = describe_domain(machine, owner.id);
    auto grants = machine.grants(owner.id);
    if (!grants) mapped.unknown += "  what " + whose + " has granted isn't to be had\n";
    if (!grants) continue;
    for (const Grants::To& to : grants->to) {
      if (to.mapped == 0 || to.reader == 0) continue;
      if (owner.id == domain || to.reader == domain)
        mapped.lines += "  " + describe_domain(machine, to.reader) + " has " +
                        count(to.mapped, "page", "pages") + " of " + whose + " mapped\n";
    }
  }
  return mapped;
}

}  // namespace xs::dom0
