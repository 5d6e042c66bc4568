// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How much stands between this process and other domains: pages that they may see, and pages of
// theirs. Outlives its backend with whatever stands.
#pragma once
#include <cstddef>
#include <memory>
#include <utility>

namespace xs::hv {

class Holdings {
 public:
  // Who wants to know when nothing stands any more.
  class Owner {
   public:
    virtual void nothing_stands() noexcept = 0;

   protected:
    ~Owner() = default;
  };
  explicit Holdings(Owner& owner) noexcept : owner_(&owner) {}
  // The owner is no more.
  void disown() noexcept { owner_ = nullptr; }
  bool empty() const noexcept { return count_ == 0; }

  // One of them, as long as it lives: to be given up after the pages.
  class One {
   public:
    explicit One(std::shared_ptr<Holdings> all) noexcept : all_(std::move(all)) { ++all_->count_; }
    ~One() {
      if (--all_->count_ == 0 && all_->owner_) all_->owner_->nothing_stands();
    }
    One(const One&) = delete;
    One& operator=(const One&) = delete;

   private:
    std::shared_ptr<Holdings> all_;
  };

 private:
  Owner* owner_;
  std::size_t count_ = 0;
};

}  // namespace xs::hv
