// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How bytes move between user memory and kernels.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "proto/frame.hpp"
#include "sim/fake/inner.hpp"

namespace xs::sim {

using carrier::InnerCompletion;
using carrier::InnerOperation;
using carrier::Posted;

namespace {
constexpr std::size_t kHead = 16;  // what a message takes of a socket beside its bytes
constexpr int kTruncated = 265;    // FI_ETRUNC
}  // namespace

Posted FakeEndpoint::receive(void* buffer, std::size_t size, InnerOperation& operation) noexcept {
  const struct iovec iov { buffer, size };
  drained_ = false;
  untagged_.push_back({&operation, Pieces({&iov, 1}), 0});
  return Posted::kOk;
}

Posted FakeEndpoint::tagged_receive(std::uint64_t tag, std::span<const struct iovec> iov,
                                    InnerOperation& operation) noexcept {
  if (iov.size() > network_.habits().iov_limit) network_.observer().misused("iov limit");
  if (tagged_.size() >= network_.habits().tagged_depth) return Posted::kAgain;
  drained_ = false;
  network_.observer().carried("awaits", name_, name_, true, {});
  tagged_.push_back({&operation, Pieces(iov), tag});
  return Posted::kOk;
}

// What a message has begun to fill goes on: it ends by its data or with its connection.
void FakeEndpoint::cancel_receive(InnerOperation& operation) noexcept {
  drained_ = false;
  for (auto* receives : {&untagged_, &tagged_}) {
    const auto found = std::find_if(receives->begin(), receives->end(), [&](const Receive& each) {
      return each.operation == &operation;
    });
    if (found == receives->end()) continue;
    if (receives == &tagged_) taken_back_.push_back(found->tag);
    receives->erase(found);
    network_.observer().carried("takes back", name_, name_, true, {});
    return end(&operation, 0, ECANCELED);
  }
}

std::size_t FakeEndpoint::poll(std::span<InnerCompletion> out) noexcept {
  if (!asked_.empty()) take_requests();
  if (!late_.empty()) say_what_is_late();
  for (FakeProbe* probe : probes_) probe->accepted();
  // Sockets are read in no particular order: an older connection perhaps after its successor.
  const std::size_t count = lines_.size();
  const std::size_t first = count > 1 ? network_.dice().below(count) : 0;
  for (std::size_t i = 0; i < count; ++i) {
    Line& line = lines_[(first + i) % count];
    if (line.own().state == EndState::kConnecting) take_answer(line);
    if (line.own().state != EndState::kUp) continue;
    if (!line.own().queue.empty()) write(line);
    read(line);
  }
  std::erase_if(lines_, [](const Line& line) { return line.own().state == EndState::kGone; });
  read_out_ = false;
  drained_ = ended_.empty();
  const std::size_t taken = std::min(out.size(), ended_.size());
  std::copy_n(ended_.begin(), taken, out.begin());
  ended_.erase(ended_.begin(), ended_.begin() + static_cast<std::ptrdiff_t>(taken));
  if (ended_.empty()) taken_back_.clear();
  return taken;
}

// Hands to the kernel what it has room for.
void FakeEndpoint::write(Line& line) noexcept {
  const Habits& habits = network_.habits();
  End& own = line.own();
  while (!own.queue.empty() && line.far().unread < habits.socket_bytes) {
    Outgoing& message = own.queue.front();
    const std::size_t size = std::min({message.label.total - message.written, habits.piece,
                                       habits.socket_bytes - line.far().unread});
    write_piece(line, message, size);
    message.written += size;
    if (message.written < message.label.total) continue;
    if (message.operation && message.label.total <= habits.rendezvous_over) {
      --sends_;
      end(message.operation, 0, 0);
    }
    own.queue.pop_front();
  }
}

void FakeEndpoint::write_piece(Line& line, Outgoing& message, std::size_t size) noexcept {
  Connection& connection = *line.connection;
  End& own = line.own();
  End& far = line.far();
  Stretch stretch{0, message.label, message.written, {}, nullptr};
  if (!message.operation) {
    const auto from = message.copy.begin() + static_cast<std::ptrdiff_t>(message.written);
    stretch.bytes.assign(from, from + static_cast<std::ptrdiff_t>(size));
  } else {
    message.memory.each(message.written, size, [&](const std::byte* at, std::size_t part) {
      network_.observer().touches(at, part, false);
      stretch.bytes.insert(stretch.bytes.end(), at, at + part);
    });
    if (message.label.total > network_.habits().rendezvous_over)
      stretch.rendezvous = message.operation;
  }
  const Nanoseconds there = network_.arrival(host(), FakeNetwork::host_of(far.name));
  if (there == util::kNever) connection.broken = connection.dark = true;
  if (stretch.offset == 0)
    network_.observer().carried(connection.broken ? "loses" : "sends", name_, far.name,
                                stretch.label.tagged, stretch.bytes);
  if (stretch.offset == 0 && stretch.last()) say_late(far, stretch);
  if (connection.broken) {
    // Reported as written all the same.
    if (connection.dark) far.unread += size + kHead;
    const Nanoseconds learns =
        network_.now() +
        (connection.dark ? network_.habits().tcp_timeout : 2 * network_.habits().latency_high);
    own.ends_at = std::min(own.ends_at, learns);
    network_.observer().arrives(process_, own.ends_at);
    return;
  }
  far.last_arrival = stretch.arrives = std::max(far.last_arrival, there);
  far.unread += size + kHead;
  network_.observer().arrives(far.process, stretch.arrives);
  far.arriving.push_back(std::move(stretch));
}

void FakeEndpoint::say_late(const End& to, const Stretch& whole) {
  constexpr Nanoseconds kLatest = 300 * util::kMillisecond;
  const auto kind = whole.bytes.empty() || whole.label.tagged
                        ? 0u
                        : std::to_integer<unsigned>(whole.bytes.front());
  const bool of_rings = kind >= static_cast<unsigned>(proto::Kind::kOffer);
  if (!of_rings || network_.habits().late_percent == 0) return;
  Dice& dice = network_.late_dice();
  if (dice.percent(network_.habits().late_percent))
    late_.push_back({network_.now() + dice.below(kLatest), to.name, whole.bytes});
}

void FakeEndpoint::say_what_is_late() noexcept {
  for (const Late& each : late_) {
    Line* const line = each.at <= network_.now() ? line_to(each.to) : nullptr;
    if (!line || line->own().state != EndState::kUp) continue;
    Outgoing message;
    message.label.total = each.bytes.size();
    message.copy = each.bytes;
    line->own().queue.push_back(std::move(message));
  }
  std::erase_if(late_, [&](const Late& each) { return each.at <= network_.now(); });
}

void FakeEndpoint::read(Line& line) noexcept {
  End& own = line.own();
  while (!own.arriving.empty() && own.arriving.front().arrives <= network_.now()) {
    Stretch& stretch = own.arriving.front();
    if (stretch.offset == 0 && !begin_receive(line, stretch.label))
      return;  // stopped, or torn down; a stopped one does not even notice its end
    if (stretch.offset == 0)
      network_.observer().carried("reads", name_, line.far().name, stretch.label.tagged,
                                  stretch.bytes);
    fill(own.active, stretch);
    own.unread -= std::min(own.unread, stretch.bytes.size() + kHead);
    if (stretch.last()) {
      end(own.active.operation, stretch.label.total, 0);
      own.active.operation = nullptr;
      if (stretch.rendezvous && line.far().endpoint)
        line.far().endpoint->read_out(*stretch.rendezvous);
    }
    own.arriving.pop_front();
  }
  if (own.arriving.empty() && own.ends_at <= network_.now()) lose(line);
}

// False: no receive stands for it, or it is too long for the one that does.
bool FakeEndpoint::begin_receive(Line& line, const Label& label) noexcept {
  Receive& active = line.own().active;
  if (!find_receive(label, active)) {
    // Who has taken its receive back puts another one in its place as soon as it hears of that.
    const bool soon = std::ranges::find(taken_back_, label.tag) != taken_back_.end();
    // Nor can there be one where all that may stand do; what is sent goes on another way then.
    const bool full = tagged_.size() >= network_.habits().tagged_depth;
    if (label.tagged && !soon && !full) network_.observer().stopped(name_);
    return false;
  }
  if (label.total <= active.memory.size()) return true;
  end(active.operation, 0, kTruncated);
  active.operation = nullptr;
  lose(line);
  return false;
}

bool FakeEndpoint::awaited(const Label& label) const noexcept {
  const auto& receives = label.tagged ? tagged_ : untagged_;
  return std::any_of(receives.begin(), receives.end(),
                     [&](const Receive& each) { return each.tag == label.tag; });
}

// A connection that is stopped for want of a receive is not looked at before one is posted.
Nanoseconds FakeEndpoint::readable_at(const Line& line) const noexcept {
  const End& own = line.own();
  if (own.state == EndState::kConnecting) return line.connection->answered_at;
  if (own.state != EndState::kUp) return util::kNever;
  if (!own.queue.empty() && line.far().unread < network_.habits().socket_bytes) return 0;
  if (own.arriving.empty()) return own.ends_at;
  const Stretch& next = own.arriving.front();
  return next.offset > 0 || awaited(next.label) ? next.arrives : util::kNever;
}

Nanoseconds FakeEndpoint::readable_at() const noexcept {
  Nanoseconds first = read_out_ ? 0 : util::kNever;
  for (const Asked& each : asked_) first = std::min(first, each.arrives);
  for (const Line& line : lines_) first = std::min(first, readable_at(line));
  return first;
}

bool FakeEndpoint::find_receive(const Label& label, Receive& found) noexcept {
  auto& receives = label.tagged ? tagged_ : untagged_;
  const auto at = std::find_if(receives.begin(), receives.end(),
                               [&](const Receive& each) { return each.tag == label.tag; });
  if (at == receives.end()) return false;
  found = *at;
  receives.erase(at);
  return true;
}

void FakeEndpoint::fill(Receive& receive, const Stretch& stretch) noexcept {
  const std::byte* from = stretch.bytes.data();
  receive.memory.each(stretch.offset, stretch.bytes.size(), [&](std::byte* at, std::size_t part) {
    network_.observer().touches(at, part, true);
    std::memcpy(at, from, part);
    from += part;
  });
}

}  // namespace xs::sim
