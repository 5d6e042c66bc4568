// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Op tables without a NULL: libfabric calls most of their functions unchecked.
#pragma once
#include <rdma/fabric.h>
#include <rdma/fi_errno.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace xs::abi {

// Becomes a function of any type, which answers that there is no such operation.
struct Unsupported {
  template <class R, class... A>
  using Function = R (*)(A...);

  template <class R, class... A>
  constexpr operator Function<R, A...>() const noexcept {
    return [](A...) noexcept -> R {
      if constexpr (std::is_signed_v<R>)
        return -FI_ENOSYS;
      else if constexpr (!std::is_void_v<R>)
        return R{};
    };
  }
};

template <class Table, std::size_t... I>
concept HasOps = requires {
  Table{sizeof(Table), (static_cast<void>(I), Unsupported{})...};
};

// The table with every operation unsupported, however many the libfabric at hand gives it.
template <class Table, std::size_t... I>
constexpr Table no_ops(std::index_sequence<I...> = {}) noexcept {
  if constexpr (HasOps<Table, I..., sizeof...(I)>) {
    return no_ops<Table>(std::make_index_sequence<sizeof...(I) + 1>());
  } else {
    return Table{sizeof(Table), (static_cast<void>(I), Unsupported{})...};
  }
}

// An enumerator that a C program wrote: any number, also one that these headers don't know.
template <class E>
std::uint32_t raw(const E& value) noexcept {
  static_assert(std::is_enum_v<E> && sizeof(E) == sizeof(std::uint32_t));
  std::uint32_t number;
  std::memcpy(&number, &value, sizeof number);
  return number;
}

// The object of ours that libfabric knows by this fid: a fid is the first member of each fid_...,
// from which ours derive.
template <class Object, class Fid>
Object& object_of(Fid* fid) noexcept {
  if constexpr (std::is_same_v<Fid, struct fid>) {
    return static_cast<Object&>(*reinterpret_cast<typename Object::Foreign*>(fid));
  } else {
    return static_cast<Object&>(*fid);
  }
}

}  // namespace xs::abi
