// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace xs::dom0 {

namespace {

bool is_printable(unsigned char byte) noexcept { return byte >= 0x20 && byte < 0x7f; }

// printf's format with one number.
std::string format(const char* how, unsigned long long number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), how, number);
  return text.data();
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (!is_printable(byte))
      out += format("\\x%02llx", byte);
    else if (each == '\\')
      out += "\\\\";
    else
      out += each;
  }
  return out;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (!is_printable(byte))
      out += format("\\u%04llx", byte);
    else if (each == '"' || each == '\\')
      (out += '\\') += each;
    else
      out += each;
  }
  return out += '"';
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] + 2 - row[i].size(), ' ');
    }
    out += '\n';
  }
  return out;
}

std::string hex(unsigned long long number) { return format("%016llx", number); }

std::string count(unsigned long long number, const char* one, const char* more) {
  return std::to_string(number) + ' ' + (number == 1 ? one : more);
}

std::string seconds(unsigned long long milliseconds) {
  return std::to_string(milliseconds / 1000) + format(".%02llu s", milliseconds % 1000 / 10);
}

}  // namespace xs::dom0
