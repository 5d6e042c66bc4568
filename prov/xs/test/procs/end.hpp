// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One end of a connection with all that it needs, over the public libfabric API, inside a process
// under test.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "procs/node.hpp"
#include "procs/worker.hpp"

namespace xs::test {

class End {
 public:
  static constexpr std::uint16_t kPort = 7900;

  // A server listens at that address, a client calls it. Throws Failure.
  enum class Role { kServer, kClient };
  End(const Worker& worker, const std::string& address, Role role);
  ~End();
  End(const End&) = delete;
  End& operator=(const End&) = delete;

  // A client; no event is waited for.
  void call();
  // A server: takes the next request and answers it.
  void accept();
  void expect_connected();
  void shut_down();
  void close();  // the endpoint

  void post(Transfer& transfer, std::uint64_t tag);
  void send(Transfer& transfer, std::uint64_t tag);
  // -FI_ENOTCONN and the like.
  ssize_t try_send(Transfer& transfer, std::uint64_t tag);
  void finish(const Transfer& transfer, const char* what);

  struct Event {
    std::uint32_t number;  // 0: an error
    int error;
  };
  // The next event; makes progress. nullopt: none in that time.
  std::optional<Event> event(milliseconds within);
  // Makes progress until the driver says something.
  void hear();

 private:
  struct Closer {
    void operator()(void* fid) const;
  };
  template <class T>
  using Owned = std::unique_ptr<T, Closer>;
  struct InfoCloser {
    void operator()(struct fi_info* info) const { fi_freeinfo(info); }
  };

  void open_endpoint(struct fi_info* info);
  void poll();

  const Worker& worker_;
  std::unique_ptr<struct fi_info, InfoCloser> info_;
  std::unique_ptr<struct fi_info, InfoCloser> request_;
  Owned<struct fid_fabric> fabric_;
  Owned<struct fid_eq> eq_;
  Owned<struct fid_domain> domain_;
  Owned<struct fid_cq> cq_;
  Owned<struct fid_pep> passive_;
  Owned<struct fid_ep> endpoint_;
};

}  // namespace xs::test
