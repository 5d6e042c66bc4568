// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fuzz/endpoint.hpp"

#include <algorithm>

#include "test/fuzz/round_trip.hpp"

namespace xs::fuzz {

EndpointWorld::EndpointWorld(util::Bytes input) : script_(input) {
  config_.eager = 1024;
  config_.window = 8;
  config_.receive_buffers = 8;
  config_.unexpected = 8192;
}

void EndpointWorld::show(core::Registration& registration, std::span<std::byte> bytes,
                         std::uint32_t rights, std::uint64_t key) {
  registration.memory = core::UserMemory(bytes);
  registration.rights = rights;
  registration.key = key;
  require(memory_.add(registration) == 0);
}

core::EndpointParts EndpointWorld::parts() {
  return {.config = config_,
          .inner = inner_,
          .clock = clock_,
          .random = random_,
          .send_queue = &queue_,
          .receive_queue = &queue_,
          .exposed = {&memory_, core::kReadable | core::kWritable}};
}

void EndpointWorld::open(const core::EndpointParts& parts) {
  auto opened = core::Endpoint::open(parts);
  require(static_cast<bool>(opened));
  endpoint_ = std::move(*opened);
}

void EndpointWorld::reap() {
  for (;;) {
    struct fi_cq_tagged_entry entry {};
    const ssize_t rc = queue_.read(&entry, 1, nullptr);
    if (rc == 1 && !entry.op_context) {
      require((entry.flags & FI_REMOTE_WRITE) != 0);
      written_to();
    } else if (rc == 1) {
      ended(entry.op_context, {entry.len, entry.len, true});
    } else if (rc == -FI_EAVAIL) {
      struct fi_cq_err_entry error {};
      require(queue_.read_error(&error, 0) == 1);
      ended(error.op_context, {error.len, error.len + error.olen, error.err == core::kTruncated});
    } else {
      return;
    }
  }
}

void EndpointWorld::pass(util::Nanoseconds time) {
  clock_.time += time;
  for (int i = 0; i < 3; ++i) endpoint_->progress();
  reap();
  listen();
}

test::ScriptedEndpoint* EndpointWorld::home() const {
  const auto found =
      std::ranges::find_if(inner_.endpoints, [&](const test::ScriptedEndpoint* each) {
        return each && each->name() == endpoint_->name();
      });
  return found == inner_.endpoints.end() ? nullptr : *found;
}

// The inner provider keeps what is longer than we take from us.
test::ScriptedEndpoint* EndpointWorld::home_for(util::Bytes frame) const {
  test::ScriptedEndpoint* const home = this->home();
  const std::size_t longest = config_.eager + proto::kPrefixSize + proto::kEnvelopeSize;
  return home && home->receives() > 0 && frame.size() <= longest ? home : nullptr;
}

stream::Session* EndpointWorld::session_with(const proto::Address& address) const {
  const core::Peer* const peer = endpoint_->peers().at(address);
  return peer ? peer->session : nullptr;
}

void EndpointWorld::require_bounded_unexpected(std::size_t windows, std::size_t more) const {
  const std::size_t window = config_.window * (config_.eager + sizeof(core::Unexpected));
  require(endpoint_->receiver().unexpected_bytes() <= config_.unexpected + windows * window + more);
}

}  // namespace xs::fuzz
