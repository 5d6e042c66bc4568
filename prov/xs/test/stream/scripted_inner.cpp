// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "stream/scripted_inner.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace xs::test {

using carrier::InnerCompletion;
using carrier::InnerOperation;
using carrier::Posted;

namespace {

class ScriptedProbe final : public carrier::Probe {
 public:
  explicit ScriptedProbe(carrier::ProbeState finds) noexcept : finds_(finds) {}
  carrier::ProbeState poll() noexcept override { return finds_; }

 private:
  carrier::ProbeState finds_;
};

}  // namespace

ScriptedEndpoint::~ScriptedEndpoint() {
  std::replace(inner_.endpoints.begin(), inner_.endpoints.end(), this,
               static_cast<ScriptedEndpoint*>(nullptr));
}

Posted ScriptedEndpoint::inject(carrier::InnerAddress to, const void* bytes,
                                std::size_t size) noexcept {
  const struct iovec iov { const_cast<void*>(bytes), size };
  return hand(to, false, 0, std::span(&iov, 1), nullptr);
}

Posted ScriptedEndpoint::hand(carrier::InnerAddress to, bool tagged, std::uint64_t tag,
                              std::span<const struct iovec> iov, InnerOperation* operation) {
  if (inner_.answer != Posted::kOk) return inner_.answer;
  Handed message{table_.at(to), tagged, tag, {}, operation};
  for (const struct iovec& piece : iov) {
    const auto* from = static_cast<const std::byte*>(piece.iov_base);
    message.bytes.insert(message.bytes.end(), from, from + piece.iov_len);
  }
  inner_.handed_.push_back(std::move(message));
  if (operation && !inner_.held) ends(*operation, 0);
  return Posted::kOk;
}

Posted ScriptedEndpoint::tagged_receive(std::uint64_t tag, std::span<const struct iovec> iov,
                                        InnerOperation& operation) noexcept {
  if (inner_.tagged_answer != Posted::kOk) return inner_.tagged_answer;
  tagged_.push_back({&operation, {iov.begin(), iov.end()}, tag});
  return Posted::kOk;
}

void ScriptedEndpoint::cancel_receive(InnerOperation& operation) noexcept {
  const auto found = std::find_if(tagged_.begin(), tagged_.end(), [&](const Receive& each) {
    return each.operation == &operation;
  });
  if (found == tagged_.end()) return;
  tagged_.erase(found);
  ends(operation, ECANCELED);
}

std::size_t ScriptedEndpoint::poll(std::span<InnerCompletion> out) noexcept {
  const std::size_t taken = std::min(out.size(), ended_.size());
  std::copy_n(ended_.begin(), taken, out.begin());
  ended_.erase(ended_.begin(), ended_.begin() + static_cast<std::ptrdiff_t>(taken));
  return taken;
}

std::size_t ScriptedEndpoint::Receive::size() const noexcept {
  std::size_t size = 0;
  for (const struct iovec& piece : room) size += piece.iov_len;
  return size;
}

void ScriptedEndpoint::fill(const Receive& receive, std::span<const std::byte> bytes) {
  ASSERT_LE(bytes.size(), receive.size());
  ended_.push_back({receive.operation, bytes.size(), 0});
  for (const struct iovec& piece : receive.room) {
    const std::size_t part = std::min(bytes.size(), piece.iov_len);
    if (part > 0) std::memcpy(piece.iov_base, bytes.data(), part);
    bytes = bytes.subspan(part);
  }
}

void ScriptedEndpoint::arrives(std::span<const std::byte> bytes) {
  ASSERT_FALSE(slots_.empty());
  const Receive receive = slots_.front();
  slots_.pop_front();
  fill(receive, bytes);
}

bool ScriptedEndpoint::arrives(std::uint64_t tag, std::span<const std::byte> bytes) {
  const auto found = std::find_if(tagged_.begin(), tagged_.end(),
                                  [&](const Receive& each) { return each.tag == tag; });
  if (found == tagged_.end()) return false;
  const Receive receive = *found;
  tagged_.erase(found);
  fill(receive, bytes);
  return true;
}

util::Result<std::unique_ptr<carrier::InnerEndpoint>> ScriptedInner::open(
    const proto::Address& at) noexcept {
  if (open_error != 0) return util::Error{open_error, "as scripted"};
  auto endpoint =
      std::make_unique<ScriptedEndpoint>(*this, at.port != 0 ? at : test_address(next_port_++));
  endpoints.push_back(endpoint.get());
  return std::unique_ptr<carrier::InnerEndpoint>(std::move(endpoint));
}

util::Result<std::unique_ptr<carrier::Probe>> ScriptedInner::probe(const proto::Address&,
                                                                   std::uint64_t) noexcept {
  ++probes;
  if (on_probe) on_probe();
  return std::unique_ptr<carrier::Probe>(std::make_unique<ScriptedProbe>(probe_finds));
}

std::vector<Handed> ScriptedInner::take() {
  std::vector<Handed> taken;
  taken.swap(handed_);
  return taken;
}

}  // namespace xs::test
