// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Posting, connecting, closing. How bytes move is in transfer.cpp.
#include "sim/fake/inner.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace xs::sim {

using carrier::InnerAddress;
using carrier::InnerCompletion;
using carrier::InnerOperation;
using carrier::Posted;

util::Result<std::unique_ptr<carrier::InnerEndpoint>> FakeProvider::open(
    const proto::Address& at) noexcept {
  proto::Address name = at ? at : source_;
  const unsigned host = FakeNetwork::host_of(source_);
  if (name.port == 0 || (!at && network_.listener(name)))
    name = FakeNetwork::address(host, network_.free_port(host));
  if (network_.listener(name)) return util::Error{EADDRINUSE, "address in use"};
  return std::unique_ptr<carrier::InnerEndpoint>(new FakeEndpoint(network_, process_, name));
}

util::Result<std::unique_ptr<carrier::Probe>> FakeProvider::probe(const proto::Address& address,
                                                                  std::uint64_t timeout) noexcept {
  return std::unique_ptr<carrier::Probe>(
      new FakeProbe(network_, FakeNetwork::host_of(source_), address, timeout));
}

FakeEndpoint::FakeEndpoint(FakeNetwork& network, ProcessId process,
                           const proto::Address& name) noexcept
    : network_(network), process_(process), name_(name) {
  network.listen(name, *this);
}

FakeEndpoint::~FakeEndpoint() {
  network_.unlisten(name_);
  for (FakeProbe* probe : probes_) probe->endpoint_closed();
  for (Asked& each : asked_) {
    each.connection->answered_at =
        network_.arrival(host(), FakeNetwork::host_of(each.connection->ends[0].name));
  }
  for (Line& line : lines_) close(line);
}

util::Result<InnerAddress> FakeEndpoint::insert(const proto::Address& address) noexcept {
  if (address.family != name_.family || address.port == 0)
    return util::Error{EINVAL, "no address of a peer"};
  const auto found = std::find(table_.begin(), table_.end(), address);
  if (found == table_.end()) {
    table_.push_back(address);
    return table_.size() - 1;
  }
  return static_cast<InnerAddress>(found - table_.begin());
}

Posted FakeEndpoint::inject(InnerAddress to, const void* bytes, std::size_t size) noexcept {
  if (size > network_.habits().inject_limit) network_.observer().misused("inject beyond its limit");
  Outgoing message;
  message.label.total = size;
  const auto* from = static_cast<const std::byte*>(bytes);
  message.copy.assign(from, from + size);
  return post(to, std::move(message));
}

Posted FakeEndpoint::send(InnerAddress to, std::span<const struct iovec> iov,
                          InnerOperation& operation) noexcept {
  if (iov.size() > network_.habits().iov_limit) network_.observer().misused("iov limit");
  Outgoing message;
  message.memory = Pieces(iov);
  message.label.total = message.memory.size();
  message.operation = &operation;
  return post(to, std::move(message));
}

Posted FakeEndpoint::tagged_send(InnerAddress to, std::uint64_t tag,
                                 std::span<const struct iovec> iov,
                                 InnerOperation& operation) noexcept {
  if (iov.size() > network_.habits().iov_limit) network_.observer().misused("iov limit");
  if (tag >> 63) network_.observer().misused("tag with the inner provider's bit");
  Outgoing message;
  message.memory = Pieces(iov);
  message.label = {true, tag, message.memory.size()};
  message.operation = &operation;
  return post(to, std::move(message));
}

Posted FakeEndpoint::post(InnerAddress to, Outgoing&& message) noexcept {
  drained_ = false;
  const Posted posted = try_post(to, std::move(message));
  if (posted != Posted::kOk) network_.count_refused();
  return posted;
}

Posted FakeEndpoint::try_post(InnerAddress to, Outgoing&& message) noexcept {
  if (to >= table_.size()) {
    network_.observer().misused("an inner address that was never given");
    return Posted::kFailed;
  }
  if (network_.now() < again_until_ || network_.dice().percent(network_.habits().again_percent))
    return Posted::kAgain;
  if (sends_ >= network_.habits().send_depth) return Posted::kAgain;
  Line* line = line_to(table_[to]);
  if (!line) {
    connect(table_[to]);
    return Posted::kAgain;
  }
  if (line->own().state != EndState::kUp) return Posted::kAgain;
  if (message.operation) ++sends_;
  line->own().queue.push_back(std::move(message));
  write(*line);
  return Posted::kOk;
}

// The newest line to there that is not on its way out.
FakeEndpoint::Line* FakeEndpoint::line_to(const proto::Address& address) noexcept {
  for (auto line = lines_.rbegin(); line != lines_.rend(); ++line)
    if (line->far().name == address && line->own().state != EndState::kGone &&
        !line->own().superseded)
      return &*line;
  return nullptr;
}

void FakeEndpoint::connect(const proto::Address& address) noexcept {
  auto connection = std::make_shared<Connection>();
  connection->ends[0].endpoint = this;
  connection->ends[0].name = name_;
  connection->ends[0].process = process_;
  connection->ends[1].name = address;
  lines_.push_back({connection, 0});
  network_.add(connection);
  const Nanoseconds there =
      network_.arrival(host(), FakeNetwork::host_of(address), FakeNetwork::kConnectAgain);
  const Nanoseconds late = network_.now() + network_.habits().connect_timeout;
  FakeEndpoint* listener = network_.listener(address);
  if (there >= late) {
    connection->answered_at = late;
  } else if (!listener || network_.dice().percent(network_.habits().refuses_percent)) {
    connection->answered_at = there + network_.habits().latency_low;
  } else {
    listener->asked(connection, there);
  }
  network_.observer().arrives(process_, connection->answered_at);
}

void FakeEndpoint::asked(std::shared_ptr<Connection> connection, Nanoseconds arrives) noexcept {
  asked_.push_back({std::move(connection), arrives});
  network_.observer().arrives(process_, arrives);
}

// The process has to run for this: a computing one lets others wait.
void FakeEndpoint::take_requests() noexcept {
  for (std::size_t i = 0; i < asked_.size();) {
    if (asked_[i].arrives > network_.now()) {
      ++i;
      continue;
    }
    const std::shared_ptr<Connection> connection = std::move(asked_[i].connection);
    asked_.erase(asked_.begin() + static_cast<std::ptrdiff_t>(i));
    End& asking = connection->ends[0];
    if (asking.state != EndState::kConnecting) continue;  // withdrawn
    connection->answered_at = network_.arrival(host(), FakeNetwork::host_of(asking.name));
    connection->accepted = takes(*connection);
    network_.observer().arrives(asking.process, connection->answered_at);
    if (!connection->accepted) continue;
    End& own = connection->ends[1];
    own.endpoint = this;
    own.process = process_;
    own.state = EndState::kUp;
    lines_.push_back({connection, 1});
  }
}

// Whether this end wants the connection that is asked for, given what it has towards that address.
bool FakeEndpoint::takes(Connection& asking) noexcept {
  const End& other = asking.ends[0];
  for (Line& line : lines_) {
    End& own = line.own();
    if (line.connection.get() == &asking || line.far().name != other.name) continue;
    if (own.state == EndState::kConnecting) {
      if (name_ < other.name) return false;  // ours, that crosses it, is to be taken there
      close(line);
    } else if (own.state == EndState::kUp && !own.superseded) {
      if (line.far().process != other.process)
        lose(line);
      else if (network_.habits().holds_on)
        return false;
      own.superseded = true;
      own.ends_at = std::min(
          own.ends_at, network_.now() + network_.dice().below(20 * network_.habits().latency_high));
    }
  }
  return true;
}

void FakeEndpoint::take_answer(Line& line) noexcept {
  Connection& connection = *line.connection;
  if (connection.answered_at > network_.now()) return;
  line.own().state = connection.accepted ? EndState::kUp : EndState::kGone;
}

// The connection is over at this end.
void FakeEndpoint::lose(Line& line) noexcept {
  End& own = line.own();
  if (own.state == EndState::kUp) {
    for (Outgoing& message : own.queue) {
      if (!message.operation || message.label.total > network_.habits().rendezvous_over) continue;
      --sends_;
      end(message.operation, 0, ECANCELED);
    }
    if (own.active.operation) end(own.active.operation, 0, ENOTCONN);
  }
  own.queue.clear();
  own.active.operation = nullptr;
  close(line);
}

void FakeEndpoint::close(Line& line) noexcept {
  End& own = line.own();
  End& far = line.far();
  own.endpoint = nullptr;
  own.arriving.clear();
  const bool was_up = own.state == EndState::kUp;
  own.state = EndState::kGone;
  Connection& connection = *line.connection;
  if (!was_up && !connection.accepted) return;
  if (!connection.broken) cut(network_, far, network_.dice().pick({Cut::kNothing, Cut::kSome}));
  connection.broken = true;
  if (connection.dark) return;
  far.ends_at = std::min(far.ends_at, network_.arrival(host(), FakeNetwork::host_of(far.name)));
  network_.observer().arrives(far.process, far.ends_at);
}

void FakeEndpoint::vanish() noexcept {
  for (Line& line : lines_) {
    line.connection->broken = true;
    line.connection->dark = true;
  }
}

void FakeEndpoint::end(InnerOperation* operation, std::size_t length, int error) noexcept {
  if (ended_.empty()) ended_at_ = network_.now();
  ended_.push_back({operation, length, error});
}

void FakeEndpoint::read_out(InnerOperation& operation) noexcept {
  --sends_;
  read_out_ = true;
  end(&operation, 0, 0);
}

}  // namespace xs::sim
