// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An inner provider over the simulated network, with the bad habits of the real ones
// (carrier/inner.hpp says what may be relied on).
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "carrier/inner.hpp"
#include "sim/fake/connection.hpp"
#include "sim/fake/network.hpp"

namespace xs::sim {

// One process's view. Endpoints are opened on `port` first if it is not 0, then on any.
class FakeProvider final : public carrier::InnerProvider {
 public:
  FakeProvider(FakeNetwork& network, ProcessId process, unsigned host, std::uint16_t port) noexcept
      : network_(network), process_(process), source_(FakeNetwork::address(host, port)) {
    network.born(process);
  }
  ~FakeProvider() override { network_.died(process_); }

  const char* name() const noexcept override { return "fake"; }
  std::size_t inject_limit() const noexcept override { return network_.habits().inject_limit; }
  std::size_t iov_limit() const noexcept override { return network_.habits().iov_limit; }
  std::size_t receive_depth() const noexcept override { return 64; }
  std::size_t message_limit() const noexcept override { return SIZE_MAX; }
  std::size_t frame_limit() const noexcept override { return network_.habits().rendezvous_over; }
  bool bulk_ends() const noexcept override { return network_.habits().rendezvous_over == SIZE_MAX; }
  const proto::Address& source() const noexcept override { return source_; }

  util::Result<std::unique_ptr<carrier::InnerEndpoint>> open(
      const proto::Address& at) noexcept override;
  util::Result<std::unique_ptr<carrier::Probe>> probe(const proto::Address& address,
                                                      std::uint64_t timeout) noexcept override;

 private:
  FakeNetwork& network_;
  ProcessId process_;
  proto::Address source_;
};

class FakeEndpoint final : public carrier::InnerEndpoint {
 public:
  FakeEndpoint(FakeNetwork& network, ProcessId process, const proto::Address& name) noexcept;
  ~FakeEndpoint() override;

  const proto::Address& name() const noexcept override { return name_; }
  util::Result<carrier::InnerAddress> insert(const proto::Address& address) noexcept override;
  carrier::Posted inject(carrier::InnerAddress to, const void* bytes,
                         std::size_t size) noexcept override;
  carrier::Posted send(carrier::InnerAddress to, std::span<const struct iovec> iov,
                       carrier::InnerOperation& operation) noexcept override;
  carrier::Posted tagged_send(carrier::InnerAddress to, std::uint64_t tag,
                              std::span<const struct iovec> iov,
                              carrier::InnerOperation& operation) noexcept override;
  carrier::Posted receive(void* buffer, std::size_t size,
                          carrier::InnerOperation& operation) noexcept override;
  carrier::Posted tagged_receive(std::uint64_t tag, std::span<const struct iovec> iov,
                                 carrier::InnerOperation& operation) noexcept override;
  void cancel_receive(carrier::InnerOperation& operation) noexcept override;
  std::size_t poll(std::span<carrier::InnerCompletion> out) noexcept override;
  // No real one: a number that the simulation's sleepers know, once somebody has wanted it.
  int wait_descriptor() const noexcept override { return descriptor_; }
  void want_waits() noexcept override {
    if (descriptor_ < 0) descriptor_ = network_.new_descriptor();
  }
  bool may_sleep() noexcept override { return drained_ && ended_.empty(); }
  bool settled() const noexcept override { return drained_; }
  // When that descriptor becomes readable, or did: something to read or to accept, room to write
  // for what waits for it. What ends in the middle of a post shows nowhere, as in the tcp family.
  Nanoseconds readable_at() const noexcept;
  // Since when the oldest completion that nobody has taken yet stands, told or not.
  Nanoseconds ended_at() const noexcept { return ended_.empty() ? util::kNever : ended_at_; }

  ProcessId process() const noexcept { return process_; }
  // ---- For the network ----
  // A connection attempt is on its way.
  void asked(std::shared_ptr<Connection> connection, Nanoseconds arrives) noexcept;
  void probed(FakeProbe& probe) noexcept { probes_.push_back(&probe); }
  void unprobed(FakeProbe& probe) noexcept { std::erase(probes_, &probe); }
  // Every post says "again" until then.
  void storm(Nanoseconds until) noexcept { again_until_ = until; }
  // Its host is no more: nobody is told.
  void vanish() noexcept;
  // A rendezvous send was read.
  void read_out(carrier::InnerOperation& operation) noexcept;

 private:
  // One end of a connection that is ours.
  struct Line {
    std::shared_ptr<Connection> connection;
    unsigned side;
    End& own() const noexcept { return connection->ends[side]; }
    End& far() const noexcept { return connection->ends[1 - side]; }
  };
  struct Asked {
    std::shared_ptr<Connection> connection;
    Nanoseconds arrives;
  };

  carrier::Posted post(carrier::InnerAddress to, Outgoing&& message) noexcept;
  void say_late(const End& to, const Stretch& whole);
  void say_what_is_late() noexcept;
  carrier::Posted try_post(carrier::InnerAddress to, Outgoing&& message) noexcept;
  Line* line_to(const proto::Address& address) noexcept;
  void connect(const proto::Address& address) noexcept;
  void take_requests() noexcept;
  bool takes(Connection& asking) noexcept;
  void take_answer(Line& line) noexcept;
  void write(Line& line) noexcept;
  void write_piece(Line& line, Outgoing& message, std::size_t size) noexcept;
  void read(Line& line) noexcept;
  bool begin_receive(Line& line, const Label& label) noexcept;
  bool find_receive(const Label& label, Receive& found) noexcept;
  bool awaited(const Label& label) const noexcept;
  Nanoseconds readable_at(const Line& line) const noexcept;
  void fill(Receive& receive, const Stretch& stretch) noexcept;
  void lose(Line& line) noexcept;
  void close(Line& line) noexcept;
  void end(carrier::InnerOperation* operation, std::size_t length, int error) noexcept;
  unsigned host() const noexcept { return FakeNetwork::host_of(name_); }

  FakeNetwork& network_;
  ProcessId process_;
  proto::Address name_;
  std::vector<proto::Address> table_;
  std::deque<Receive> untagged_;
  std::deque<Receive> tagged_;
  std::deque<carrier::InnerCompletion> ended_;
  Nanoseconds ended_at_ = 0;
  std::vector<std::uint64_t> taken_back_;  // tags of receives whose owner has yet to hear of it
  std::vector<Line> lines_;
  std::deque<Asked> asked_;
  std::vector<FakeProbe*> probes_;
  // Copies that are still to go.
  struct Late {
    Nanoseconds at;
    proto::Address to;
    std::vector<std::byte> bytes;
  };
  std::vector<Late> late_;
  std::size_t sends_ = 0;  // under way
  int descriptor_ = -1;
  bool drained_ = false;   // the last poll() found nothing, and nothing was posted since
  bool read_out_ = false;  // the peer has said that it has read something of ours
  Nanoseconds again_until_ = 0;
};

// A held connection. What it finds is decided when it starts; how it ends, by its far side.
class FakeProbe final : public carrier::Probe {
 public:
  FakeProbe(FakeNetwork& network, unsigned from, const proto::Address& to,
            Nanoseconds timeout) noexcept;
  ~FakeProbe() override;
  carrier::ProbeState poll() noexcept override;
  // The far endpoint has taken it off its kernel's queue: from then on it ends with the process
  // only.
  void accepted() noexcept { accepted_ = true; }
  void endpoint_closed() noexcept;

 private:
  FakeNetwork& network_;
  proto::Address to_;
  Nanoseconds began_;
  Nanoseconds timeout_;
  Nanoseconds answered_at_ = util::kNever;
  FakeEndpoint* endpoint_ = nullptr;
  ProcessId process_ = 0;
  bool accepted_ = false;
  bool closed_ = false;
  Nanoseconds gone_since_ = 0;
  carrier::ProbeState final_ = carrier::ProbeState::kWaiting;
};

}  // namespace xs::sim
