// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What LeakSanitizer, if there is one, doesn't count as ours. libfabric 1.17 loses memory with
// every RDM endpoint that it opens and every connection that it accepts (net: its own copy of the
// fi_info of each), whatever its user closes.

// malloc_context_size=2: a leak goes unreported if any frame of its stack matches, and fi_getinfo
// and fi_fabric of libfabric call xs. So only the caller of malloc is kept: what xs allocates never
// matches. ASAN_OPTIONS=malloc_context_size=30 brings longer stacks back.
//
// intercept_tls_get_addr=0: the runtime of gcc 12 takes some thread-local memory of a library that
// was loaded later for memory with a header of glibc 2.19 before it. LeakSanitizer then reads at
// addresses like 0x1d8 and dies: "Tracer caught signal 11".
extern "C" const char* __asan_default_options();
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "malloc_context_size=2:intercept_tls_get_addr=0";
}

extern "C" const char* __lsan_default_suppressions();
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions() {
  return "leak:libfabric.so\n";
}

// xs-procs judges every line that a process wrote.
extern "C" const char* __lsan_default_options();
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_options() {
  return "print_suppressions=0";
}
