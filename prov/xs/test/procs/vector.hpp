// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An address vector inside a process under test: its own, or one that processes share by name.
#pragma once
#include <netinet/in.h>
#include <rdma/fabric.h>
#include <rdma/fi_domain.h>

#include <cstdint>
#include <memory>
#include <string>

namespace xs::test {

struct sockaddr_in socket_address(const std::string& address, std::uint16_t port);

class Vector {
 public:
  // As fi_av_open takes them; without a name: of this process alone.
  struct Attributes {
    std::string name;
    std::uint64_t flags = 0;
  };
  // Throws Failure.
  explicit Vector(struct fid_domain* domain, const Attributes& attributes);
  ~Vector();
  Vector(Vector&&) = default;
  // What opening it gives, 0 or a negative errno; it doesn't stay open.
  static int try_to_open(struct fid_domain* domain, const Attributes& attributes);

  // The number, or a negative errno.
  std::int64_t insert(const std::string& address, std::uint16_t port);
  // 0, or a negative errno.
  int remove(std::int64_t number);
  // address:port; empty: nothing is known of that number.
  std::string lookup(std::int64_t number);

  struct fid_av* fid() const {
    return fid_.get();
  }

 private:
  struct Closer {
    void operator()(struct fid_av* fid) const;
  };
  std::unique_ptr<struct fid_av, Closer> fid_;
};

}  // namespace xs::test
