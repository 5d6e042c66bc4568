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
  const xs::dom0::Options options = xs::dom0::parse({words + 1, words + count});
  if (!options.list) {
    (options.status == xs::dom0::kDone ? std::cout : std::cerr) << options.text;
    return options.status;
  }
  signal(SIGALRM, give_up);
  alarm(options.seconds);
  return xs::dom0::list(options, xs::dom0::open_xen, std::cout, std::cerr);
}
