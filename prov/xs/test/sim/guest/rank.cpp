// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/guest/rank.hpp"

#include <unistd.h>

namespace xs::sim {

namespace {
constexpr unsigned kReceives = 256;
constexpr unsigned kPasses = 9;  // the clock is looked at in every 8th
constexpr std::uint64_t kTag = 1;
}  // namespace

Rank::Rank(FakeNetwork& network, test::FakeXen& xen, unsigned vm, unsigned number, unsigned life)
    : network_(network),
      machine_(xen),
      vm_(vm),
      id_(life),
      dice_(life),
      provider_(network, id_, vm, address_of(vm, number).port),
      queue_(FI_CQ_FORMAT_TAGGED, 1024),
      calls_(xen.connect(vm)) {
  open_xen(life);
  if (!neighbours_) return;
  auto opened = core::Endpoint::open({.config = config_,
                                      .inner = provider_,
                                      .clock = network_,
                                      .random = dice_,
                                      .send_queue = &queue_,
                                      .receive_queue = &queue_,
                                      .book = &book_,
                                      .neighbours = neighbours_.get(),
                                      .rings = &rings_});
  if (!opened) return;
  endpoint_ = std::move(*opened);
  book_.attach(*endpoint_);
  for (unsigned i = 0; i < kReceives; ++i) post_receive();
}

Rank::~Rank() {
  if (endpoint_) book_.detach(*endpoint_);
}

// Incarnations are seen by all processes of this machine (hv/xen/sign.hpp): other runs have others.
void Rank::open_xen(unsigned life) {
  rings_.limits = {
      .first = config_.ring_size, .largest = config_.ring_largest, .memory = config_.ring_memory};
  const hv::Card own{.host = {1, vm_},
                     .process = {std::uint64_t{life} << 32 | static_cast<unsigned>(getpid()), life},
                     .generation = 1};
  auto xen = hv::Xen::open(calls_, own, dice_);
  if (!xen) return;
  xen_ = xen->get();
  neighbours_ = std::make_unique<locality::Neighbours>(std::move(*xen));
}

proto::Address Rank::address_of(unsigned vm, unsigned number) {
  return FakeNetwork::address(vm, static_cast<std::uint16_t>(1000 + number));
}

void Rank::send(const proto::Address& to, std::size_t bytes) {
  const struct iovec iov { buffer_.data(), bytes };
  constexpr std::uint32_t kFlags = core::kOpTagged | core::kOpInject | core::kOpUnheard;
  const core::Status status = endpoint_->send({.iov = std::span(&iov, 1),
                                               .to = book_.insert(to),
                                               .tag = kTag,
                                               .data = 0,
                                               .flags = kFlags,
                                               .context = nullptr});
  ++(status == core::Status::kOk ? sent_ : refused_);
}

void Rank::post_receive() {
  const struct iovec iov { buffer_.data(), buffer_.size() };
  endpoint_->receive({.iov = std::span(&iov, 1),
                      .from = core::kAnyPeer,
                      .tag = kTag,
                      .ignore = 0,
                      .flags = core::kOpTagged | core::kOpCompletion,
                      .context = this});
}

void Rank::step() {
  for (unsigned i = 0; i < kPasses; ++i) {
    endpoint_->progress();
    read_queue();
  }
}

void Rank::read_queue() {
  struct fi_cq_tagged_entry entry;
  for (;;) {
    const ssize_t count = queue_.read(&entry, 1, nullptr);
    if (count == 1) {
      ++received_;
      post_receive();
    } else if (count == -FI_EAVAIL) {
      struct fi_cq_err_entry error {};
      queue_.read_error(&error, 0);
      ++failed_;
    } else {
      return;
    }
  }
}

std::uint64_t Rank::quiesced() const {
  const auto node = hv::node_of(card().domid, card().process);
  const auto note = hv::parse_whole_note(machine_.value(node.data()));
  return note && note->quiesced ? *note->quiesced : 0;
}

void Rank::kill() {
  network_.died(id_);
  calls_->kill();
}

std::uint32_t Rank::ring_to(const proto::Address& address) const {
  const core::Peer* const peer = endpoint_->peers().at(address);
  const stream::Session* const session = peer ? peer->session : nullptr;
  if (!session || !session->writes_ring() || !session->reads_ring()) return 0;
  return session->path().ring->pages();
}

Rank::RingCount Rank::rings() const {
  RingCount count;
  endpoint_->peers().for_each([&](core::Peer& peer) {
    const std::uint32_t pages = ring_to(peer.home);
    if (pages == 0) return;
    ++count.rings;
    count.pages += pages;
    count.largest = std::max(count.largest, pages);
  });
  return count;
}

stream::PathCounters Rank::paths() const {
  stream::PathCounters all;
  endpoint_->peers().for_each([&](core::Peer& peer) {
    all += peer.paths;
    if (peer.session) all += peer.session->path_counters();
  });
  return all;
}

}  // namespace xs::sim
