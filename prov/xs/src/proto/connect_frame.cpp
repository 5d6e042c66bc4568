// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "proto/connect_frame.hpp"

#include <algorithm>

#include "proto/frame.hpp"

namespace xs::proto {

void encode(const ConnectFrame& body, std::byte* to) noexcept {
  util::store(to, body.id.high);
  util::store(to + 8, body.id.low);
  util::store(to + 16, body.status);
  util::store<std::uint32_t>(to + 20, 0);
  std::ranges::copy(body.data, to + ConnectFrame::kSize);
}

std::optional<ConnectFrame> decode_connect_frame(util::Bytes body) noexcept {
  if (body.size() < ConnectFrame::kSize) return std::nullopt;
  const std::byte* from = body.data();
  const ConnectFrame frame{
      .id = {.high = util::load<std::uint64_t>(from), .low = util::load<std::uint64_t>(from + 8)},
      .status = util::load<std::uint32_t>(from + 16),
      .data = body.subspan(ConnectFrame::kSize)};
  if (!frame.id || frame.status > kLargestStatus || util::load<std::uint32_t>(from + 20) != 0)
    return std::nullopt;
  if (frame.data.size() > kConnectDataLimit) return std::nullopt;
  return frame;
}

}  // namespace xs::proto
