// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// What most texts of test programs include, compiled once: see prov/xs/test/Makefile.inc. It is
// there to save time alone: each text still includes what it uses, and none includes this.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>
