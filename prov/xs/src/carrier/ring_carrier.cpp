// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "carrier/ring_carrier.hpp"

#include <cerrno>

#include "util/bytes.hpp"

namespace xs::carrier {

RingCarrier::RingCarrier(const ring::Terms& terms, MemoryReader* reader,
                         std::size_t& in_use) noexcept
    : witness_(terms.nonce), reader_(reader), terms_(terms), in_use_(in_use) {
  if (!reader_) return;
  terms_.process = reader_->process();
  terms_.witness = witness_.address();
}

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
                     std::uint64_t nonce) noexcept {
  auto mapping = link.map(name);
  if (!mapping) return mapping.error().code;
  if ((*mapping)->bytes().size() != pages * hv::kPageSize - hv::kHeadSize) return EBADMSG;
  auto region = ring::PeerRegion::read((*mapping)->bytes(), terms_.epoch);
  if (!region) return region.error().code;
  const ring::Terms& theirs = region->terms();
  if (util::load<std::uint64_t>(theirs.nonce.data()) != nonce) return EBADMSG;
  if (reader_) foreign_ = {theirs.process, theirs.witness, theirs.nonce, reader_};
  if (!foreign_.answers()) foreign_.process = 0;
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
