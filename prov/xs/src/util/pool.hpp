// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace xs::util {

// Free-list pool of T: memory comes in chunks and is given back only with the pool, so steady state
// allocates nothing. Not thread-safe. All objects must be returned before the pool goes.
template <class T, std::size_t kChunk = 64>
class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // nullptr when memory is exhausted.
  template <class... Args>
  T* make(Args&&... args) noexcept {
    if (!free_ && !grow()) return nullptr;
    return make_if_free(std::forward<Args>(args)...);
  }
  // The same, nullptr also when memory would have to be had first.
  template <class... Args>
  T* make_if_free(Args&&... args) noexcept {
    if (!free_) return nullptr;
    Node* node = free_;
    free_ = node->next;
    ++live_;
    return ::new (static_cast<void*>(node->room)) T(std::forward<Args>(args)...);
  }

  void drop(T* object) noexcept {
    object->~T();
    free_ = ::new (static_cast<void*>(object)) Node(free_);
    --live_;
  }

  std::size_t live() const noexcept { return live_; }

 private:
  union Node {
    explicit Node(Node* then = nullptr) noexcept : next(then) {}
    Node* next;
    alignas(T) std::byte room[sizeof(T)];
  };

  bool grow() noexcept {
    std::unique_ptr<Node[]> chunk(new (std::nothrow) Node[kChunk]);
    if (!chunk) return false;
    try {
      chunks_.push_back(std::move(chunk));
    } catch (const std::bad_alloc&) {
      return false;
    }
    for (std::size_t i = kChunk; i-- > 0;) {
      chunks_.back()[i].next = free_;
      free_ = &chunks_.back()[i];
    }
    return true;
  }

  std::vector<std::unique_ptr<Node[]>> chunks_;
  Node* free_ = nullptr;
  std::size_t live_ = 0;
};

}  // namespace xs::util
