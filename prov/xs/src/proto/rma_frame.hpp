// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The bodies of frames about remote memory, exactly as docs/wire.md section 9 says.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "proto/limits.hpp"
#include "util/bytes.hpp"

namespace xs::proto {

// Operands of one atomic, and its results.
inline constexpr std::uint32_t kLargestOperands = 8192;  // bytes
inline constexpr std::uint32_t kLargestResult = 4096;    // bytes

struct Write {  // first part of WRITE
  static constexpr std::size_t kSize = kOperationHeadSize;
  std::uint64_t id = 0;
  std::uint64_t key = 0;
  std::uint64_t address = 0;
  std::uint64_t length = 0;  // of the whole write
  std::uint64_t data = 0;    // if the frame has CQ_DATA
};

struct PartHead {  // first part of PUT and GOT
  static constexpr std::size_t kSize = kPayloadHeadSize;
  std::uint64_t id = 0;
  std::uint64_t offset = 0;
};

struct Read {
  static constexpr std::size_t kSize = kReadSize;
  std::uint64_t id = 0;
  std::uint64_t key = 0;
  std::uint64_t address = 0;
  std::uint64_t length = 0;
};

enum class AtomicForm : std::uint8_t { kUpdate = 1, kFetch = 2, kCompare = 3 };

struct Atomic {  // first part of ATOMIC
  static constexpr std::size_t kSize = kOperationHeadSize;
  std::uint64_t id = 0;
  std::uint64_t key = 0;
  std::uint64_t address = 0;
  std::uint8_t operation = 0;  // as enum fi_op has it
  std::uint8_t datatype = 0;   // as enum fi_datatype has it
  AtomicForm form{};
  std::uint32_t count = 0;   // elements
  std::uint32_t length = 0;  // bytes of all operands: first the values, then what to compare with
};

struct Done {
  static constexpr std::size_t kSize = kDoneSize;
  std::uint64_t id = 0;
  std::uint32_t status = 0;  // 0, or a positive errno
};

void encode(const Write& body, std::byte* to) noexcept;
void encode(const PartHead& body, std::byte* to) noexcept;
void encode(const Read& body, std::byte* to) noexcept;
void encode(const Atomic& body, std::byte* to) noexcept;
void encode(const Done& body, std::byte* to) noexcept;
// Bodies may be longer where only a first part is decoded. nullopt: too short, or an impossible
// value.
std::optional<Write> decode_write(util::Bytes body) noexcept;
std::optional<PartHead> decode_part(util::Bytes body) noexcept;
std::optional<Read> decode_read(util::Bytes body) noexcept;
std::optional<Atomic> decode_atomic(util::Bytes body) noexcept;
std::optional<Done> decode_done(util::Bytes body) noexcept;

}  // namespace xs::proto
