// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once
#include "carrier/inner.hpp"
#include "util/clock.hpp"

namespace xs::carrier {

// A plain TCP connection, made without blocking and reset at the end, so that it leaves nothing
// behind.
class TcpProbe final : public Probe {
 public:
  // timeout: how long no answer is no answer, to the connect and then to keep-alive (whole seconds,
  // at least about 4). EMFILE, ENFILE, ENOMEM: no descriptor.
  static util::Result<std::unique_ptr<Probe>> start(const proto::Address& address,
                                                    util::Nanoseconds timeout) noexcept;

  TcpProbe(const TcpProbe&) = delete;
  TcpProbe& operator=(const TcpProbe&) = delete;
  ~TcpProbe() override;

  ProbeState poll() noexcept override;

 private:
  TcpProbe(int descriptor, util::Nanoseconds deadline) noexcept
      : descriptor_(descriptor), deadline_(deadline) {}
  void connect(const proto::Address& address, util::Nanoseconds timeout) noexcept;
  ProbeState connected(int error) noexcept;
  ProbeState still_connected() noexcept;
  void set(int level, int option, int value) noexcept;

  int descriptor_;
  util::Nanoseconds deadline_;
  ProbeState state_ = ProbeState::kWaiting;
};

}  // namespace xs::carrier
