// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "stream/ring_stranger.hpp"

#include <gtest/gtest.h>

namespace xs::test {

proto::Offer RingStranger::offer(ScriptedLink& link, std::uint64_t epoch, std::uint32_t pages) {
  ours = std::make_shared<Pages>(pages * hv::kPageSize - hv::kHeadSize);
  terms = {.epoch = epoch, .process = process, .witness = witness};
  util::store(terms.nonce.data(), nonce);
  own = *ring::OwnRegion::prepare(ours->span(), terms);
  proto::Offer offer{.epoch = epoch, .share = {}, .pages = pages, .wished = kPages};
  util::store(offer.share.data(), ++names_ << 32);
  link.theirs[offer.share] = ours;
  return offer;
}

void RingStranger::map(const ScriptedLink& link, const proto::Offer& offered) {
  theirs = link.newest;
  auto far = ring::PeerRegion::read(theirs->span(), offered.epoch);
  ASSERT_TRUE(far);
  EXPECT_EQ(util::load<std::uint64_t>(far->terms().nonce.data()), far_nonce);
  producer = std::move(*ring::Producer::make(*own, *far));
  consumer.emplace(*own, *far);
}

bool RingStranger::put(const Frame& bytes) {
  if (producer->claim(bytes.size()) != ring::Claimed::kOk) return false;
  producer->put(0, bytes);
  (void)producer->commit();
  return true;
}

bool RingStranger::put(std::uint64_t word, const Frame& body) {
  Frame bytes(sizeof word);
  util::store(bytes.data(), word);
  bytes.insert(bytes.end(), body.begin(), body.end());
  return put(bytes);
}

std::optional<RingFrame> RingStranger::take() {
  if (consumer->peek() != ring::Peeked::kFrame) return std::nullopt;
  Frame bytes(consumer->size());
  consumer->copy(0, bytes.data(), bytes.size());
  EXPECT_TRUE(consumer->release());
  (void)consumer->publish();
  const auto head =
      proto::unpack_ring_head(util::load<std::uint64_t>(bytes.data()),
                              static_cast<std::uint32_t>(bytes.size() - sizeof(std::uint64_t)));
  EXPECT_TRUE(head);
  if (!head) return std::nullopt;
  return RingFrame{*head, Frame(bytes.begin() + sizeof(std::uint64_t), bytes.end())};
}

}  // namespace xs::test
