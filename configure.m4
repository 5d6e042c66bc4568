dnl SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
dnl
dnl What configure has to know about xs, in both homes: stand-alone (from
dnl configure.ac, which sets xs_home=standalone) and inside a libfabric tree
dnl (from FI_PROVIDER_SETUP([xs]), by way of prov/xs/configure.m4).

dnl XS_CHECK(WHAT, PROGRAM, REASON)
dnl Links the C++ PROGRAM with the flags of xs, unless an earlier check failed.
dnl The first failure leaves its REASON in xs_reason.
AC_DEFUN([XS_CHECK],[
	AS_IF([test -z "$xs_reason"],
		[AC_MSG_CHECKING([for xs: $1])
		 AC_LINK_IFELSE([$2],
			[AC_MSG_RESULT([yes])],
			[AC_MSG_RESULT([no])
			 xs_reason="$3"])])
])

dnl Called to configure this provider
dnl
dnl Arguments:
dnl
dnl $1: action if configured successfully
dnl $2: action if not configured successfully
dnl
AC_DEFUN([FI_XS_CONFIGURE],[
	dnl No libfabric release up to v2.6.0 asks for a C++ compiler. Automake
	dnl needs the answer even where xs is disabled.
	AC_REQUIRE([AC_PROG_CXX])

	xs_reason=
	dnl Words that have just been stored one by one must be loaded so, too: a
	dnl vector load of two of them waits until both have left for the cache.
	xs_CXXFLAGS="-std=c++20 -fvisibility=hidden -fvisibility-inlines-hidden -fno-plt -fno-tree-slp-vectorize"
	AS_IF([test "x$xs_home" = xstandalone],
		[xs_fabric_headers=$LIBFABRIC_CFLAGS
		 xs_CPPFLAGS="-I\$(top_srcdir)/include $LIBFABRIC_CFLAGS"
		 XS_FABRIC_LIBS=$LIBFABRIC_LIBS
		 XS_FABRIC_DEPS=],
		[xs_fabric_headers="-I$srcdir/include"
		 xs_CPPFLAGS='-I$(top_srcdir)/include'
		 XS_FABRIC_LIBS='$(top_builddir)/src/libfabric.la'
		 XS_FABRIC_DEPS='$(linkback)'
		 AS_IF([test "x$enable_xs" = xno],
			[xs_reason="disabled"],
			[test "x$xs_dl" != x1],
			[xs_reason="it is built as a loadable provider only (--enable-xs=dl)"])])
	dnl System headers, so that libfabric's own macros never trip our warnings.
	xs_fabric_headers=`AS_ECHO(["$xs_fabric_headers"]) | sed 's/-I/-isystem /g'`
	xs_CPPFLAGS=`AS_ECHO(["$xs_CPPFLAGS"]) | sed 's/-I/-isystem /g'`

	AC_LANG_PUSH([C++])
	xs_saved_CXXFLAGS=$CXXFLAGS xs_saved_CPPFLAGS=$CPPFLAGS xs_saved_LDFLAGS=$LDFLAGS
	CPPFLAGS="$CPPFLAGS $xs_fabric_headers"

	dnl First without our flags: an old compiler that doesn't know them works.
	XS_CHECK([a C++ compiler], [AC_LANG_PROGRAM()],
		[the C++ compiler '$CXX' doesn't work (Debian: g++)])

	XS_CHECK([Linux], [AC_LANG_PROGRAM([[
#ifndef __linux__
#error not Linux
#endif
]])], [it needs Linux])

	CXXFLAGS="$CXXFLAGS $xs_CXXFLAGS"
	XS_CHECK([C++20], [AC_LANG_PROGRAM([[
#include <atomic>
#include <bit>
#include <concepts>
#include <cstdint>
#include <span>
template <std::unsigned_integral T>
int width(std::span<T> words) { return std::bit_width(words.front()); }
]], [[
std::uint64_t word = 1;
std::atomic_ref<std::uint64_t>(word).store(2, std::memory_order_release);
return width(std::span(&word, 1));
]])], [the C++ compiler '$CXX' lacks C++20 with std::atomic_ref (g++ 12 and clang++ 14 have it)])

	dnl What atomics of 16 bytes are computed with, and how they stand on the wire.
	XS_CHECK([x86-64], [AC_LANG_PROGRAM([[
#include <limits>
__extension__ typedef __int128 wide;
static_assert(sizeof(void*) == 8 && sizeof(wide) == 16);
static_assert(sizeof(long double) == 16 && std::numeric_limits<long double>::digits == 64);
]])], [it needs x86-64: addresses of 64 bits, __int128 and x87's long double])

	XS_CHECK([libfabric headers], [AC_LANG_PROGRAM([[
#include <rdma/fabric.h>
#include <rdma/fi_tagged.h>
#include <rdma/providers/fi_log.h>
#include <rdma/providers/fi_prov.h>
#if FI_VERSION_LT(FI_VERSION(FI_MAJOR_VERSION, FI_MINOR_VERSION), FI_VERSION(1, 17))
#error too old
#endif
]])], [the public headers of libfabric >= 1.17 were not found (rdma/providers/fi_prov.h; Debian: libfabric-dev)])

	LDFLAGS="$LDFLAGS -Wl,--version-script=$srcdir/prov/xs/libxs.map"
	XS_CHECK([linker version scripts], [AC_LANG_PROGRAM()],
		[the linker takes no --version-script, so more than fi_prov_ini would be exported])

	dnl Xen's libraries are opened at run time: only their headers are wanted here.
	dnl Nothing is said of Xen where something else is the reason.
	AS_IF([test -z "$xs_reason"],
		[AC_MSG_CHECKING([for xs: Xen's headers])
		 AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#include <cstddef>
#include <cstdint>
extern "C" {
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>
#include <xentoollog.h>
}
]], [[return xengntshr_open == nullptr && xs_open == nullptr;]])],
			[AC_MSG_RESULT([yes])
			 xs_CPPFLAGS="$xs_CPPFLAGS -DXS_HAVE_XEN"],
			[AC_MSG_RESULT([no: no rings between domains of Xen (Debian: libxen-dev)])])])

	dnl xsctl, for dom0, is linked with Xen's libraries; libxenctrl is of one
	dnl version of Xen alone.
	AC_ARG_ENABLE([xsctl],
		[AS_HELP_STRING([--enable-xsctl],
			[build xsctl, the commands for administrators in dom0
			 (default: if libxenctrl, libxenforeignmemory and libxenstore are there)])],
		[], [enable_xsctl=auto])
	XS_CTL_LIBS="-lxenctrl -lxenforeignmemory -lxenstore -lxentoollog"
	AS_IF([test -z "$xs_reason"], [xs_ctl=$enable_xsctl], [xs_ctl=no])
	AS_IF([test "x$xs_ctl" != xno],
		[xs_saved_LIBS=$LIBS
		 LIBS="$LIBS $XS_CTL_LIBS"
		 dnl xenctrl.h is not to be had in strict C++.
		 CXXFLAGS="$CXXFLAGS -std=gnu++20"
		 AC_MSG_CHECKING([for xsctl: libxenctrl, libxenforeignmemory and libxenstore])
		 AC_LINK_IFELSE([AC_LANG_PROGRAM([[
extern "C" {
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xenstore.h>
#include <xentoollog.h>
}
]], [[
struct gnttab_query_size size = {};
void* begin = nullptr;
xc_domaininfo_t info;
return xc_domain_getinfolist(nullptr, 0, 1, &info) + xc_gnttab_query_size(nullptr, &size) +
       xc_gnttab_get_version(nullptr, 0) + (xs_open(0) == nullptr) +
       (xenforeignmemory_map_resource(nullptr, 0, XENMEM_resource_grant_table, 0, 0, 1, &begin, 0, 0) == nullptr);]])],
			[AC_MSG_RESULT([yes])
			 xs_ctl=yes],
			[AC_MSG_RESULT([no: no xsctl, which is for dom0 (Debian: libxen-dev)])
			 AS_IF([test "x$xs_ctl" = xyes],
				[AC_MSG_ERROR([--enable-xsctl: Xen's libraries can't be used (Debian: libxen-dev)])])
			 xs_ctl=no])
		 LIBS=$xs_saved_LIBS])

	CXXFLAGS=$xs_saved_CXXFLAGS CPPFLAGS=$xs_saved_CPPFLAGS LDFLAGS=$xs_saved_LDFLAGS
	AC_LANG_POP([C++])

	AC_SUBST([xs_CPPFLAGS])
	AC_SUBST([xs_CXXFLAGS])
	AC_SUBST([XS_CTL_LIBS])
	AC_SUBST([XS_FABRIC_LIBS])
	AC_SUBST([XS_FABRIC_DEPS])
	AS_IF([test -z "$xs_reason"], [$1],
		[AC_MSG_NOTICE([xs provider: not built: $xs_reason])
		 $2])
])

dnl The man page: stand-alone it is made here if pandoc is at hand; a libfabric
dnl tree carries it ready-made (tools/overlay puts it there).
AC_DEFUN([FI_XS_CONDITIONALS],[
	AM_CONDITIONAL([XS_CTL], [test "x$xs_ctl" = xyes])
	AC_CHECK_PROG([XS_PANDOC], [pandoc], [pandoc])
	AS_IF([test "x$xs_home" = xstandalone],
		[AS_IF([test -n "$XS_PANDOC" && test -f "$srcdir/man/fi_xs.7.md"],
			[xs_man=yes], [xs_man=no])],
		[AS_IF([test -f "$srcdir/man/man7/fi_xs.7"], [xs_man=yes], [xs_man=no])])
	AM_CONDITIONAL([XS_MAN], [test $xs_man = yes])
	AM_CONDITIONAL([XS_CTL_MAN],
		[test "x$xs_ctl" = xyes && test $xs_man = yes &&
		 { test "x$xs_home" = xstandalone || test -f "$srcdir/man/man8/xsctl.8"; }])
])
