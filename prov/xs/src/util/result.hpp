// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <utility>
#include <variant>

namespace xs::util {

// Why a set-up or control step failed: a positive errno value (the C face negates it) and a short
// constant text for the log.
struct Error {
  int code;
  const char* what;
};

// Value or Error; for set-up and control paths. Hot paths use small enums instead.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, error) {}
  explicit operator bool() const noexcept { return state_.index() == 0; }
  T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() noexcept { return std::get_if<0>(&state_); }
  const Error& error() const noexcept { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace xs::util
