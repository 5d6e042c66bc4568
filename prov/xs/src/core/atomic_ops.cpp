// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/atomic_ops.hpp"

#include <complex>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

#include "util/bytes.hpp"
#include "util/exchange.hpp"

namespace xs::core {

namespace {

using proto::AtomicForm;
using Operation = AtomicOperation;

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

template <class T>
inline constexpr bool is_integer =
    std::is_integral_v<T> || std::is_same_v<T, Int128> || std::is_same_v<T, Uint128>;
template <class T>
inline constexpr bool is_ordered = is_integer<T> || std::is_floating_point_v<T>;

// Integers are computed with as such an unsigned one, which wraps around.
template <class T>
using Wide = std::conditional_t<sizeof(T) == 16, Uint128, std::uint64_t>;

template <class T>
T sum(T a, T b) noexcept {
  if constexpr (is_integer<T>)
    return static_cast<T>(static_cast<Wide<T>>(a) + static_cast<Wide<T>>(b));
  else
    return a + b;
}

template <class T>
T product(T a, T b) noexcept {
  if constexpr (is_integer<T>)
    return static_cast<T>(static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b));
  else
    return a * b;
}

// Of those that every type has; nullopt: it is none.
template <class T>
std::optional<T> of_any(Operation operation, T have, T operand, T compare) noexcept {
  const bool a = have != T{};
  const bool b = operand != T{};
  switch (operation) {
    case Operation::kSum:
      return sum(have, operand);
    case Operation::kProduct:
      return product(have, operand);
    case Operation::kLogicalOr:
      return static_cast<T>(a || b);
    case Operation::kLogicalAnd:
      return static_cast<T>(a && b);
    case Operation::kLogicalXor:
      return static_cast<T>(a != b);
    case Operation::kRead:
      return have;
    case Operation::kWrite:
      return operand;
    case Operation::kSwapIfEqual:
      return compare == have ? operand : have;
    case Operation::kSwapIfNotEqual:
      return compare != have ? operand : have;
    default:
      return std::nullopt;
  }
}

template <class T>
std::optional<T> of_ordered(Operation operation, T have, T operand, T compare) noexcept {
  switch (operation) {
    case Operation::kMin:
      return operand < have ? operand : have;
    case Operation::kMax:
      return operand > have ? operand : have;
    case Operation::kSwapIfLessOrEqual:
      return compare <= have ? operand : have;
    case Operation::kSwapIfLess:
      return compare < have ? operand : have;
    case Operation::kSwapIfGreaterOrEqual:
      return compare >= have ? operand : have;
    case Operation::kSwapIfGreater:
      return compare > have ? operand : have;
    default:
      return std::nullopt;
  }
}

template <class T>
std::optional<T> of_bits(Operation operation, T have, T operand, T compare) noexcept {
  switch (operation) {
    case Operation::kBitOr:
      return static_cast<T>(have | operand);
    case Operation::kBitAnd:
      return static_cast<T>(have & operand);
    case Operation::kBitXor:
      return static_cast<T>(have ^ operand);
    case Operation::kSwapMasked:
      return static_cast<T>((operand & compare) | (have & ~compare));
    default:
      return std::nullopt;
  }
}

// What stands there afterwards; nullopt: the type has no such operation.
template <class T>
std::optional<T> result_of(Operation operation, T have, T operand, T compare) noexcept {
  if (const auto result = of_any(operation, have, operand, compare)) return result;
  if constexpr (is_ordered<T>)
    if (const auto result = of_ordered(operation, have, operand, compare)) return result;
  if constexpr (is_integer<T>) return of_bits(operation, have, operand, compare);
  return std::nullopt;
}

// A long double is ten bytes in a place of sixteen. The others go to peers too: they are zero, not
// what happened to lie in our memory.
template <class T>
void clear_padding(std::byte* element) noexcept {
  constexpr std::size_t kValue = 10;
  static_assert(sizeof(long double) == 16 && std::numeric_limits<long double>::digits == 64);
  if constexpr (std::is_same_v<T, long double> || std::is_same_v<T, std::complex<long double>>)
    for (std::size_t at = 0; at < sizeof(T); at += sizeof(long double))
      std::memset(element + at + kValue, 0, sizeof(long double) - kValue);
}

template <class T>
struct Of {
  static constexpr std::size_t kSize = sizeof(T);

  static bool has(Operation operation) noexcept {
    return result_of<T>(operation, T{}, T{}, T{}).has_value();
  }
  static void perform(Operation operation, const AtomicElement& element) noexcept {
    const T before =
        operation == Operation::kRead ? util::look_at<T>(element.at) : replace(operation, element);
    if (!element.before) return;
    util::store(element.before, before);
    clear_padding<T>(element.before);
  }
  // Returns what stood there.
  static T replace(Operation operation, const AtomicElement& element) noexcept {
    const T operand = util::load<T>(element.operand);
    const T compare = element.compare ? util::load<T>(element.compare) : T{};
    const T before = util::exchange<T>(
        element.at, [&](T have) noexcept { return *result_of(operation, have, operand, compare); });
    clear_padding<T>(element.at);
    return before;
  }
};

// Calls f(Of<T>{}) with the type's T; unknown types get `otherwise`.
template <class R, class F>
R with_type(Datatype type, R otherwise, F&& f) noexcept {
  switch (type) {
    case Datatype::kInt8:
      return f(Of<std::int8_t>{});
    case Datatype::kUint8:
      return f(Of<std::uint8_t>{});
    case Datatype::kInt16:
      return f(Of<std::int16_t>{});
    case Datatype::kUint16:
      return f(Of<std::uint16_t>{});
    case Datatype::kInt32:
      return f(Of<std::int32_t>{});
    case Datatype::kUint32:
      return f(Of<std::uint32_t>{});
    case Datatype::kInt64:
      return f(Of<std::int64_t>{});
    case Datatype::kUint64:
      return f(Of<std::uint64_t>{});
    case Datatype::kFloat:
      return f(Of<float>{});
    case Datatype::kDouble:
      return f(Of<double>{});
    case Datatype::kFloatComplex:
      return f(Of<std::complex<float>>{});
    case Datatype::kDoubleComplex:
      return f(Of<std::complex<double>>{});
    case Datatype::kLongDouble:
      return f(Of<long double>{});
    case Datatype::kLongDoubleComplex:
      return f(Of<std::complex<long double>>{});
    case Datatype::kInt128:
      return f(Of<Int128>{});
    case Datatype::kUint128:
      return f(Of<Uint128>{});
  }
  return otherwise;
}

bool has_form(Operation operation, AtomicForm form) noexcept {
  const bool compares = operation >= Operation::kSwapIfEqual;
  if (form == AtomicForm::kCompare) return compares;
  return !compares && (form == AtomicForm::kFetch || operation != Operation::kRead);
}

}  // namespace

std::size_t size_of(Datatype type) noexcept {
  return with_type(type, std::size_t{0}, [](auto of) { return of.kSize; });
}

bool is_valid(const AtomicCall& call) noexcept {
  return call.operation <= Operation::kSwapMasked && has_form(call.operation, call.form) &&
         with_type(call.datatype, false, [&](auto of) { return of.has(call.operation); });
}

void perform(const AtomicCall& call, const AtomicElement& element) noexcept {
  with_type(call.datatype, 0, [&](auto of) {
    of.perform(call.operation, element);
    return 0;
  });
}

}  // namespace xs::core
