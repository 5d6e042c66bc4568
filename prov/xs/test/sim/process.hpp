// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A simulated process: one real endpoint, and an application that asks everything of it.
#pragma once
#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/cq.hpp"
#include "core/endpoint.hpp"
#include "sim/arena.hpp"
#include "sim/board.hpp"
#include "sim/dice.hpp"
#include "sim/fake/hv.hpp"
#include "sim/fake/inner.hpp"
#include "sim/fake/reader.hpp"
#include "sim/ledger.hpp"
#include "sim/scenario.hpp"
#include "sim/sleeper.hpp"

namespace xs::sim {

class Process;

// Another processor.
class Elsewhere {
 public:
  // Somebody else may run in the middle of what that process does.
  virtual void meanwhile(const Process& process) noexcept = 0;

 protected:
  ~Elsewhere() = default;
};

// What processes share.
struct Surroundings {
  const Scenario& scenario;
  FakeNetwork& network;
  Judge& judge;
  Ledger& ledger;
  Arena& arena;
  FakeHypervisor& machine;
  Elsewhere& elsewhere;
};

enum class Phase : std::uint8_t { kWorking, kDraining, kParting, kOver };

class Process {
 public:
  Process(const Surroundings& around, unsigned member, std::uint64_t seed);
  ~Process();

  // Lets the application and its endpoint move on, at next_step().
  void step();
  Nanoseconds next_step() const noexcept;
  // Whether it could run at this very moment, on another processor.
  bool awake() const noexcept;
  // Something arrives: an idle process looks then.
  void wake(Nanoseconds at) noexcept;
  // Computes: nothing moves until then.
  void compute(Nanoseconds until) noexcept { busy_until_ = std::max(busy_until_, until); }

  // No new work from here on.
  void stop_working() noexcept {
    stopped_ = true;
    app_at_ = now();
  }
  // All processes have stopped: the messages still to come are those that exist.
  void settle() noexcept {
    if (!std::exchange(settling_, true)) app_at_ = now();
  }
  // kill -9, or (process_too: false) an endpoint closed in the middle of everything.
  void kill(bool process_too) noexcept;

  Phase phase() const noexcept { return phase_; }
  bool has_endpoint() const noexcept { return endpoint_ != nullptr; }
  core::Endpoint& endpoint() noexcept { return *endpoint_; }
  // Its endpoint is being closed.
  bool closes() const noexcept { return closes_; }
  // Null: it shares memory with nobody.
  const FakeHv* hv() const noexcept { return hv_; }
  // Our VM is about to be moved, and something is still to be given back.
  bool restless() const noexcept { return neighbours_ && neighbours_->restless(); }
  Nanoseconds busy_until() const noexcept { return busy_until_; }
  const Sleeper& sleeper() const noexcept { return sleeper_; }
  // Of who is asleep: when, and how much after what woke it at most.
  Nanoseconds wakes_at() const noexcept;
  Nanoseconds lateness() const noexcept { return lateness_; }
  Life& life() const noexcept { return life_; }
  ProcessId id() const noexcept { return id_; }
  std::string state() const;
  // Messages that the endpoint has taken from that address, whoever lived there.
  std::uint64_t taken_from(const proto::Address& address);
  // Who asks others how far they are.
  void set_others(const std::vector<std::unique_ptr<Process>>& all) noexcept { others_ = &all; }
  // What its endpoint has come to, once that is closed.
  struct Outcome {
    std::uint64_t replayed = 0;       // frames posted again
    std::uint64_t ring_messages = 0;  // received by rings
    stream::PathCounters paths;       // of sessions that lived to the end
    std::uint64_t rejoins = 0;        // after another ring of the same session
    std::uint64_t written = 0;        // operations on others' memory that have succeeded
    std::uint64_t read = 0;
    std::uint64_t added = 0;
    std::uint64_t refused = 0;  // and those that have not
    std::uint64_t fenced = 0;   // operations that waited for all before them, perhaps
    std::uint64_t held = 0;     // those of them that had something to wait for
  };
  const Outcome& outcome() const noexcept { return outcome_; }

 private:
  enum class Kind : std::uint8_t {
    kSend,
    kReceive,
    kMulti,
    kPeek,
    kPeekClaim,
    kPeekDiscard,
    kClaimed,
    kClaimDiscard,
    kWrite,  // these three: of others' memory
    kRead,
    kAdd
  };
  struct Action {
    Kind kind;
    Message* message = nullptr;  // sends
    Buffer buffer;
    Request request{};
    std::uint32_t flags = 0;
    bool ended = false;
    bool cancelled = false;
    unsigned to = 0;          // sends, and others' memory: the member
    std::uint64_t place = 0;  // of these, among those of its process, from 1 on
    std::uint64_t suspect = 0;  // a message that this receive should have had, if it is cancelled
    // Of others' memory:
    std::shared_ptr<Board> board{};
    Board::Slot* slot = nullptr;
    std::uint64_t id = 0;               // writes
    std::vector<std::byte> expected{};  // reads
    bool fetches = false;
  };

  // What the application does
  void act();
  void send();
  bool post_send(Action& action, unsigned to);
  std::size_t some_length();
  std::size_t some_room();
  void label(Message& message);
  void receive(Kind kind);
  Request some_request(bool tagged);
  bool post(Action& action);
  void peek();
  void resolve_claim();
  void cancel_something();
  void shuffle_book();
  void drain();
  void drain_kind(bool tagged);
  void take_back_receives();
  bool everything_ended() const;
  bool awaits_answer();
  void part();
  Action& add(Kind kind);
  static bool is_remote(const Action& action) noexcept { return action.kind >= Kind::kWrite; }

  // Others' memory: sim/reach.cpp
  void show_board();
  void take_board_away();
  void hear_the_rest();
  void reach();
  bool write_slot(Action& action, unsigned to);
  bool read_slot(Action& action, unsigned to);
  bool add_one(Action& action, unsigned to);
  bool asked(Action& action, core::Status status);
  std::size_t some_remote_length();
  void reached(Action& action, std::uint64_t flags, int error);
  void written(Action& action, int error);
  void has_read(Action& action, int error);
  void told(const struct fi_cq_tagged_entry& entry);

  // Fences: sim/fence.cpp
  void line_up(Action& action, unsigned to);
  void given(const Action& action);
  const Action* open_before(std::uint64_t place, unsigned to) const;
  void judge_fence(const Action& action);
  void judge_arrival(const Message& message) const;
  void judge_arrival(std::uint64_t write) const;
  void judge_start(std::uint64_t place, unsigned to) const;

  // What it hears
  void read_queues();
  bool read_one(core::CompletionQueue& queue);
  void completed(const struct fi_cq_tagged_entry& entry, fi_addr_t source);
  void failed(const struct fi_cq_err_entry& entry);
  void sent(Action& action, int error);
  void received(Action& action, const struct fi_cq_tagged_entry& entry, std::size_t overflow,
                fi_addr_t source);
  void peeked(Action& action, const struct fi_cq_tagged_entry& entry);
  void receive_failed(Action& action, const struct fi_cq_err_entry& entry);
  Message* identify(const struct fi_cq_tagged_entry& entry, const Action& action,
                    std::size_t placed);
  void check_taken(const Action& action, const Message& message,
                   const struct fi_cq_tagged_entry& entry, std::size_t overflow);
  void check_source(const Message& message, fi_addr_t source);
  void suspect_older(const Action& action, const Message& message);
  void end(Action& action);

  void open_neighbours();
  void check_memory();
  void stop_if_done();
  void plan_next(bool moved);
  void arm();
  void fall_asleep();
  void interrupt();
  void expect_visit();
  void expect_nobody() noexcept;
  void act_beside();
  void judge_wake();
  proto::Address address_of(unsigned member) const;
  void close();
  Nanoseconds now() const noexcept { return around_.network.now(); }

  Surroundings around_;
  const Scenario& scenario_;
  Judge& judge_;
  Dice dice_;
  unsigned member_;
  Life& life_;
  ProcessId id_;

  // A clock of the grain that the run has.
  struct GrainClock final : util::Clock {
    GrainClock(const Surroundings& around, Nanoseconds grain, std::uint64_t seed)
        : network_(around.network), machine_(around.machine), grain_(grain), dice_(seed) {}
    Nanoseconds now() noexcept override {
      machine_.strike();
      return network_.now() / grain_ * grain_;
    }
    // What is measured takes any time.
    Nanoseconds precise() noexcept override { return precise_ += dice_.below(100'000); }
    FakeNetwork& network_;
    FakeHypervisor& machine_;
    Nanoseconds grain_;
    Dice dice_;
    Nanoseconds precise_ = 1;
  };

  GrainClock clock_;
  Dice secrets_;
  std::unique_ptr<FakeProvider> provider_;
  FakeHv* hv_ = nullptr;  // what our neighbours are made of; null: shares with nobody
  std::unique_ptr<FakeReader> reader_;
  stream::Rings rings_;
  std::unique_ptr<locality::Neighbours> neighbours_;
  core::AddressBook book_;
  core::CompletionQueue send_queue_;
  core::CompletionQueue receive_queue_;
  core::Registrations shared_;
  Sleeper sleeper_;
  std::unique_ptr<core::Endpoint> endpoint_;
  std::vector<std::optional<core::PeerAddress>> numbers_;  // of members, in the book
  const std::vector<std::unique_ptr<Process>>* others_ = nullptr;

  Phase phase_ = Phase::kWorking;
  bool stopped_ = false;
  bool settling_ = false;
  unsigned operations_left_;
  std::deque<Action> actions_;
  std::vector<Action*> open_;    // not ended
  std::vector<Action*> claims_;  // messages taken aside
  std::uint64_t posts_ = 0;
  bool took_back_ = false;
  Nanoseconds parting_since_ = 0;
  Nanoseconds uncertain_since_ = 0;

  Nanoseconds next_step_;
  Nanoseconds next_act_;
  Nanoseconds busy_until_ = 0;
  Nanoseconds pause_ = 1000;
  unsigned idle_ = 0;
  unsigned sleeps_ = 0;  // so far
  bool closes_ = false;
  bool watching_ = false;
  std::function<void()> visit_ = [this] { around_.elsewhere.meanwhile(*this); };
  Nanoseconds slept_at_ = 0;
  Nanoseconds lateness_ = 0;  // of the scheduler, this time
  Nanoseconds app_at_ = 0;    // asleep: when another thread of the application calls
  Outcome outcome_;
  Dice remote_dice_;  // of their own: without remote memory a seed is the run that it always was
  Dice fence_dice_;   // likewise
  std::uint64_t places_ = 0;
  std::uint64_t remote_ids_ = 0;
  std::uint64_t boards_ = 0;      // so far
  std::shared_ptr<Board> board_;  // ours, the newest; null: nobody reaches anything
};

}  // namespace xs::sim
