// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/report.hpp"
#include "dom0/ctl/text.hpp"

namespace xs::dom0 {

namespace {

std::string value(std::uint64_t number) { return std::to_string(number); }
std::string value(bool yes) { return yes ? "true" : "false"; }
template <class T>
std::string value(const std::optional<T>& number) {
  return number ? std::to_string(*number) : "null";
}
// Incarnations: numbers of 64 bits are no numbers everywhere.
std::string incarnation(std::uint64_t id) { return json_string(hex(id)); }

struct Field {
  const char* name;
  std::string value;
};
std::string object(const std::vector<Field>& fields) {
  std::string out = "{";
  for (const Field& field : fields) {
    if (out.size() > 1) out += ", ";
    out += json_string(field.name) + ": " + field.value;
  }
  return out += '}';
}

template <class T, class Write>
std::string array(const std::vector<T>& all, Write write) {
  std::string out = "[";
  for (const T& each : all) {
    if (out.size() > 1) out += ", ";
    out += write(each);
  }
  return out += ']';
}

std::string write_link(const Link& link) {
  return object({{"peer", incarnation(link.peer)},
                 {"peer_domain", value(link.domain)},
                 {"peer_pid", value(link.pid)},
                 {"open", value(link.open)},
                 {"rings", value(link.has_rings())},
                 {"pages_granted", value(link.granted)},
                 {"pages_granted_by_peer", value(link.taken)}});
}

std::string write_process(const Process& process) {
  return object({{"process", incarnation(process.id)},
                 {"pid", value(process.pid)},
                 {"generation", value(process.generation)},
                 {"links", array(process.links, write_link)}});
}

std::string write_grant(const Grants::To& to) {
  return object({{"reader", value(std::uint64_t{to.reader})},
                 {"pages", value(std::uint64_t{to.pages})},
                 {"read_only", value(std::uint64_t{to.read_only})},
                 {"mapped", value(std::uint64_t{to.mapped})}});
}

std::string write_grants(const std::optional<Grants>& grants) {
  if (!grants) return "null";
  return object({{"frames", value(std::uint64_t{grants->frames})},
                 {"most_frames", value(std::uint64_t{grants->most_frames})},
                 {"to", array(grants->to, write_grant)}});
}

std::string write_domain(const DomainSeen& seen) {
  return object({{"id", value(std::uint64_t{seen.domain.id})},
                 {"name", seen.name ? json_string(*seen.name) : "null"},
                 {"state", json_string(name_of(seen.domain.state))},
                 {"pages", value(seen.domain.pages)},
                 {"processes", array(seen.processes, write_process)},
                 {"strange_nodes", value(std::uint64_t{seen.strange})},
                 {"grants", write_grants(seen.grants)}});
}

std::string write_holder(const Holder& holder) {
  return object({{"domain", value(std::uint64_t{holder.domain})},
                 {"mapped", value(std::uint64_t{holder.mapped})},
                 {"processes", array(holder.processes, incarnation)}});
}

std::string write_zombie(const Zombie& zombie) {
  return object({{"id", value(std::uint64_t{zombie.id})},
                 {"pages", value(zombie.pages)},
                 {"holders", array(zombie.holders, write_holder)}});
}

}  // namespace

std::string as_json(const Survey& survey) {
  return object({{"version", "1"},
                 {"domains", array(survey.domains, write_domain)},
                 {"zombies", array(survey.zombies, write_zombie)}}) +
         '\n';
}

}  // namespace xs::dom0
