// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <sys/prctl.h>

#include <csignal>

#include "common/failure.hpp"
#include "worker/side.hpp"

namespace xs::bench {
namespace {

// The own part of a measurement may be over while the peer still needs an
// answer of ours, so progress goes on until the driver has heard from both.
void run_and_rest(const Channel& channel, unsigned side_number, Side& side, const Task& task) {
  using namespace std::chrono_literals;
  const Timing timing = side.run(task);
  channel.send({.verb = Verb::kResult, .side = side_number, .timing = timing});
  while (!channel.readable(0ms)) side.progress();
}

}  // namespace

void serve(const Channel& channel, unsigned side_number, Side& side) {
  channel.send({.verb = Verb::kHello, .side = side_number, .text = side.address()});
  while (const auto message = channel.receive()) {
    if (message->verb == Verb::kConnect) {
      side.connect(message->text);
      channel.send({.verb = Verb::kConnected, .side = side_number});
    } else if (message->verb == Verb::kRun) {
      run_and_rest(channel, side_number, side, message->task);
    } else if (message->verb != Verb::kRest) {
      throw Failure("unexpected message from the driver");
    }
  }
}

void die_with_parent() { prctl(PR_SET_PDEATHSIG, SIGKILL); }

void report_failure(const Channel& channel, unsigned side_number, const std::exception& reason) {
  const bool declined = dynamic_cast<const Declined*>(&reason) != nullptr;
  channel.send({.verb = declined ? Verb::kDeclined : Verb::kFailed,
                .side = side_number,
                .text = reason.what()});
}

}  // namespace xs::bench
