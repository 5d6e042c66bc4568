// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// libfabric 1.17 leaks with every RDM endpoint that it opens and every connection that it accepts
// (net: the fi_info of each). Read by LeakSanitizer, if there is one.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libfabric.so\n"; }
