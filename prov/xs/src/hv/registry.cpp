// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The one place that names the backends.
#include "hv/registry.hpp"

#include "hv/local/local.hpp"

namespace xs::hv {

util::Result<std::unique_ptr<Backend>> open(const Options& options, util::Random& random) noexcept {
  auto local = Local::open(options.simulated_host, random);
  if (!local) return local.error();
  return std::unique_ptr<Backend>(std::move(*local));
}

}  // namespace xs::hv
