// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "carrier/ring_carrier.hpp"

#include <cerrno>

namespace xs::carrier {

int RingCarrier::share(Neighbour& link, std::size_t pages) noexcept {
  auto share = link.share(pages);
  if (!share) return share.error().code;
  auto region = ring::OwnRegion::prepare((*share)->bytes(), terms_);
  if (!region) return region.error().code;
  share_ = std::move(*share);
  ours_ = *region;
  pages_ = static_cast<std::uint32_t>(pages);
  in_use_ += bytes();
  return 0;
}

int RingCarrier::map(Neighbour& link, const proto::ShareName& name, std::size_t pages,
                     const RingNonce& nonce) noexcept {
  auto mapping = link.map(name);
  if (!mapping) return mapping.error().code;
  if ((*mapping)->bytes().size() != pages * hv::kPageSize - hv::kHeadSize) return EBADMSG;
  auto region = ring::PeerRegion::read((*mapping)->bytes(), terms_.epoch);
  if (!region) return region.error().code;
  if (region->terms().nonce != nonce) return EBADMSG;
  mapping_ = std::move(*mapping);
  theirs_ = *region;
  return 0;
}

int RingCarrier::finish() noexcept {
  auto producer = ring::Producer::make(*ours_, *theirs_);
  if (!producer) return producer.error().code;
  producer_ = std::move(*producer);
  consumer_.emplace(*ours_, *theirs_);
  return 0;
}

}  // namespace xs::carrier
