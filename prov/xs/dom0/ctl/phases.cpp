// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/phases.hpp"

#include <cerrno>

#include "dom0/ctl/failure.hpp"
#include "dom0/ctl/text.hpp"

namespace xs::dom0 {

void Phases::begin(const char* phase) {
  phase_ = phase;
  said_.clear();
  begun_ = system_.now();
}

// What xl writes comes in between: nothing may be held back here.
void Phases::say(const std::string& text) {
  if (text == said_) return;
  said_ = text;
  console_.out << phase_ << std::string(phase_.size() < 7 ? 7 - phase_.size() : 1, ' ') << text
               << std::endl;
}

void Phases::end(const std::string& text) {
  const std::uint64_t taken = system_.now() - begun_;
  taken_.emplace_back(phase_, taken);
  say(text + " (" + seconds(taken) + ')');
}

void Phases::complain(const std::string& text) { console_.log << "xsctl: " << text << std::flush; }

int Phases::complain(const util::Error& error, const std::string& domain) {
  const Failure failure = explain(error);
  const bool is_about_it = error.code == ESRCH || error.code == EEXIST || error.code == EBUSY;
  complain((is_about_it ? printable(domain) + ": " : "") + failure.text + '\n');
  return failure.status;
}

void Phases::sum_up() {
  std::string text;
  for (const auto& [phase, taken] : taken_)
    text += (text.empty() ? "" : ", ") + phase + ' ' + seconds(taken);
  begin("total");
  if (!text.empty()) say(text);
}

}  // namespace xs::dom0
