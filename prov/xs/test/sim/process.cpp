// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The life of a process: when it runs, how it ends. What it does is in act.cpp, what it hears in
// hear.cpp.
#include "sim/process.hpp"

#include <algorithm>

namespace xs::sim {

namespace {
constexpr Nanoseconds kShortestPause = 1'000;
constexpr Nanoseconds kPause = 200'000;  // between looks of an idle process, at first
constexpr Nanoseconds kLongestPause = 20 * util::kMillisecond;
constexpr std::size_t kLanes = 4;
constexpr std::size_t kControlFrames = 16;  // per session
constexpr unsigned kSoonIdle = 200;         // looks
constexpr std::uint64_t kMostPages = 60;
constexpr unsigned kSleepy = 20;                      // looks
constexpr Nanoseconds kPatience = 3 * util::kSecond;  // for messages that may not come
}  // namespace

Process::Process(const Surroundings& around, unsigned member, std::uint64_t seed)
    : around_(around),
      scenario_(around.scenario),
      judge_(around.judge),
      dice_(seed),
      member_(member),
      life_(around.ledger.born(member)),
      id_(life_.number),
      clock_(around, scenario_.grain, seed ^ 0x9e3779b97f4a7c15u),
      secrets_(dice_.next()),
      provider_(std::make_unique<FakeProvider>(around.network, id_, scenario_.members[member].host,
                                               scenario_.members[member].port)),
      send_queue_(FI_CQ_FORMAT_TAGGED, scenario_.members[member].queue_size),
      receive_queue_(FI_CQ_FORMAT_TAGGED, scenario_.members[member].queue_size),
      shared_({}, secrets_),
      sleeper_(around.network, id_, scenario_.grain),
      numbers_(scenario_.members.size()),
      operations_left_(static_cast<unsigned>(dice_.between(0, 2ull * scenario_.operations))),
      next_step_(around.network.now() + dice_.below(100'000)),
      next_act_(next_step_),
      remote_dice_(seed ^ 0xd6e8feb86659fd93u),
      fence_dice_(seed ^ 0x589965cc75374cc3u) {
  open_neighbours();
  const core::EndpointParts parts{
      .config = scenario_.members[member].config,
      .inner = *provider_,
      .clock = clock_,
      .random = secrets_,
      .send_queue = &send_queue_,
      .receive_queue = scenario_.one_queue ? &send_queue_ : &receive_queue_,
      .book = &book_,
      .neighbours = neighbours_.get(),
      .rings = neighbours_ ? &rings_ : nullptr,
      .observer = nullptr,
      .exposed = {&shared_, core::kReadable | core::kWritable},
      .directed = scenario_.directed,
      .source = scenario_.source};
  auto opened = core::Endpoint::open(parts);
  if (!opened) {
    judge_.fail("member %u can't open its endpoint", member);
    return;
  }
  endpoint_ = std::move(*opened);
  if (endpoint_->name() != address_of(member)) judge_.fail("member %u got another address", member);
  book_.attach(*endpoint_);
  if (scenario_.remote_percent > 0) show_board();
  for (unsigned i = 0; i < numbers_.size(); ++i) numbers_[i] = book_.insert(address_of(i));
  judge_.trace("life %lu: member %u, generation %u", life_.number, member, life_.generation);
}

void Process::open_neighbours() {
  const Member& member = scenario_.members[member_];
  if (!member.place) return;
  auto backend = std::make_unique<FakeHv>(around_.machine, id_, *member.place);
  hv_ = backend.get();
  if (member.reads) reader_ = std::make_unique<FakeReader>(*hv_);
  rings_.limits = {.first = member.config.ring_size,
                   .largest = member.config.ring_largest,
                   .memory = member.config.ring_memory,
                   .sleeps = member.sleep == Sleep::kAlways,
                   .reader = reader_.get()};
  if (member.vm) {
    hv_->set_vm(*member.vm);
    for (const FakeHv* other : around_.machine.backends())
      if (other != hv_ && other->vm() == *member.vm && other->announced()) hv_->announce(true);
  }
  if (scenario_.tight) hv_->set_budget(around_.machine.dice().below(kMostPages));
  neighbours_ = std::make_unique<locality::Neighbours>(std::move(backend));
}

Process::~Process() {
  if (endpoint_) book_.detach(*endpoint_);
}

proto::Address Process::address_of(unsigned member) const {
  return FakeNetwork::address(scenario_.members[member].host, scenario_.members[member].port);
}

void Process::kill(bool process_too) noexcept {
  judge_.trace("life %lu ends: %s", life_.number, process_too ? "killed" : "endpoint closed");
  if (process_too) around_.network.died(id_);
  if (process_too && hv_) hv_->kill();
  close();
  if (process_too) {
    hv_ = nullptr;
    neighbours_.reset();
  }
  for (Action* action : open_) around_.arena.retire(action->buffer);
  open_.clear();
  sleeper_.wake();
  around_.ledger.died(life_);
  phase_ = Phase::kOver;
  next_step_ = util::kNever;
}

void Process::close() {
  endpoint_->peers().for_each([&](core::Peer& peer) {
    outcome_.ring_messages += peer.ring.received_messages;
    outcome_.replayed += peer.replayed;
    if (!peer.session) return;
    outcome_.replayed += peer.session->counters().replayed;
    const stream::PathCounters& paths = peer.session->path_counters();
    outcome_.paths.joined += paths.joined;
    outcome_.rejoins += paths.joined > 1 ? paths.joined - 1 : 0;
    outcome_.paths.left += paths.left;
    outcome_.paths.faults += paths.faults;
  });
  closes_ = true;
  book_.detach(*endpoint_);
  endpoint_.reset();
  if (board_) {
    if (phase_ == Phase::kParting) hear_the_rest();
    board_->close(phase_ == Phase::kParting);
  }
  if (!hv_) return;
  // Where hv tells of a peer's pause later than that answers a PING, its ring looks frozen first.
  const bool told_late =
      scenario_.pauses > 0 && scenario_.hv.delay_high >= scenario_.members[member_].config.quiet;
  if (outcome_.paths.faults > 0 && !scenario_.rings_suffer && !told_late)
    judge_.fail("life %lu: %lu rings had faults though nothing befell any", life_.number,
                outcome_.paths.faults);
  const FakeHypervisor::Held held = around_.machine.held_by(hv_->number());
  if (held.shares > 0 || held.mappings > 0)
    judge_.fail("life %lu: its endpoint leaves %zu shares and %zu mappings", life_.number,
                held.shares, held.mappings);
}

void Process::step() {
  if (now() < busy_until_) {
    next_step_ = busy_until_;
    return;
  }
  if (sleeper_.asleep()) {
    if (now() < wakes_at()) return act_beside();
    judge_wake();
    sleeper_.wake();
  }
  const std::size_t before = open_.size();
  bool moved = false;
  if (phase_ == Phase::kWorking && now() >= next_act_) {
    act();
    moved = true;
  } else if (phase_ == Phase::kDraining) {
    drain();
  }
  endpoint_->progress();
  read_queues();
  check_memory();
  moved |= open_.size() != before;
  stop_if_done();
  if (phase_ == Phase::kParting) part();
  if (phase_ != Phase::kOver) plan_next(moved);
}

void Process::stop_if_done() {
  if (phase_ == Phase::kWorking && (stopped_ || operations_left_ == 0)) phase_ = Phase::kDraining;
}

void Process::plan_next(bool moved) {
  if (moved) {
    idle_ = 0;
    pause_ = kShortestPause;
  } else if (++idle_ < kSoonIdle) {
    pause_ = std::min(2 * pause_, kPause);
  } else {
    pause_ = std::min(pause_ + pause_ / 8, kLongestPause);
  }
  next_step_ = now() + dice_.between(pause_ / 2, pause_);
  if (idle_ > kSleepy) arm();
  if (phase_ == Phase::kWorking) next_step_ = std::min(next_step_, std::max(next_act_, now() + 1));
}

void Process::wake(Nanoseconds at) noexcept {
  if (phase_ == Phase::kOver || sleeper_.asleep()) return;
  next_step_ = std::min(next_step_, std::max({at + dice_.below(2'000), now() + 1, busy_until_}));
}

// Everything that must come has come: gives back what is still posted, then parts.
void Process::drain() {
  drain_kind(true);
  drain_kind(false);
  if (!claims_.empty()) resolve_claim();
  if (!settling_) return;
  const Outstanding tagged = around_.ledger.outstanding(life_, true);
  const Outstanding untagged = around_.ledger.outstanding(life_, false);
  if (tagged.certain + untagged.certain > 0) {
    uncertain_since_ = 0;
    return;
  }
  if (tagged.uncertain + untagged.uncertain > 0) {
    if (uncertain_since_ == 0) uncertain_since_ = now();
    if (now() - uncertain_since_ < kPatience) return;
  }
  take_back_receives();
  if (!everything_ended() || !claims_.empty() || awaits_answer()) return;
  phase_ = Phase::kParting;
  parting_since_ = now();
  judge_.trace("life %lu parts", life_.number);
  if (board_) board_->leave();
  endpoint_->part();
}

void Process::take_back_receives() {
  took_back_ = true;
  for (Action* action : std::vector<Action*>(open_)) {
    if (action->kind != Kind::kReceive && action->kind != Kind::kMulti) continue;
    if (action->cancelled) continue;
    if (endpoint_->cancel(action) == core::Status::kOk) action->cancelled = true;
  }
}

// Whoever lives answers LEFT, and OFFER while both are neighbours (over a dead connection nobody
// hears it, and nobody need find out); who has died can't.
bool Process::awaits_answer() {
  bool awaits = false;
  endpoint_->peers().for_each([&](core::Peer& peer) {
    const stream::Session* session = peer.session;
    if (!session || !session->open() || session->goodbye_taken()) return;
    const stream::Path& path = session->path();
    const bool asks =
        path.state == stream::PathState::kOffered || path.state == stream::PathState::kAnswered;
    const bool neighbours = path.link && static_cast<const FakeLink*>(path.link)->whole();
    const bool heard = neighbours && !around_.network.has_half_dead();
    awaits = awaits || session->leaves_ring() || (asks && heard);
  });
  return awaits && !around_.ledger.anybody_died();
}

bool Process::everything_ended() const { return open_.empty(); }

void Process::part() {
  const bool expired = scenario_.severity == Severity::kDeadly &&
                       now() - parting_since_ >= scenario_.members[member_].config.linger;
  if (!endpoint_->parted() && !expired) return;
  judge_.trace("life %lu has parted%s", life_.number, expired ? ", or lost its patience" : "");
  close();
  if (expired) around_.ledger.died(life_);
  life_.over = true;
  if (dice_.percent(50)) around_.network.died(id_);  // else the process does other things
  phase_ = Phase::kOver;
  next_step_ = util::kNever;
}

std::string Process::state() const {
  static constexpr const char* kNames[] = {"working", "draining", "parting", "over"};
  unsigned sends = 0;
  unsigned receives = 0;
  for (const Action* action : open_) ++(action->kind == Kind::kSend ? sends : receives);
  std::string text = "member " + std::to_string(member_) + " is " +
                     kNames[static_cast<unsigned>(phase_)] + " with " + std::to_string(sends) +
                     " sends and " + std::to_string(receives) + " receives open";
  for (const Action* action : open_)
    if (action->kind == Kind::kSend)
      return text + ", first message " + std::to_string(action->message->id) + " to member " +
             std::to_string(action->message->to);
  if (const Message* message = around_.ledger.first_outstanding(life_))
    text += ", waits for message " + std::to_string(message->id) + " of member " +
            std::to_string(message->sender->member);
  return text;
}

std::uint64_t Process::taken_from(const proto::Address& address) {
  std::uint64_t taken = 0;
  if (endpoint_)
    endpoint_->peers().for_each([&](core::Peer& peer) {
      if (peer.home == address) taken = peer.fabric.received_messages + peer.ring.received_messages;
    });
  return taken;
}

// Every live session keeps at most a window for replay; as much may still be with the inner
// provider on each lane that it left. Control frames are few beside it.
void Process::check_memory() {
  std::size_t window = 0;
  for (const Member& member : scenario_.members)
    window = std::max<std::size_t>(window, member.config.window);
  const std::size_t most = scenario_.members.size() * (kLanes * window + kControlFrames);
  if (endpoint_->streams().frames() > most)
    judge_.fail("member %u holds %zu frames, more than %zu", member_, endpoint_->streams().frames(),
                most);
  const std::size_t shared = hv_ ? around_.machine.held_by(hv_->number()).shared_bytes : 0;
  if (shared > rings_.limits.memory)
    judge_.fail("member %u shares %zu bytes, more than %zu", member_, shared, rings_.limits.memory);
  const hv::Budget* const budget = hv_ ? hv_->budget().get() : nullptr;
  if (budget && hv_->knows_budget() && budget->in_use - budget->leaving > budget->pages)
    judge_.fail("member %u has %zu pages, %zu of them on their way back, more than %zu", member_,
                budget->in_use, budget->leaving, budget->pages);
}

}  // namespace xs::sim
