// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The world of the fuzz target: how it is made, the user's side of it, and what must hold.
#include "fuzz/neighbour/world.hpp"

#include <algorithm>

#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

using test::Frame;

namespace {

constexpr std::uint64_t kWritableKey = 1;
constexpr std::uint64_t kReadableKey = 2;
constexpr hv::Card kTheirs{.host = {1, 1}, .process = {2, 2}, .generation = 1};
constexpr hv::Card kOurs{.host = {1, 1}, .process = {3, 3}, .generation = 1};

// So that a test's link outlives what locality destroys.
class LinkProxy final : public hv::Link {
 public:
  explicit LinkProxy(hv::Link& link) noexcept : link_(link) {}
  const hv::Card& peer() const noexcept override { return kTheirs; }
  hv::LinkState state() const noexcept override { return hv::LinkState::kOpen; }
  util::Result<std::unique_ptr<hv::Share>> share(std::size_t pages) noexcept override {
    return link_.share(pages);
  }
  util::Result<std::unique_ptr<hv::Mapping>> map(const hv::Offer& offer) noexcept override {
    return link_.map(offer);
  }
  hv::Rang ring() noexcept override { return link_.ring(); }

 private:
  hv::Link& link_;
};

// Whoever is met is a neighbour at once; `lost` ends that.
class OneNeighbour final : public hv::Backend {
 public:
  OneNeighbour(hv::Link& link, bool& lost) noexcept : link_(link), lost_(lost) {}
  const hv::Card& card() const noexcept override { return kOurs; }
  util::Result<std::unique_ptr<hv::Link>> meet(const hv::Card&) noexcept override {
    auto proxy = std::make_unique<LinkProxy>(link_);
    met_ = proxy.get();
    return std::unique_ptr<hv::Link>(std::move(proxy));
  }
  bool progress(hv::Events& events) noexcept override {
    if (!met_ || !lost_) return false;
    lost_ = false;
    events.lost(*std::exchange(met_, nullptr), hv::Loss::kGone);
    return true;
  }
  int descriptor() const noexcept override { return -1; }
  const hv::Counters& counters() const noexcept override { return counters_; }

 private:
  hv::Link& link_;
  bool& lost_;
  hv::Link* met_ = nullptr;
  hv::Counters counters_;
};

}  // namespace

// ---- Making it ----

Buffer::Buffer(std::size_t bytes, bool in_two) : size(bytes) {
  const std::size_t first = in_two ? bytes / 2 : bytes;
  pieces.emplace_back(first, std::byte{0x5a});
  if (in_two) pieces.emplace_back(bytes - first, std::byte{0x5a});
}

std::vector<struct iovec> Buffer::iov() const {
  std::vector<struct iovec> iov;
  for (const auto& piece : pieces)
    iov.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
  return iov;
}

std::vector<std::byte> Buffer::first(std::size_t bytes) const {
  std::vector<std::byte> all;
  for (const auto& piece : pieces) all.insert(all.end(), piece.begin(), piece.end());
  all.resize(bytes);
  return all;
}

World::World(util::Bytes input) : EndpointWorld(input) {
  for (const std::byte byte : input)
    secret_ = (secret_ ^ static_cast<unsigned>(byte)) * 0x100000001b3;
  const std::uint8_t form = script_.next();
  rings_.limits = {.first = hv::kPageSize * (1 + form % 2),
                   .largest = 4 * hv::kPageSize,
                   .memory = 8 * hv::kPageSize,
                   .sleeps = (form & 4) != 0};
  if ((form & 8) != 0) peer_.life = {~0ull, ~0ull};  // the smaller incarnation proposes
  config_.direct_read = 100;
  if ((form & 16) != 0) {
    rings_.limits.reader = &mind_;
    peer_.process = PeerMemory::kProcess;
    peer_.witness = PeerMemory::kBegin;
  }
  neighbours_ =
      std::make_unique<locality::Neighbours>(std::make_unique<OneNeighbour>(link_, lost_));
  show(shown_to_write_, writable_, core::kReadable | core::kWritable, kWritableKey);
  show(shown_to_read_, readable_, core::kReadable, kReadableKey);
  core::EndpointParts parts = this->parts();
  parts.book = &book_;
  parts.neighbours = neighbours_.get();
  parts.rings = &rings_;
  open(parts);
  Haunt::present = this;
  meet();
}

World::~World() {
  Haunt::present = nullptr;
  endpoint_.reset();
  neighbours_.reset();
  require(link_.shares == 0 && link_.mappings == 0 && rings_.in_use == 0);
}

void World::meet() {
  auto greeting = peer_.greeting();
  greeting.card = hv::encode(kTheirs);
  home()->arrives(test::Stranger::greet(proto::Kind::kHello, greeting, 0));
  endpoint_->progress();
  require(peer_.read(inner_.take()));
  hear(peer_.frame(proto::Kind::kAck, 0));
  require(session() && session()->open());
}

// The peer's frames are taken.
bool World::lives() const { return session() && session()->open() && !session()->goodbye_taken(); }

// ---- The user ----

void World::receive() {
  const std::uint8_t form = script_.next();
  if (buffers_.size() >= 64) return;
  post(form % kTags, size_of(script_.next()), (form & 0x80) != 0);
}

Buffer* World::post(std::uint64_t tag, std::size_t size, bool in_two) {
  auto buffer = std::make_unique<Buffer>(size, in_two);
  buffer->tag = tag;
  buffer->receives = true;
  const auto iov = buffer->iov();
  const auto status = endpoint_->receive({.iov = iov,
                                          .from = core::kAnyPeer,
                                          .tag = tag,
                                          .ignore = 0,
                                          .flags = core::kOpTagged | core::kOpCompletion,
                                          .context = buffer.get()});
  if (status != core::Status::kOk) return nullptr;
  buffers_.push_back(std::move(buffer));
  return buffers_.back().get();
}

void World::send() {
  const std::uint8_t form = script_.next();
  if (buffers_.size() >= 64) return;
  auto buffer = std::make_unique<Buffer>(size_of(script_.next()), (form & 0x80) != 0);
  const auto iov = buffer->iov();
  const std::uint32_t acknowledged = (form & 0x40) != 0 ? core::kOpTransmitComplete : 0u;
  const auto status =
      endpoint_->send({.iov = iov,
                       .to = book_.insert(peer_.home),
                       .tag = form % kTags,
                       .data = 0,
                       .flags = core::kOpTagged | core::kOpCompletion | acknowledged,
                       .context = buffer.get()});
  if (status == core::Status::kOk) buffers_.push_back(std::move(buffer));
}

// Writes to, reads from, or adds in the peer's memory.
void World::reach() {
  const std::uint8_t form = script_.next();
  if (buffers_.size() >= 64) return;
  const bool adds = form % 4 == 3;
  auto buffer = std::make_unique<Buffer>(adds ? 8 : size_of(script_.next()), (form & 0x80) != 0);
  const auto iov = buffer->iov();
  const std::uint64_t one = 1;
  const struct iovec value { const_cast<std::uint64_t*>(&one), sizeof one };
  const core::PeerAddress to = book_.insert(peer_.home);
  const auto status =
      adds ? endpoint_->reach(core::AtomicOp{.kind = core::RmaKind::kFetch,
                                             .operation = core::AtomicOperation::kSum,
                                             .datatype = core::Datatype::kUint64,
                                             .count = 1,
                                             .values = {&value, 1},
                                             .compares = {},
                                             .results = iov,
                                             .to = to,
                                             .address = 0,
                                             .key = 1,
                                             .flags = core::kOpCompletion,
                                             .context = buffer.get()})
           : endpoint_->reach(
                 core::RmaOp{.kind = form % 2 ? core::RmaKind::kRead : core::RmaKind::kWrite,
                             .iov = iov,
                             .to = to,
                             .address = 0,
                             .key = 1,
                             .data = 0,
                             .flags = core::kOpCompletion,
                             .context = buffer.get()});
  if (status == core::Status::kOk) buffers_.push_back(std::move(buffer));
}

void World::ended(void* context, const End& end) {
  auto* const buffer = static_cast<Buffer*>(context);
  if (buffer->receives && end.well) {
    require(end.placed == std::min(buffer->size, end.total));
    require(shown_.explains(buffer->tag, buffer->first(end.placed), end.total));
  }
  // At once: nobody may touch it any more.
  require(std::erase_if(buffers_, [&](const auto& each) { return each.get() == buffer; }) == 1);
}

// ---- What must hold ----

void World::check() {
  require(link_.shares <= 1 && link_.mappings <= 1);
  require(rings_.in_use <= rings_.limits.memory);
  require_bounded_unexpected(4, kMostPages * hv::kPageSize);
  require(std::ranges::all_of(readable_, [](std::byte each) { return each == std::byte{0x77}; }));
  if (!session()) return require(may_end_);
  require(session()->unacknowledged() <= peer_.window);
}

void World::goes_on() {
  silent_ = true;
  lies_.clear();
  pass(util::kMillisecond);
  if (!lives()) return;
  constexpr std::uint64_t kNumber = 77;
  hear(peer_.ping(kNumber));
  if (!lives()) return check();
  require(echo_ == kNumber);
  Buffer* const buffer = post(secret_, 16, false);
  require(buffer != nullptr);
  const Frame letter = test::eager(secret_, test::text("still there"));
  hear(peer_.frame(proto::Kind::kEager, next_, letter, proto::kTagged));
  require(std::ranges::none_of(buffers_, [&](const auto& each) { return each.get() == buffer; }));
  check();
}

}  // namespace xs::fuzz
