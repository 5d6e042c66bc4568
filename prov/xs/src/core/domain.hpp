// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <memory>
#include <mutex>

#include "core/config.hpp"
#include "locality/neighbours.hpp"
#include "stream/inner.hpp"
#include "stream/path.hpp"
#include "util/clock.hpp"
#include "util/random.hpp"

namespace xs::core {

// What the endpoints of one domain share. Everything below the C face is entered by one thread at a
// time: under FI_THREAD_SAFE through mutex(), under FI_THREAD_DOMAIN by the application's own
// promise.
class Domain {
 public:
  Domain(Config config, std::unique_ptr<stream::InnerProvider> inner) noexcept;

  Domain(const Domain&) = delete;
  Domain& operator=(const Domain&) = delete;

  const Config& config() const noexcept { return config_; }
  stream::InnerProvider& inner() noexcept { return *inner_; }
  util::Clock& clock() noexcept { return clock_; }
  util::Random& random() noexcept { return random_; }
  // Null: this process shares memory with nobody.
  locality::Neighbours* neighbours() noexcept { return neighbours_.get(); }
  stream::Rings& rings() noexcept { return rings_; }
  // Why this domain must not be used, although it works: an errno value, logged; 0: no reason.
  int refusal() const noexcept { return refusal_; }

 private:
  Config config_;
  std::unique_ptr<stream::InnerProvider> inner_;
  util::SystemClock clock_;
  util::SystemRandom random_;
  stream::Rings rings_;
  std::unique_ptr<locality::Neighbours> neighbours_;
  int refusal_ = 0;
};

}  // namespace xs::core
