// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// xs-xen-probe DOMAIN | xs-xen-probe --free DOMAIN
//
// Tries what hv/xen stands on, between two guests: run in both at the same time, each with the
// other one's domain id. Writes `ok`, `FAIL` or `note` lines and `N passed, N failed`; what is
// measured is in docs/hv.md. Needs root, and the store's data/ for itself. --free only says how
// many pages this guest could share at the moment: fewer than before if something was not given
// back.
#include <cstdlib>
#include <cstring>

#include "xen/probe/cases.hpp"

int main(int argc, char** argv) {
  using namespace xs::probe;
  if (argc == 3 && std::strcmp(argv[1], "--free") == 0) {
    Grants grants;
    std::printf("%zu\n", free_pages(grants, static_cast<unsigned>(std::atoi(argv[2]))));
    return 0;
  }
  if (argc != 2) {
    std::fprintf(stderr, "usage: xs-xen-probe [--free] DOMAIN\n");
    return 2;
  }
  Report report;
  Store store;
  Partner partner(store, static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10)));
  partner.begin();
  Grants grants;
  const Probe probe{report, store, partner, grants};
  for (const auto group :
       {probe_store, probe_watches, probe_quotas, probe_sharing, probe_refusals, probe_revoking,
        probe_exhaustion, probe_death, probe_bells, probe_rights, probe_device})
    group(probe);
  partner.end();
  return report.finish();
}
