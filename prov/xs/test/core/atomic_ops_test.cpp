// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/atomic_ops.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <complex>
#include <cstring>
#include <limits>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace xs::core {
namespace {

using proto::AtomicForm;
using Op = AtomicOperation;

constexpr AtomicForm kForms[] = {AtomicForm::kUpdate, AtomicForm::kFetch, AtomicForm::kCompare};

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

template <class... T>
struct List {
  using Tested = testing::Types<T...>;
  template <class U>
  static constexpr Datatype number_of() {
    unsigned before = 0;
    static_cast<void>(((!std::is_same_v<T, U> && ++before) && ...));
    return static_cast<Datatype>(before);
  }
};
// In the order of their numbers.
using All = List<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                 std::uint32_t, std::int64_t, std::uint64_t, float, double, std::complex<float>,
                 std::complex<double>, long double, std::complex<long double>, Int128, Uint128>;
template <class T>
inline constexpr Datatype kTypeOf = All::number_of<T>();
static_assert(kTypeOf<std::int8_t> == Datatype::kInt8 && kTypeOf<Uint128> == Datatype::kUint128);

// What stands in an element of `have` afterwards; what came back must be `have`.
template <class T>
T after(Op operation, T have, T operand, T compare = T{}) {
  T before{};
  const auto form = operation >= Op::kSwapIfEqual ? AtomicForm::kCompare : AtomicForm::kFetch;
  const AtomicCall call{form, operation, kTypeOf<T>};
  EXPECT_TRUE(is_valid(call));
  T element = have;
  perform(call, {.at = reinterpret_cast<std::byte*>(&element),
                 .operand = reinterpret_cast<const std::byte*>(&operand),
                 .compare = reinterpret_cast<const std::byte*>(&compare),
                 .before = reinterpret_cast<std::byte*>(&before)});
  EXPECT_EQ(before, have);
  return element;
}

TEST(AtomicOps, compute_as_their_names_say) {
  EXPECT_EQ(after<std::int32_t>(Op::kMin, -5, 3), -5);
  EXPECT_EQ(after<std::int32_t>(Op::kMin, 3, -5), -5);
  EXPECT_EQ(after<std::int32_t>(Op::kMax, -5, 3), 3);
  EXPECT_EQ(after<std::uint64_t>(Op::kMax, ~0ull, 3), ~0ull) << "unsigned";
  EXPECT_EQ(after<std::int32_t>(Op::kSum, -5, 3), -2);
  EXPECT_EQ(after<std::int32_t>(Op::kProduct, -5, 3), -15);
  EXPECT_EQ(after<double>(Op::kSum, 1.5, 2.25), 3.75);
  EXPECT_EQ(after<long double>(Op::kProduct, 1.5L, 2.0L), 3.0L);
  EXPECT_EQ(after<std::uint16_t>(Op::kLogicalOr, 0, 7), 1);
  EXPECT_EQ(after<std::uint16_t>(Op::kLogicalAnd, 4, 7), 1);
  EXPECT_EQ(after<std::uint16_t>(Op::kLogicalXor, 4, 7), 0);
  EXPECT_EQ(after<double>(Op::kLogicalXor, 0.0, 7.0), 1.0);
  EXPECT_EQ(after<std::uint16_t>(Op::kBitOr, 0x0f0f, 0x00ff), 0x0fff);
  EXPECT_EQ(after<std::uint16_t>(Op::kBitAnd, 0x0f0f, 0x00ff), 0x000f);
  EXPECT_EQ(after<std::uint16_t>(Op::kBitXor, 0x0f0f, 0x00ff), 0x0ff0);
  EXPECT_EQ(after<std::int8_t>(Op::kRead, 4, 7), 4);
  EXPECT_EQ(after<std::int8_t>(Op::kWrite, 4, 7), 7);
  const std::complex<float> i(0, 1);
  EXPECT_EQ(after(Op::kProduct, i, i), std::complex<float>(-1, 0));
  EXPECT_EQ(after(Op::kLogicalAnd, i, i), std::complex<float>(1, 0));
}

// As libfabric has it: "compare OP element".
TEST(AtomicOps, swap_if_what_is_compared_is_so) {
  const auto swaps = [](Op operation, int compare, int have) {
    return after<std::int32_t>(operation, have, 100, compare) == 100;
  };
  for (const int compare : {1, 2, 3}) {
    EXPECT_EQ(swaps(Op::kSwapIfEqual, compare, 2), compare == 2);
    EXPECT_EQ(swaps(Op::kSwapIfNotEqual, compare, 2), compare != 2);
    EXPECT_EQ(swaps(Op::kSwapIfLessOrEqual, compare, 2), compare <= 2);
    EXPECT_EQ(swaps(Op::kSwapIfLess, compare, 2), compare < 2);
    EXPECT_EQ(swaps(Op::kSwapIfGreaterOrEqual, compare, 2), compare >= 2);
    EXPECT_EQ(swaps(Op::kSwapIfGreater, compare, 2), compare > 2);
  }
  EXPECT_EQ(after<std::uint16_t>(Op::kSwapMasked, 0x1234, 0xabcd, 0x0ff0), 0x1bc4);
}

// ---- Each type, against the language ----

template <class T>
inline constexpr bool is_complex = false;
template <class T>
inline constexpr bool is_complex<std::complex<T>> = true;
template <class T>
inline constexpr bool is_float = std::is_floating_point_v<T>;
template <class T>
inline constexpr bool is_integer = !is_complex<T> && !is_float<T>;

// Another value for each small number; -1 is the largest of unsigned types.
template <class T>
T value(int number) {
  if constexpr (is_complex<T>)
    return T(static_cast<typename T::value_type>(number), 2);
  else if constexpr (is_float<T>)
    return static_cast<T>(number) / 2;
  else
    return static_cast<T>(number);
}

template <class T>
struct AtomicOpsOf : testing::Test {};
TYPED_TEST_SUITE(AtomicOpsOf, All::Tested);

TYPED_TEST(AtomicOpsOf, sums_and_products) {
  using T = TypeParam;
  for (const auto& [a, b] : {std::pair(-1, 1), {1, -1}, {-1, 3}, {7, 5}, {0, -1}}) {
    const T x = value<T>(a), y = value<T>(b);
    EXPECT_EQ(after<T>(Op::kSum, x, y), static_cast<T>(x + y)) << a << ' ' << b;
    EXPECT_EQ(after<T>(Op::kProduct, x, y), static_cast<T>(x * y)) << a << ' ' << b;
  }
}

TYPED_TEST(AtomicOpsOf, logic_and_writes) {
  using T = TypeParam;
  for (const bool a : {false, true})
    for (const bool b : {false, true}) {
      const T x = a ? value<T>(-1) : T{}, y = b ? value<T>(3) : T{};
      EXPECT_EQ(after<T>(Op::kLogicalOr, x, y), static_cast<T>(a || b));
      EXPECT_EQ(after<T>(Op::kLogicalAnd, x, y), static_cast<T>(a && b));
      EXPECT_EQ(after<T>(Op::kLogicalXor, x, y), static_cast<T>(a != b));
      EXPECT_EQ(after<T>(Op::kWrite, x, y), y);
      EXPECT_EQ(after<T>(Op::kRead, x, y), x);
    }
}

TYPED_TEST(AtomicOpsOf, least_and_greatest) {
  using T = TypeParam;
  if constexpr (!is_complex<T>)
    for (const auto& [a, b] : {std::pair(-1, 1), {1, -1}, {2, 2}}) {
      const T x = value<T>(a), y = value<T>(b);
      EXPECT_EQ(after<T>(Op::kMin, x, y), std::min(x, y)) << a << ' ' << b;
      EXPECT_EQ(after<T>(Op::kMax, x, y), std::max(x, y)) << a << ' ' << b;
    }
}

TYPED_TEST(AtomicOpsOf, swaps) {
  using T = TypeParam;
  const T other = value<T>(7), have = value<T>(1);
  for (const int number : {-1, 1, 3}) {
    const T compare = value<T>(number);
    const auto expect_swap = [&](Op operation, bool swaps) {
      EXPECT_EQ(after<T>(operation, have, other, compare), swaps ? other : have)
          << "operation " << static_cast<int>(operation) << ", " << number;
    };
    expect_swap(Op::kSwapIfEqual, compare == have);
    expect_swap(Op::kSwapIfNotEqual, compare != have);
    if constexpr (!is_complex<T>) {
      expect_swap(Op::kSwapIfLessOrEqual, compare <= have);
      expect_swap(Op::kSwapIfLess, compare < have);
      expect_swap(Op::kSwapIfGreaterOrEqual, compare >= have);
      expect_swap(Op::kSwapIfGreater, compare > have);
    }
  }
}

TYPED_TEST(AtomicOpsOf, bits) {
  using T = TypeParam;
  if constexpr (is_integer<T>) {
    const T all = value<T>(-1), have = value<T>(0x35), other = value<T>(0x1c);
    EXPECT_EQ(after<T>(Op::kBitOr, have, other), value<T>(0x3d));
    EXPECT_EQ(after<T>(Op::kBitAnd, have, other), value<T>(0x14));
    EXPECT_EQ(after<T>(Op::kBitXor, have, other), value<T>(0x29));
    EXPECT_EQ(after<T>(Op::kBitXor, all, other), static_cast<T>(~other)) << "the upper ones, too";
    EXPECT_EQ(after<T>(Op::kSwapMasked, have, other, value<T>(0x0f)), value<T>(0x3c));
    EXPECT_EQ(after<T>(Op::kSwapMasked, all, T{}, have), static_cast<T>(~have));
  }
}

TEST(AtomicOps, integers_wrap_around) {
  using Limits = std::numeric_limits<std::int32_t>;
  EXPECT_EQ(after<std::int32_t>(Op::kSum, Limits::max(), 1), Limits::min());
  EXPECT_EQ(after<std::uint16_t>(Op::kProduct, 65535, 65535), 1);
  EXPECT_EQ(after<std::int8_t>(Op::kProduct, -128, -1), -128);
}

TEST(AtomicOps, integers_of_sixteen_bytes) {
  std::array<std::uint64_t, 2> element{~0ull, 1};
  const std::array<std::uint64_t, 2> one{1, 0};
  perform({AtomicForm::kUpdate, Op::kSum, Datatype::kUint128},
          {.at = reinterpret_cast<std::byte*>(element.data()),
           .operand = reinterpret_cast<const std::byte*>(one.data()),
           .compare = nullptr,
           .before = nullptr});
  EXPECT_EQ(element, (std::array<std::uint64_t, 2>{0, 2}));
}

TEST(AtomicOps, elements_may_stand_anywhere) {
  std::array<std::byte, 16> bytes{};
  const std::uint64_t operand = 0x0102030405060708;
  for (std::size_t at = 0; at <= 8; ++at) {
    bytes = {};
    perform({AtomicForm::kUpdate, Op::kSum, Datatype::kUint64},
            {.at = bytes.data() + at,
             .operand = reinterpret_cast<const std::byte*>(&operand),
             .compare = nullptr,
             .before = nullptr});
    EXPECT_EQ(std::memcmp(bytes.data() + at, &operand, 8), 0);
  }
}

// Six bytes of a long double's sixteen are none of its value: peers see no memory of ours there.
TEST(AtomicOps, what_pads_an_element_is_zero) {
  for (const Datatype type : {Datatype::kLongDouble, Datatype::kLongDoubleComplex}) {
    for (const Op operation : {Op::kRead, Op::kSum, Op::kWrite}) {
      std::array<std::byte, 32> element, operand, before;
      for (auto* const all : {&element, &operand, &before}) all->fill(std::byte{0x3f});
      perform({AtomicForm::kFetch, operation, type},
              {.at = element.data(),
               .operand = operation == Op::kRead ? nullptr : operand.data(),
               .compare = nullptr,
               .before = before.data()});
      for (std::size_t i = 0; i < size_of(type); ++i) {
        if (i % 16 < 10) continue;
        EXPECT_EQ(before[i], std::byte{0}) << i;
        EXPECT_EQ(element[i], std::byte(operation == Op::kRead ? 0x3f : 0)) << i;
      }
    }
  }
}

// Who may only read may reach for memory that nobody may write.
TEST(AtomicOps, reading_does_not_write) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const at = mmap(nullptr, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(at, MAP_FAILED);
  std::array<std::byte, 32> before;
  for (unsigned type = 0; type < 16; ++type)
    for (std::size_t offset = 0; offset < 2; ++offset) {  // aligned, and not
      before.fill(std::byte{0xee});
      const auto datatype = static_cast<Datatype>(type);
      perform({AtomicForm::kFetch, Op::kRead, datatype},
              {.at = static_cast<std::byte*>(at) + offset,
               .operand = nullptr,
               .compare = nullptr,
               .before = before.data()});
      for (std::size_t i = 0; i < size_of(datatype); ++i) EXPECT_EQ(before[i], std::byte{0});
    }
  munmap(at, page);
}

TEST(AtomicOps, sizes_are_those_of_the_types) {
  const std::size_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 8, 16, 16, 32, 16, 16};
  for (unsigned type = 0; type < 256; ++type)
    EXPECT_EQ(size_of(static_cast<Datatype>(type)), type < 16 ? sizes[type] : 0) << type;
}

// What libfabric's software providers have: every combination.
TEST(AtomicOps, valid_ones) {
  const auto any = [](unsigned op) { return (op >= 2 && op <= 5) || op == 8; };
  const auto ordered = [](unsigned op) { return op < 2; };
  const auto bits = [](unsigned op) { return op == 6 || op == 7 || op == 9; };
  for (unsigned type = 0; type < 32; ++type) {
    const bool known = type < 16;
    const bool complex = type == 10 || type == 11 || type == 13;
    const bool integer = known && (type < 8 || type >= 14);
    for (unsigned op = 0; op < 32; ++op)
      for (const AtomicForm form : kForms) {
        bool expected = false;
        if (form == AtomicForm::kCompare) {
          expected = known && (op == 12 || op == 13 || (op >= 14 && op <= 17 && !complex) ||
                               (op == 18 && integer));
        } else {
          const bool reads = op == 10 && form == AtomicForm::kFetch;
          expected = known && (any(op) || op == 11 || reads || (ordered(op) && !complex) ||
                               (bits(op) && integer));
        }
        EXPECT_EQ(is_valid({form, static_cast<Op>(op), static_cast<Datatype>(type)}), expected)
            << "type " << type << ", operation " << op << ", form " << static_cast<int>(form);
      }
  }
}

// The user's own threads may update the same element by the processor's instructions.
TEST(AtomicOps, happen_at_once_to_other_threads) {
  alignas(8) std::uint64_t element = 0;
  constexpr std::uint64_t kTimes = 100'000;
  std::thread other([&] {
    for (std::uint64_t i = 0; i < kTimes; ++i) __atomic_fetch_add(&element, 1, __ATOMIC_RELAXED);
  });
  const std::uint64_t one = 1;
  for (std::uint64_t i = 0; i < kTimes; ++i)
    perform({AtomicForm::kUpdate, Op::kSum, Datatype::kUint64},
            {.at = reinterpret_cast<std::byte*>(&element),
             .operand = reinterpret_cast<const std::byte*>(&one),
             .compare = nullptr,
             .before = nullptr});
  other.join();
  EXPECT_EQ(element, 2 * kTimes);
}

}  // namespace
}  // namespace xs::core
