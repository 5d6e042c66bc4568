# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Builds the benchmark where xs itself isn't configured:
#   make -C DIRECTORY -f .../prov/xs/bench/standalone.mk
# It gives Makefile.inc what automake and the other fragments would give it.

this := $(abspath $(lastword $(MAKEFILE_LIST)))
top_srcdir := $(abspath $(dir $(this))/../../..)
VPATH := $(top_srcdir)
AM_MAKEFLAGS := -f $(this)
AM_CXXFLAGS := -Wall -Wextra -Wpedantic -O2
xs_CXXFLAGS := -std=c++20

PKG_CONFIG ?= pkg-config
xs_CPPFLAGS := $(subst -I,-isystem ,$(shell $(PKG_CONFIG) --cflags libfabric))
LIBFABRIC_LIBS := $(shell $(PKG_CONFIG) --libs libfabric)

MPICXX ?= mpicxx
_xs_mpi_cppflags = $(subst -I,-isystem ,$(shell $(MPICXX) --showme:compile))
_xs_mpi_cxxflags = $(AM_CXXFLAGS) $(xs_CXXFLAGS)
_xs_mpi_link = $(MPICXX) -o $@

.DEFAULT_GOAL := bench
include $(top_srcdir)/prov/xs/bench/Makefile.inc

# Both programs contain some sources, with flags of their own.
bench_objects := $(patsubst %.cpp,%.o,$(filter %.cpp,$(xs_bench_SOURCES)))
mpi_objects := $(patsubst %.cpp,%.mpi.o,$(filter %.cpp,$(xs_bench_mpi_SOURCES)))
headers := $(filter %.hpp,$(xs_bench_SOURCES))

xs-bench: $(bench_objects)
	$(CXX) -o $@ $^ $(xs_bench_LDADD)

xs-bench-mpi: $(mpi_objects)
	$(xs_bench_mpi_LINK) $^

%.mpi.o: %.cpp $(headers)
	@mkdir -p $(@D)
	$(CXX) $(xs_bench_mpi_CPPFLAGS) $(xs_bench_mpi_CXXFLAGS) -c -o $@ $<

%.o: %.cpp $(headers)
	@mkdir -p $(@D)
	$(CXX) $(xs_bench_CPPFLAGS) $(xs_bench_CXXFLAGS) -c -o $@ $<
