// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xsctl: what an administrator in dom0 sees of xs, and does with it (man/xsctl.8.md).
#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <string_view>

#include "dom0/ctl/command.hpp"
#include "dom0/posix/system.hpp"
#include "dom0/xen/machine.hpp"

namespace {

using namespace xs::dom0;

// Xen's libraries wait for the store's answer for ever.
std::string_view last_words = "xsctl: Xen or its store doesn't answer\n";

void give_up(int) {
  [[maybe_unused]] const ssize_t written =
      write(STDERR_FILENO, last_words.data(), last_words.size());
  _exit(kNoAnswer);
}

int show(const Options& options) {
  alarm(options.seconds);
  const Outcome outcome = list(options, [] { return open_xen(); });
  alarm(0);  // a pager may keep us waiting
  return tell(outcome, std::cout, std::cerr);
}

// Each answer may take so long.
int change(const Options& options) {
  last_words =
      "xsctl: Xen or its store doesn't answer; what was asked of the domain may still stand, and\n"
      "xsctl abort takes it back\n";
  return xs::dom0::change(options, [&] { return open_xen(options.seconds); }, open_system,
                          {std::cout, std::cerr});
}

}  // namespace

int main(int count, char** words) {
  const Options options = parse({words + 1, words + count});
  if (options.action == Action::kSay) {
    const bool asked = options.status == kDone;
    const Outcome said{options.status, asked ? options.text : "", asked ? "" : options.text};
    return tell(said, std::cout, std::cerr);
  }
  signal(SIGALRM, give_up);
  return options.action == Action::kList ? show(options) : change(options);
}
