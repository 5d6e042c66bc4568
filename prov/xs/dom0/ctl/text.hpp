// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What guests have written, as a terminal or another program may be given it.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace xs::dom0 {

// Printable ASCII as it is, every other byte as \xNN, a backslash twice.
std::string printable(std::string_view text);
// With quotes, as JSON wants it. A byte above 127 is the character of that number.
std::string json_string(std::string_view text);
// Columns as wide as they must be, two spaces between them; none behind the last.
std::string table(const std::vector<std::vector<std::string>>& rows);
// 16 digits.
std::string hex(unsigned long long number);
// "1 page", "2 pages".
std::string count(unsigned long long number, const char* one, const char* more);
// Milliseconds as "0.31 s".
std::string seconds(unsigned long long milliseconds);

}  // namespace xs::dom0
