// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xsctl: what an administrator in dom0 sees of xs, and does with it (man/xsctl.8.md).
#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <string_view>

#include "dom0/ctl/command.hpp"
#include "dom0/xen/machine.hpp"

namespace {

// Xen's libraries wait for the store's answer for ever.
void give_up(int) {
  constexpr std::string_view kWords = "xsctl: Xen or its store doesn't answer\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kWords.data(), kWords.size());
  _exit(xs::dom0::kNoAnswer);
}

}  // namespace

int main(int count, char** words) {
  using namespace xs::dom0;
  const Options options = parse({words + 1, words + count});
  if (!options.list) {
    const bool asked = options.status == kDone;
    const Outcome said{options.status, asked ? options.text : "", asked ? "" : options.text};
    return tell(said, std::cout, std::cerr);
  }
  signal(SIGALRM, give_up);
  alarm(options.seconds);
  const Outcome outcome = list(options, open_xen);
  alarm(0);  // a pager may keep us waiting
  return tell(outcome, std::cout, std::cerr);
}
