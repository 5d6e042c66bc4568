// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The seam under the fabric carrier: what xs needs of libfabric's tcp-family providers, and nothing
// more.
//
// Behind it stand libfabric (carrier/fabric_inner) and, in tests, a fake that loses, refuses,
// stalls and cancels. What may be relied on is little (docs/wire.md, Inner): a completed send may
// be lost; frames of one connection keep their order; a send may say "again" for ever; an active
// receive can't be cancelled. One thread at a time (the domain's rule) for all of it.
#pragma once
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "proto/address.hpp"
#include "util/result.hpp"

namespace xs::carrier {

// A peer's number inside one InnerEndpoint.
using InnerAddress = std::uint64_t;

// Room that the inner provider may use while an operation is under way (FI_CONTEXT, FI_CONTEXT2).
// Operations derive from it; the address of this object is the operation's name in its completion.
// Must outlive the operation.
struct InnerOperation {
  void* room[8];
};

enum class Posted : std::uint8_t {
  kOk,
  kAgain,   // nothing was taken; try later
  kFailed,  // nothing was taken; this endpoint or address does not work (the error was logged)
};

// What a send or receive has come to. After it the inner provider no longer touches the operation's
// memory.
struct InnerCompletion {
  InnerOperation* operation;
  std::size_t length;  // receives: bytes that arrived
  int error;           // 0, or a positive errno; ECANCELED after cancel(), close or a reset
};

enum class ProbeState : std::uint8_t {
  kWaiting,
  kAlive,    // connected, and still so: the peer's kernel answers (kept up by TCP keep-alive)
  kClosed,   // was connected; the far side has ended it. Look again to learn why
  kRefused,  // its kernel says that nothing listens there
  kSilent,   // no answer in time, no route, or the keep-alive went unanswered
};

// One plain TCP connection to an address, held and never used: does anything answer there? A held
// one tells of the far process's end by itself and takes one place in its accept queue, where a
// probe again and again would fill that of a busy process. Never blocks; kAlive may turn into
// kClosed or kSilent, the other results are final.
class Probe {
 public:
  virtual ~Probe() = default;
  virtual ProbeState poll() noexcept = 0;
};

// The descriptors that somebody sleeps on.
class WaitSet {
 public:
  virtual ~WaitSet() = default;
  // A sleeper wakes while it is readable. False: no memory, nobody will.
  virtual bool add(int descriptor) noexcept = 0;
  // Before it is closed.
  virtual void remove(int descriptor) noexcept = 0;
};

// One enabled reliable-datagram endpoint of the inner provider with its own address table and
// completion queue. Destroying it ends every operation without a completion; their memory is free
// from then on.
class InnerEndpoint {
 public:
  virtual ~InnerEndpoint() = default;
  virtual const proto::Address& name() const noexcept = 0;

  // The same address inserted twice gives the same number. ENOMEM, EINVAL.
  virtual util::Result<InnerAddress> insert(const proto::Address& address) noexcept = 0;

  // At most inject_limit() bytes; the memory is free on return and there is no completion.
  virtual Posted inject(InnerAddress to, const void* bytes, std::size_t size) noexcept = 0;
  // At most iov_limit() entries.
  virtual Posted send(InnerAddress to, std::span<const struct iovec> iov,
                      InnerOperation& operation) noexcept = 0;
  // The top bit of a tag belongs to the inner provider: 0 here and in tagged_receive().
  virtual Posted tagged_send(InnerAddress to, std::uint64_t tag, std::span<const struct iovec> iov,
                             InnerOperation& operation) noexcept = 0;
  // A message that is longer than its receive ends with ETRUNC and may take its connection down.
  virtual Posted receive(void* buffer, std::size_t size, InnerOperation& operation) noexcept = 0;
  // Takes one message with exactly this tag from any peer.
  virtual Posted tagged_receive(std::uint64_t tag, std::span<const struct iovec> iov,
                                InnerOperation& operation) noexcept = 0;
  // Asks to take back a receive. Its completion follows (ECANCELED, or its real end) if it can be
  // taken back or is active.
  virtual void cancel_receive(InnerOperation& operation) noexcept = 0;

  // Drives progress and reports up to out.size() completions; returns how many.
  virtual std::size_t poll(std::span<InnerCompletion> out) noexcept = 0;

  // Descriptor that becomes readable when poll() has something to do; -1 if the provider has none.
  virtual int wait_descriptor() const noexcept = 0;
  // Makes one as far as that is possible for an endpoint that was opened without.
  virtual void want_waits() noexcept {}
  // True if it is safe to sleep on wait_descriptor() now; false: poll() again first.
  virtual bool may_sleep() noexcept = 0;
  // Cheap: nothing was posted or taken since poll() last found nothing. What may_sleep() said then
  // still holds.
  virtual bool settled() const noexcept { return true; }
};

// What an inner provider is and makes. Lives as long as the domain.
class InnerProvider {
 public:
  virtual ~InnerProvider() = default;
  virtual const char* name() const noexcept = 0;  // "net", "tcp;ofi_rxm", ...
  virtual std::size_t inject_limit() const noexcept = 0;
  virtual std::size_t iov_limit() const noexcept = 0;      // at least 1
  virtual std::size_t receive_depth() const noexcept = 0;  // receives that may be posted at once
  virtual std::size_t message_limit() const noexcept = 0;  // largest single message
  // Largest message that is one message on the wire, too: above it the provider has a protocol of
  // its own, whose sends and receives may never end after a reset. Frames stay below.
  virtual std::size_t frame_limit() const noexcept { return message_limit(); }
  // Whether a bulk transfer under way ends when its connection breaks. If not, there are none.
  virtual bool bulk_ends() const noexcept { return true; }
  virtual const proto::Address& source()
      const noexcept = 0;  // address that endpoints get; port 0: any

  // Where further endpoints can be opened now, port 0: at source(), or if this machine has lost that
  // address at the one that it has instead. None: nowhere. Asks the system.
  virtual proto::Address place() const noexcept {
    proto::Address at = source();
    at.port = 0;
    return at;
  }

  // Endpoints opened from now on have a wait_descriptor(), if the provider knows such.
  virtual void want_waits() noexcept {}

  // at: the exact address to bind (a reopened endpoint keeps its name), or a none-address for
  // source().
  virtual util::Result<std::unique_ptr<InnerEndpoint>> open(const proto::Address& at) noexcept = 0;
  // timeout in nanoseconds until kSilent.
  virtual util::Result<std::unique_ptr<Probe>> probe(const proto::Address& address,
                                                     std::uint64_t timeout) noexcept = 0;
};

}  // namespace xs::carrier
