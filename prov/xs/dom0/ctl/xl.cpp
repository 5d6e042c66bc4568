// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/xl.hpp"

#include <cstring>

#include "dom0/ctl/text.hpp"

namespace xs::dom0 {

namespace {

std::string describe(const Ended& ended) {
  if (ended.signal != 0) return std::string("xl was ended by a signal: ") + strsignal(ended.signal);
  return "xl has failed, with exit status " + std::to_string(ended.status);
}

}  // namespace

int look_for_xl(System& system, Phases& phases) {
  if (system.has("xl")) return kDone;
  phases.complain("there is no xl in PATH (it is in /usr/sbin mostly)\n");
  return kCannot;
}

int run_xl(const std::vector<std::string>& words, System& system, Phases& phases) {
  std::string line = "xl";
  std::vector<std::string> all{"xl"};
  for (const std::string& word : words) {
    line += ' ' + printable(word);
    all.push_back(word);
  }
  phases.begin("move");
  phases.say(line);
  auto ended = system.run(all);
  const int signal = system.asked_to_end();
  if (!ended) {
    phases.complain(std::string("xl can't be run: ") + std::strerror(ended.error().code) + '\n');
    return kCannot;
  }
  if (ended->status == 0 && ended->signal == 0) {
    phases.end("xl has done it");
    return kDone;
  }
  phases.end(describe(*ended));
  return signal != 0 ? kSignal + signal : kNotMoved;
}

}  // namespace xs::dom0
