// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An inner provider without a network: a test sees what is sent and says what arrives and what
// ends.
#pragma once
#include <cerrno>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "carrier/inner.hpp"

namespace xs::test {

inline proto::Address test_address(std::uint16_t port) noexcept {
  proto::Address address;
  address.family = 4;
  address.port = port;
  address.ip[0] = std::byte{10};
  address.ip[3] = std::byte{1};
  return address;
}

// A message that was handed to an endpoint.
struct Handed {
  proto::Address to;
  bool tagged = false;
  std::uint64_t tag = 0;
  std::vector<std::byte> bytes;
  carrier::InnerOperation* operation = nullptr;  // null: injected
};

class ScriptedInner;

class ScriptedEndpoint final : public carrier::InnerEndpoint {
 public:
  ScriptedEndpoint(ScriptedInner& inner, const proto::Address& name) noexcept
      : inner_(inner), name_(name) {}
  ~ScriptedEndpoint() override;

  const proto::Address& name() const noexcept override { return name_; }
  util::Result<carrier::InnerAddress> insert(const proto::Address& address) noexcept override {
    for (std::size_t i = 0; i < table_.size(); ++i)
      if (table_[i] == address) return carrier::InnerAddress{i};
    table_.push_back(address);
    return carrier::InnerAddress{table_.size() - 1};
  }
  carrier::Posted inject(carrier::InnerAddress to, const void* bytes,
                         std::size_t size) noexcept override;
  carrier::Posted send(carrier::InnerAddress to, std::span<const struct iovec> iov,
                       carrier::InnerOperation& operation) noexcept override {
    return hand(to, false, 0, iov, &operation);
  }
  carrier::Posted tagged_send(carrier::InnerAddress to, std::uint64_t tag,
                              std::span<const struct iovec> iov,
                              carrier::InnerOperation& operation) noexcept override {
    return hand(to, true, tag, iov, &operation);
  }
  carrier::Posted receive(void* buffer, std::size_t size,
                          carrier::InnerOperation& operation) noexcept override {
    slots_.push_back({&operation, {{buffer, size}}, 0});
    return carrier::Posted::kOk;
  }
  carrier::Posted tagged_receive(std::uint64_t tag, std::span<const struct iovec> iov,
                                 carrier::InnerOperation& operation) noexcept override;
  void cancel_receive(carrier::InnerOperation& operation) noexcept override;
  std::size_t poll(std::span<carrier::InnerCompletion> out) noexcept override;
  int wait_descriptor() const noexcept override { return -1; }
  bool may_sleep() noexcept override { return ended_.empty(); }

  // ---- For tests ----
  // A message fills the oldest posted receive.
  void arrives(std::span<const std::byte> bytes);
  // A bulk message fills the receive of its tag; false: there is none.
  bool arrives(std::uint64_t tag, std::span<const std::byte> bytes);
  void ends(carrier::InnerOperation& operation, int error) {
    ended_.push_back({&operation, 0, error});
  }
  std::size_t receives() const noexcept { return slots_.size(); }
  std::size_t tagged_receives() const noexcept { return tagged_.size(); }
  std::uint64_t newest_tag() const noexcept { return tagged_.back().tag; }
  // Bytes that the newest tagged receive takes.
  std::size_t newest_room() const noexcept { return tagged_.back().size(); }

 private:
  struct Receive {
    carrier::InnerOperation* operation;
    std::vector<struct iovec> room;
    std::uint64_t tag;
    std::size_t size() const noexcept;
  };
  carrier::Posted hand(carrier::InnerAddress to, bool tagged, std::uint64_t tag,
                       std::span<const struct iovec> iov, carrier::InnerOperation* operation);
  void fill(const Receive& receive, std::span<const std::byte> bytes);

  ScriptedInner& inner_;
  proto::Address name_;
  std::vector<proto::Address> table_;
  std::deque<Receive> slots_;
  std::vector<Receive> tagged_;
  std::deque<carrier::InnerCompletion> ended_;
};

class ScriptedInner final : public carrier::InnerProvider {
 public:
  const char* name() const noexcept override { return "scripted"; }
  std::size_t inject_limit() const noexcept override { return inject_bytes; }
  std::size_t iov_limit() const noexcept override { return 4; }
  std::size_t receive_depth() const noexcept override { return 16; }
  std::size_t message_limit() const noexcept override { return SIZE_MAX; }
  const proto::Address& source() const noexcept override { return source_; }
  util::Result<std::unique_ptr<carrier::InnerEndpoint>> open(
      const proto::Address& at) noexcept override;
  util::Result<std::unique_ptr<carrier::Probe>> probe(const proto::Address&,
                                                      std::uint64_t) noexcept override;

  // Takes what was handed over since the last call; all of it ends well unless `held`.
  std::vector<Handed> take();

  std::size_t inject_bytes = 128;
  carrier::Posted answer = carrier::Posted::kOk;         // to every message
  carrier::Posted tagged_answer = carrier::Posted::kOk;  // to every tagged receive
  bool held = false;                                     // messages do not end until a test says so
  int open_error = 0;                                    // to every open()
  carrier::ProbeState probe_finds = carrier::ProbeState::kAlive;
  unsigned probes = 0;
  std::function<void()> on_probe;            // somebody else is at work right then
  std::vector<ScriptedEndpoint*> endpoints;  // by age; null: closed

 private:
  friend class ScriptedEndpoint;
  proto::Address source_ = test_address(0);
  std::uint16_t next_port_ = 1000;
  std::vector<Handed> handed_;
};

}  // namespace xs::test
