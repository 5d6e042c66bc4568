// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What every inner provider behind carrier/inner.hpp must do, the fake one included. The tests are
// in inner_contract_*.cpp; a file that has a provider to show instantiates InnerContract for it.
#pragma once
#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "carrier/inner.hpp"

namespace xs::test {

// A provider and the time that it lives in.
class InnerWorld {
 public:
  virtual ~InnerWorld() = default;
  virtual carrier::InnerProvider& provider() = 0;
  // A little time passes.
  virtual void pass() = 0;
  // An address where not even a kernel answers.
  virtual proto::Address silent_address() = 0;
};

struct InnerSubject {
  std::string name;  // becomes part of the test's name: letters, digits and _
  std::unique_ptr<InnerWorld> (*make)(const InnerSubject& subject);
  bool has_wait_descriptor;
};

using Bytes = std::vector<std::byte>;

// Bytes that tell which message they belong to and where in it.
Bytes pattern(std::size_t size, unsigned seed);

// One endpoint with what is posted on it and what came of it.
class Side {
 public:
  // An operation with the memory that it reads or writes.
  struct Transfer : carrier::InnerOperation {
    explicit Transfer(Bytes content) : bytes(std::move(content)) {}
    struct iovec iov() {
      return {bytes.data(), bytes.size()};
    }
    Bytes bytes;
  };

  explicit Side(std::unique_ptr<carrier::InnerEndpoint> endpoint)
      : endpoint_(std::move(endpoint)) {}

  carrier::InnerEndpoint& operator*() { return *endpoint_; }
  carrier::InnerEndpoint* operator->() { return endpoint_.get(); }
  void close() { endpoint_.reset(); }

  // Moves the endpoint on; true if anything ended.
  bool poll();
  // Kept as long as the endpoint may touch it.
  Transfer& keep(Bytes bytes);
  Transfer& receive(std::size_t size);
  Transfer& tagged_receive(std::uint64_t tag, std::size_t size);
  // Everything that ended, in that order.
  const std::vector<carrier::InnerCompletion>& ends() const { return ends_; }
  // nullptr: still under way.
  const carrier::InnerCompletion* end_of(const carrier::InnerOperation& operation) const;

 private:
  std::vector<std::unique_ptr<Transfer>> transfers_;
  std::vector<carrier::InnerCompletion> ends_;
  std::unique_ptr<carrier::InnerEndpoint> endpoint_;  // goes before the memory that it may write to
};

class InnerContract : public testing::TestWithParam<InnerSubject> {
 protected:
  InnerContract() : world_(GetParam().make(GetParam())) {}

  carrier::InnerProvider& provider() { return world_->provider(); }
  Side& open(const proto::Address& at = {});
  // How `from` calls `to`.
  static carrier::InnerAddress number(Side& from, Side& to);

  // Moves every open side on until the condition holds; false after 10 seconds.
  bool until(const std::function<bool()>& condition);
  // Moves every open side on for a while.
  void settle();
  bool move_on();

  // Posts until it is taken.
  Side::Transfer& send(Side& from, carrier::InnerAddress to, Bytes bytes);
  Side::Transfer& tagged_send(Side& from, carrier::InnerAddress to, std::uint64_t tag, Bytes bytes);
  // A message goes from one to the other and arrives whole. Brings the connection about.
  bool exchange(Side& from, Side& to, std::size_t size = 64);

  // Takes the probe to its first result. No endpoint moves meanwhile: kernels answer for idle
  // processes.
  carrier::ProbeState result_of(carrier::Probe& probe);
  std::unique_ptr<carrier::Probe> probe(const proto::Address& address);

  std::unique_ptr<InnerWorld> world_;
  std::vector<std::unique_ptr<Side>> sides_;
};

}  // namespace xs::test
