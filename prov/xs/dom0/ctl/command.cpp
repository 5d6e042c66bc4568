// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/command.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>

#include "dom0/ctl/report.hpp"
#include "dom0/ctl/survey.hpp"
#include "dom0/ctl/text.hpp"

namespace xs::dom0 {

namespace {

constexpr const char* kHelp =
    "usage: xsctl list [--json] [--timeout SECONDS]\n"
    "\n"
    "  list   the domains of this host, which of their processes use xs and share\n"
    "         memory with which, the pages granted, and domains that can't go\n"
    "\n"
    "  --json              for programs; see xsctl(8)\n"
    "  --timeout SECONDS   give up if Xen or its store doesn't answer (10)\n"
    "\n"
    "Runs in dom0, as root.\n";

constexpr unsigned kLongest = 3600;  // seconds

Options misused(const std::string& why) {
  Options options;
  options.text = "xsctl: " + why + "; see xsctl --help\n";
  options.status = kUsage;
  return options;
}

bool parse_seconds(const std::string& word, unsigned& seconds) noexcept {
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, seconds);
  return error == std::errc{} && stop == end && seconds > 0 && seconds <= kLongest;
}

Outcome failure(const util::Error& error) {
  const bool told = error.code == ENODEV || error.code == EACCES || error.code == EPERM;
  Outcome outcome;
  outcome.status = told ? kCannot : kNoAnswer;
  outcome.log = std::string("xsctl: ") + error.what;
  if (!told) outcome.log += std::string(": ") + std::strerror(error.code);
  outcome.log += '\n';
  return outcome;
}

}  // namespace

Options parse(const std::vector<std::string>& words) {
  Options options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "-h" || word == "--help") {
      options.list = false;
      options.text = kHelp;
      return options;
    }
    if (word == "--json") {
      options.json = true;
    } else if (word == "--timeout") {
      if (++i == words.size() || !parse_seconds(words[i], options.seconds))
        return misused("--timeout wants a number of seconds, 1 to " + std::to_string(kLongest));
    } else if (word == "list" && !options.list) {
      options.list = true;
    } else {
      return misused("'" + printable(word) + "' isn't understood");
    }
  }
  return options.list ? options : misused("nothing to do");
}

Outcome list(const Options& options, const OpenMachine& open) {
  auto machine = open();
  if (!machine) return failure(machine.error());
  auto seen = survey(**machine);
  if (!seen) return failure(seen.error());
  Outcome outcome;
  outcome.out = options.json ? as_json(*seen) : as_text(*seen);
  return outcome;
}

int tell(const Outcome& outcome, std::ostream& out, std::ostream& log) {
  log << outcome.log;
  out << outcome.out << std::flush;
  if (out) return outcome.status;
  log << "xsctl: the output can't be written\n";
  return kNoAnswer;
}

}  // namespace xs::dom0
