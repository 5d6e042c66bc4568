// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What fi_getinfo makes of FI_XS_ variables.
#include <cstdlib>

#include "face/face.hpp"

namespace xs::abi::test {
namespace {

class VariableTest : public testing::Test {
 protected:
  void set(const char* name, const char* value) {
    setenv(name, value, 1);
    name_ = name;
  }
  void TearDown() override { unsetenv(name_); }
  const char* name_ = nullptr;
};

TEST_F(VariableTest, unusable_number) {
  for (const char* value : {"", "many", "12x", "-1", "255", "1000001", "99999999999999999999"}) {
    set("FI_XS_EAGER", value);
    EXPECT_EQ(ask(nullptr), -FI_EINVAL) << value;
  }
  set("FI_XS_EAGER", "256");
  EXPECT_EQ(ask(nullptr), 0);
}

TEST_F(VariableTest, window_is_a_power_of_two) {
  set("FI_XS_WINDOW", "100");
  EXPECT_EQ(ask(nullptr), -FI_EINVAL);
  set("FI_XS_WINDOW", "128");
  EXPECT_EQ(ask(nullptr), 0);
}

TEST_F(VariableTest, bell_is_one_of_two) {
  for (const char* value : {"", "bell", "Event", "events", "on"}) {
    set("FI_XS_XEN_BELL", value);
    EXPECT_EQ(ask(nullptr), -FI_EINVAL) << value;
  }
  for (const char* value : {"fabric", "event"}) {
    set("FI_XS_XEN_BELL", value);
    EXPECT_EQ(ask(nullptr), 0) << value;
  }
}

TEST_F(VariableTest, unknown_inner_provider) {
  set("FI_XS_FALLBACK", "pigeons");
  EXPECT_EQ(ask(nullptr), -FI_ENODATA);
}

TEST_F(VariableTest, unknown_interface) {
  set("FI_XS_IFACE", "nosuch0");
  EXPECT_EQ(ask(nullptr), -FI_ENODATA);
}

TEST_F(VariableTest, a_variable_that_does_not_exist_only_warns) {
  set("FI_XS_EAGR", "1");
  EXPECT_EQ(ask(nullptr), 0);
}

}  // namespace
}  // namespace xs::abi::test
