// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "core/address_book.hpp"
#include "core/bulk_watch.hpp"
#include "core/config.hpp"
#include "core/counter.hpp"
#include "core/cq.hpp"
#include "core/gatekeeper.hpp"
#include "core/peers.hpp"
#include "core/receiver.hpp"
#include "core/reporter.hpp"
#include "core/rma_initiator.hpp"
#include "core/rma_target.hpp"
#include "core/sender.hpp"
#include "core/types.hpp"
#include "locality/neighbours.hpp"
#include "proto/address.hpp"
#include "stream/inner.hpp"
#include "stream/streams.hpp"
#include "stream/upper.hpp"
#include "util/clock.hpp"
#include "util/random.hpp"
#include "util/result.hpp"

namespace xs::core {

// Who is told that paths follow a move, of this process or of a peer. Called from inside progress,
// often more than once for one move.
class PathObserver {
 public:
  virtual void paths_refreshed() noexcept = 0;

 protected:
  ~PathObserver() = default;
};

// What an endpoint works with; everything outlives it. clock and random are the domain's or a
// test's.
struct EndpointParts {
  const Config& config;
  stream::InnerProvider& inner;
  util::Clock& clock;
  util::Random& random;
  CompletionQueue* send_queue = nullptr;       // may be null: nothing reports sends
  CompletionQueue* receive_queue = nullptr;    // may be null for a send-only endpoint
  Counters counters = {};                      // what is counted, beside the queues
  AddressBook* book = nullptr;                 // may be null for a receive-only endpoint
  locality::Neighbours* neighbours = nullptr;  // may be null: shares memory with nobody
  stream::Rings* rings = nullptr;              // the domain's; null without neighbours
  PathObserver* observer = nullptr;            // may be null
  Exposed exposed{};                           // what peers may reach of our memory
  SharedReceives* shared = nullptr;            // where receives are posted; null: here
  std::uint32_t shared_flags = 0;              // that each of those has at this endpoint
  Gatekeeper* gatekeeper = nullptr;            // may be null: everybody is a peer
  bool directed = false;  // FI_DIRECTED_RECV: ReceiveOp::from counts; else it is ignored
  bool source = false;    // FI_SOURCE: report where messages came from
};

// An enabled endpoint: matching above streams. Made by fi_enable, ended by fi_close. Thread rule:
// the domain's.
class Endpoint final : private stream::Upper, private locality::Listener {
 public:
  // Opens the inner endpoint: its address is known from here on. Errors are the inner provider's,
  // ENOMEM.
  static util::Result<std::unique_ptr<Endpoint>> open(const EndpointParts& parts) noexcept;
  ~Endpoint();

  const proto::Address& name() const noexcept { return streams_->name(); }

  // The usual cases of the two below, for who includes core/quick.hpp. False: nothing has happened,
  // and it is none. Only tagged operations without special flags, and sends only if
  // sends_quickly().
  bool send_quickly(util::Bytes payload, PeerAddress to, const SendPlan& plan) noexcept;
  bool receive_quickly(std::span<std::byte> memory, PeerAddress from,
                       const ReceivePlan& plan) noexcept;
  bool sends_quickly() const noexcept { return !reporter_.counts_sends(); }
  Status send(const SendOp& op) noexcept { return sender_->send(op); }
  Status receive(const ReceiveOp& op) noexcept { return receiver_->receive(op); }
  Status reach(const RmaOp& op) noexcept { return initiator_->start(op); }
  Status reach(const AtomicOp& op) noexcept { return initiator_->start(op); }
  // For who takes an operation, finds that it can't be begun, and has nobody to return that to.
  void failed(const SendOp& op, int error) noexcept {
    reporter_.send_failed(op.flags, op.context, error);
  }
  void failed(const ReceiveOp& op, int error) noexcept {
    reporter_.receive_failed(op.flags, {.context = op.context, .tag = op.tag}, error);
  }
  void failed(const RmaOp& op, int error) noexcept {
    reporter_.operation_ended(op.kind, op.flags, op.context, error);
  }
  void failed(const AtomicOp& op, int error) noexcept {
    reporter_.operation_ended(op.kind, op.flags, op.context, error);
  }
  // Takes back an operation that has not begun: posted receives, sends that still wait for their
  // stream. An error completion ECANCELED follows at once. kNoMessage if there is none such.
  Status cancel(void* context) noexcept;
  void set_min_multi_receive(std::size_t bytes) noexcept {
    receiver_->set_min_multi_receive(bytes);
  }

  // Moves everything that can move. Called by every completion queue read.
  void progress() noexcept {
    streams_->progress();
    if (streams_->looked_far()) [[unlikely]]
      progress_the_rest();
  }
  // For sleepers (docs/waits.md). From now on the descriptors that tell of work are in that set,
  // which outlives the endpoint.
  void set_waits(stream::WaitSet& waits) noexcept { streams_->set_waits(waits); }
  // Says what may otherwise wait for an occasion: a sleeper has none.
  void before_sleep() noexcept;
  // Right after progress(): everything that comes makes a descriptor readable, or is due().
  bool may_sleep() noexcept { return streams_->may_sleep(); }
  // Cheap: what may_sleep() said last still holds.
  bool settled() const noexcept { return streams_->settled(); }
  // When to progress() though no descriptor may tell; kNever: nothing is owed.
  util::Nanoseconds due() const noexcept;
  // stream::Streams::restless()
  bool restless() const noexcept { return streams_->restless(); }
  // Says goodbye, waits for acknowledgements at most Config::linger, writes the statistics.
  // Operations still open vanish without a completion. Blocks; called once, before destruction.
  // Other endpoints of the thread go on meanwhile: one of them may be who has to acknowledge.
  void close(std::span<Endpoint* const> others = {}) noexcept;
  // The parts of close(), for callers with a clock of their own: after part(), call progress() and
  // parted() until it is true or the time is up.
  void part() noexcept;
  bool parted() noexcept;

  // The address book's news.
  void address_inserted(PeerAddress number, const proto::Address& address) noexcept {
    peers_.inserted(number, address);
  }
  void address_removed(PeerAddress number) noexcept { peers_.removed(number); }

  // For a gatekeeper. A session with that address, which may be open already; null: no memory.
  stream::Session* greet(const proto::Address& home) noexcept;
  // What waits for that session and has not begun ends in error.
  void fail_pending(stream::Session& session, int error) noexcept;
  // Whether all that the user was told of is given to that session.
  bool flushed(const stream::Session& session) const noexcept {
    return sender_->flushed(*static_cast<const Peer*>(session.owner));
  }
  void cancel_receives() noexcept { receiver_->cancel_all(); }
  const EndpointParts& parts() const noexcept { return parts_; }
  stream::Streams& streams() noexcept { return *streams_; }

  const stream::Streams& streams() const noexcept { return *streams_; }
  Peers& peers() noexcept { return peers_; }
  std::size_t sends_under_way() const noexcept { return sender_->under_way(); }
  const Receiver& receiver() const noexcept { return *receiver_; }
  const RmaTarget& target() const noexcept { return *target_; }

 private:
  explicit Endpoint(const EndpointParts& parts) noexcept;

  bool frame_received(stream::Session& session, const proto::FrameView& frame) noexcept override;
  Taken eager_received(stream::Session& session, proto::Envelope envelope, std::uint8_t flags,
                       Payload& payload) noexcept override {
    return receiver_->eager_received(*static_cast<Peer*>(session.owner), envelope, flags, payload);
  }
  unsigned usual_received(stream::Session& session, unsigned most) noexcept override {
    return receiver_->usual_received(session, most);
  }
  Taken payload_received(stream::Session& session, const Head& head,
                         Payload& payload) noexcept override;
  void frame_released(std::uint64_t cookie, int error) noexcept override;
  bool frame_left(std::uint64_t cookie) noexcept override;
  void session_opened(stream::Session& session) noexcept override;
  void window_opened(stream::Session& session) noexcept override;
  void session_ended(stream::Session& session, int error) noexcept override;
  void bulk_let_go(stream::BulkOperation& operation, std::size_t length,
                   int error) noexcept override;
  void card_changed(stream::Session& session, const stream::Card& before) noexcept override;
  void ring_joined(stream::Session& session) noexcept override;
  void neighbour_open(const locality::Process& process, hv::Link& link) noexcept override;
  void neighbour_shares(const locality::Process& process) noexcept override;
  void neighbour_lost(const locality::Process& process, hv::Loss why) noexcept override;
  void neighbour_parted(const locality::Process& process) noexcept override;
  void budget_changed() noexcept override { streams_->keep_budget(); }
  void we_moved() noexcept override;
  void we_paused() noexcept override;
  bool peers_know_card() const noexcept override { return streams_->peers_know_card(); }
  bool knows(const locality::Process& process) noexcept override;
  void introduce(stream::Session& session) noexcept;
  void tell_refreshed() noexcept {
    if (parts_.observer) parts_.observer->paths_refreshed();
  }
  void progress_the_rest() noexcept;
  void look_at_neighbours() noexcept;
  template <class F>
  void for_each_of(const locality::Process& process, F&& f) noexcept;
  bool goodbye_received(Peer& peer) noexcept;
  bool unfinished(const Peer& peer) const noexcept;
  void say_unfinished() noexcept;

  EndpointParts parts_;
  bool paused_ = false;  // our VM was about to be moved when we looked last
  Reporter reporter_;
  Peers peers_;
  BulkWatch watch_;
  util::Nanoseconds leave_at_ =
      0;  // while parting: when lost acknowledgements have been waited for
  std::unique_ptr<stream::Streams> streams_;
  std::unique_ptr<Sender> sender_;
  std::unique_ptr<Receiver> receiver_;
  std::unique_ptr<RmaTarget> target_;
  std::unique_ptr<RmaInitiator> initiator_;
};

}  // namespace xs::core
