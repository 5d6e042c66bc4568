// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "core/atomic_ops.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <complex>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

namespace xs::core {
namespace {

using proto::AtomicForm;
using Op = AtomicOperation;

constexpr AtomicForm kForms[] = {AtomicForm::kUpdate, AtomicForm::kFetch, AtomicForm::kCompare};

template <class T>
struct TypeOf;
template <>
struct TypeOf<std::int8_t> {
  static constexpr Datatype kType = Datatype::kInt8;
};
template <>
struct TypeOf<std::uint16_t> {
  static constexpr Datatype kType = Datatype::kUint16;
};
template <>
struct TypeOf<std::int32_t> {
  static constexpr Datatype kType = Datatype::kInt32;
};
template <>
struct TypeOf<std::uint64_t> {
  static constexpr Datatype kType = Datatype::kUint64;
};
template <>
struct TypeOf<double> {
  static constexpr Datatype kType = Datatype::kDouble;
};
template <>
struct TypeOf<long double> {
  static constexpr Datatype kType = Datatype::kLongDouble;
};
template <>
struct TypeOf<std::complex<float>> {
  static constexpr Datatype kType = Datatype::kFloatComplex;
};

// What stands in an element of `have` afterwards; what came back must be `have`.
template <class T>
T after(Op operation, T have, T operand, T compare = T{}) {
  T before{};
  const auto form = operation >= Op::kSwapIfEqual ? AtomicForm::kCompare : AtomicForm::kFetch;
  const AtomicCall call{form, operation, TypeOf<T>::kType};
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
