// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/move.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>

#include "dom0/ctl/aftermath.hpp"
#include "dom0/ctl/board.hpp"
#include "dom0/ctl/domain.hpp"
#include "dom0/ctl/pause.hpp"
#include "dom0/ctl/phases.hpp"
#include "dom0/ctl/request.hpp"
#include "dom0/ctl/text.hpp"
#include "dom0/ctl/xl.hpp"

namespace xs::dom0 {

namespace {

constexpr std::uint64_t kMostForPeers = 2000;  // ms

class Mover {
 public:
  Mover(const Options& options, Machine& machine, System& system, Console console)
      : options_(options),
        machine_(machine),
        system_(system),
        phases_(system, console),
        board_(machine) {}
  int run();

 private:
  // Each gives 0, to go on, or the exit status after it has told why.
  int find();
  int ask();
  int count_processes();
  int tell_standing(const std::string& standing);
  int wait();
  // 0, an exit status, or nothing: the time was over before.
  using Condition = bool (Pause::*)() const noexcept;
  std::optional<int> wait_until(Pause& pause, Condition so, std::uint64_t until);
  int wait_for_peers(Pause& pause, std::uint64_t until);
  int tell_signal(int signal);
  int time_is_over(const Pause& pause);
  int look_whether_it_is_still_asked();
  int hand_over_to_xl();

  bool is_ours(const std::optional<Domain>& found) const noexcept;
  // What has become of the domain; the exit status after all.
  int settle(int status);
  int let_go_on(const Domain& domain, int status);
  void look_for_return(std::optional<Domain> still_here);

  const Options& options_;
  Machine& machine_;
  System& system_;
  Phases phases_;
  Board board_;
  Guest guest_;
  Request request_;
  bool asked_ = false;   // our request stands, as far as we know
  bool forced_ = false;  // somebody was not waited for
  bool xl_ran_ = false;
  std::set<std::uint64_t> processes_;  // of the domain, before xl moved it
};

int Mover::run() {
  int status = find();
  if (status == kDone) status = ask();
  if (status != kDone) return status;
  status = count_processes();
  if (status == kDone) status = wait();
  if (status == kDone) status = look_whether_it_is_still_asked();
  if (status == kDone) status = hand_over_to_xl();
  return settle(status);
}

int Mover::find() {
  auto guest = find_guest(machine_, options_.domain);
  if (!guest) return phases_.complain(guest.error(), options_.domain);
  guest_ = std::move(*guest);
  return look_for_xl(system_, phases_);
}

int Mover::ask() {
  phases_.begin("ask");
  request_ = {system_.random(), system_.pid()};
  auto asking = dom0::ask(machine_, guest_.domain.id, request_);
  if (!asking) return phases_.complain(asking.error());
  if (asking->answer == Asking::Answer::kAnotherStands) return tell_standing(asking->standing);
  asked_ = asking->answer == Asking::Answer::kAsked;
  return kDone;
}

// Only now: a process that has not found our request has written its note before.
int Mover::count_processes() {
  if (auto begun = board_.begin(); !begun) return phases_.complain(begun.error());
  const std::size_t processes = board_.of(guest_.domain.id).size();
  if (!asked_)
    phases_.end(describe(guest_) + " has no data/ in the store, so nobody there can use xs");
  else if (processes == 0)
    phases_.end("no process of " + describe(guest_) + " uses xs; it is moved all the same");
  else
    phases_.end(count(processes, "process", "processes") + " of " + describe(guest_) +
                " asked to pause");
  return kDone;
}

int Mover::tell_standing(const std::string& standing) {
  phases_.complain(describe(guest_) + " is asked to pause already, " +
                   describe_asker(standing, system_) + "\n");
  return kBusy;
}

int Mover::wait() {
  if (!asked_) return kDone;
  phases_.begin("wait");
  Pause pause(guest_.domain.id, request_.serial);
  const std::uint64_t until = system_.now() + options_.deadline * 1000ULL;
  const auto status = wait_until(pause, &Pause::is_whole, until);
  if (!status) return time_is_over(pause);
  if (*status != kDone) return *status;
  if (const int ended = wait_for_peers(pause, until)) return ended;
  if (!pause.is_whole()) return time_is_over(pause);
  phases_.end(pause.processes() == 0 ? "for nobody" : pause.progress());
  const Mapped mapped = what_is_mapped(machine_, guest_.domain.id);
  if (pause.processes() > 0 && !mapped.lines.empty())
    phases_.complain("all have paused, yet\n" + mapped.lines +
                     "Driver domains have pages mapped; else a process there does not tell it.\n");
  return kDone;
}

std::optional<int> Mover::wait_until(Pause& pause, Condition so, std::uint64_t until) {
  for (;;) {
    if (auto heard = board_.wait(0, -1); !heard) return phases_.complain(heard.error());
    pause.look(board_, machine_);
    if (const int signal = system_.asked_to_end()) return tell_signal(signal);
    if ((pause.*so)()) return kDone;
    phases_.say(pause.progress());
    const std::uint64_t now = system_.now();
    if (now >= until) return std::nullopt;
    auto heard = board_.wait(std::min(until - now, kMostSleep), system_.descriptor());
    if (!heard) return phases_.complain(heard.error());
  }
}

// A courtesy: they may be stopped, or dead, and nobody's move waits for them.
int Mover::wait_for_peers(Pause& pause, std::uint64_t until) {
  const auto told = wait_until(pause, &Pause::is_told, system_.now() + kMostForPeers);
  if (told) return *told;
  // Others may have begun meanwhile.
  const auto whole = wait_until(pause, &Pause::is_whole, until);
  if (!whole || *whole != kDone) return whole.value_or(kDone);
  if (!pause.is_told())
    phases_.complain("not all peers of these have heard of the pause:\n" + pause.untold() +
                     "If the domain is away for longer than FI_XS_PEER_TIMEOUT, those end their "
                     "sessions with it.\n");
  return kDone;
}

int Mover::tell_signal(int signal) {
  phases_.complain(std::string("asked to end: ") + strsignal(signal) + '\n');
  return kSignal + signal;
}

int Mover::time_is_over(const Pause& pause) {
  phases_.end(pause.progress());
  const Mapped mapped = what_is_mapped(machine_, guest_.domain.id);
  const bool are_dead = pause.nobody_answers() && pause.peers_let_go() && mapped.is_nothing();
  forced_ = options_.force && !are_dead;
  const bool goes_on = are_dead || forced_;
  std::string text = describe(guest_) + (goes_on ? " is moved all the same" : " isn't moved") +
                     ", after " + std::to_string(options_.deadline) + " s:\n" + pause.missing() +
                     mapped.text();
  if (are_dead)
    text += "They are taken for processes that were killed: whoever lives would have answered.\n";
  else if (guest_.domain.state == State::kPaused)
    text += "The domain is paused (xl unpause), so its processes can't answer.\n";
  else if (!goes_on)
    text +=
        "A process that is stopped can't answer, nor one that was killed and whose node is still\n"
        "there. With --force the domain is moved all the same; see xsctl(8).\n";
  phases_.complain(text);
  return goes_on ? kDone : kNotPaused;
}

// Whoever has taken it back has let the processes have rings again.
int Mover::look_whether_it_is_still_asked() {
  if (!asked_) return kDone;
  auto text = read_request(machine_, guest_.domain.id);
  if (text && *text == as_text(request_)) return kDone;
  if (!text && text.error().code != ENOENT) return phases_.complain(text.error());
  auto found = find_domain(machine_, guest_.domain.id);
  if (!found) return phases_.complain(found.error());
  if (!is_ours(*found)) {
    phases_.complain(describe(guest_) + " has ended meanwhile\n");
    return kCannot;
  }
  phases_.complain("our request was taken back, by an xsctl abort or by the guest itself\n");
  forced_ = options_.force;
  return forced_ ? kDone : kNotPaused;
}

int Mover::hand_over_to_xl() {
  for (const auto& [process, note] : board_.of(guest_.domain.id)) processes_.insert(process);
  std::vector<std::string> words{options_.action == Action::kSave ? "save" : "migrate"};
  words.insert(words.end(), options_.to_xl.begin(), options_.to_xl.end());
  words.push_back(std::to_string(guest_.domain.id));
  words.push_back(options_.where);
  xl_ran_ = true;
  return run_xl(words, system_, phases_);
}

// The domain of our guest's number is our guest, and not dead.
bool Mover::is_ours(const std::optional<Domain>& found) const noexcept {
  return found && found->uuid == guest_.domain.uuid && found->state != State::kDying;
}

int Mover::settle(int status) {
  auto found = find_domain(machine_, guest_.domain.id);
  if (!found) {
    if (asked_) phases_.complain("the request may still stand: xsctl abort takes it back\n");
    return phases_.complain(found.error());
  }
  if (!is_ours(*found)) found->reset();
  if (*found) status = let_go_on(**found, status);
  if (xl_ran_) look_for_return(*found);
  if (xl_ran_ && !*found) look_for_remains(guest_, forced_, machine_, system_, phases_);
  phases_.sum_up();
  return status;
}

// It still is here under its number.
int Mover::let_go_on(const Domain& domain, int status) {
  if (!asked_) return status;
  const std::string who = describe(guest_);
  const std::string number = std::to_string(domain.id);
  if (domain.state == State::kShutdown) {
    phases_.complain(who + " is still here, and suspended: its processes stay asked to pause.\n" +
                     "When it runs again: xsctl abort " + number + '\n');
    return status;
  }
  auto taken = take_back(machine_, domain.id, as_text(request_));
  if (!taken) {
    phases_.complain("the request still stands: xsctl abort " + number + " takes it back\n");
    return phases_.complain(taken.error());
  }
  phases_.begin("resume");
  phases_.say(who + " stays here, and its processes may have rings again");
  return status;
}

void Mover::look_for_return(std::optional<Domain> still_here) {
  if (processes_.empty() || system_.asked_to_end() != 0) return;
  const auto lives = [](const Domain& domain) {
    return domain.state == State::kRunning || domain.state == State::kBlocked;
  };
  if (!still_here) {
    auto successor = find_successor(machine_, guest_.domain);
    if (!successor || !*successor) return;
    still_here = *successor;
  }
  if (lives(*still_here))
    wait_for_return({*still_here, guest_.name}, {processes_, request_.serial, options_.deadline},
                    board_, system_, phases_);
}

}  // namespace

int move(const Options& options, Machine& machine, System& system, Console console) {
  return Mover(options, machine, system, console).run();
}

}  // namespace xs::dom0
