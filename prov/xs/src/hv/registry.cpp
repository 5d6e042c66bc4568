// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The one place that names the backends.
#include "hv/registry.hpp"

#include <cerrno>

#include "hv/both.hpp"
#include "hv/local/local.hpp"
#include "hv/xen/libraries.hpp"
#include "hv/xen/xen.hpp"
#include "util/log.hpp"

namespace xs::hv {

using util::Error;
using util::Result;

namespace {

Result<std::unique_ptr<Xen>> open_xen(const Options& options, const Card& own,
                                      util::Random& random) noexcept {
  // A simulated host would be left for other domains by a way that isn't simulated.
  if (!options.simulated_host.empty()) return Error{ENODEV, "a simulated host is no Xen domain"};
  auto calls = open_xen_libraries();
  if (!calls) return calls.error();
  return Xen::open(std::move(*calls), own, random, options.xen_bell, options.xen_pages);
}

}  // namespace

Result<std::unique_ptr<Backend>> open(const Options& options, util::Random& random) noexcept {
  auto local = Local::open(options.simulated_host, random);
  if (!local) return local.error();
  if (options.xen == XenUse::kOff) return std::unique_ptr<Backend>(std::move(*local));
  auto xen = open_xen(options, (*local)->card(), random);
  if (xen) return Both::make(std::move(*local), std::move(*xen));
  if (options.xen == XenUse::kOn) return xen.error();
  if (xen.error().code != ENODEV)
    util::log(util::Level::kInfo, "no rings with other domains of this Xen: %s", xen.error().what);
  return std::unique_ptr<Backend>(std::move(*local));
}

}  // namespace xs::hv
