// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The contract of inner providers, for those that the libfabric here really has.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "carrier/fabric_inner.hpp"
#include "contract/inner_contract.hpp"

namespace xs::test {

namespace {

using carrier::discover;
using carrier::FabricQuery;
using carrier::open_fabric_provider;

// A listener whose accept queue is full: the kernel answers no further connection attempt.
class DeafListener {
 public:
  DeafListener() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    struct sockaddr_in any {};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<struct sockaddr*>(&any), sizeof any), 0);
    EXPECT_EQ(listen(listener_, 0), 0);
    socklen_t size = sizeof name_;
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<struct sockaddr*>(&name_), &size), 0);
    for (int& filler : fillers_) {
      filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      (void)connect(filler, reinterpret_cast<struct sockaddr*>(&name_), sizeof name_);
    }
  }
  ~DeafListener() {
    for (const int filler : fillers_) ::close(filler);
    ::close(listener_);
  }

  proto::Address address() const {
    return *proto::Address::from_sockaddr(reinterpret_cast<const struct sockaddr*>(&name_),
                                          sizeof name_);
  }

 private:
  int listener_;
  int fillers_[4];
  struct sockaddr_in name_ {};
};

class FabricWorld final : public InnerWorld {
 public:
  explicit FabricWorld(std::unique_ptr<carrier::InnerProvider> provider)
      : provider_(std::move(provider)) {}

  carrier::InnerProvider& provider() override { return *provider_; }
  void pass() override { std::this_thread::sleep_for(std::chrono::microseconds(50)); }
  proto::Address silent_address() override { return deaf_.address(); }

 private:
  std::unique_ptr<carrier::InnerProvider> provider_;
  DeafListener deaf_;
};

FabricQuery query_for(const std::string& provider) {
  FabricQuery query;
  query.provider = provider;
  query.interface = "127.0.0.1";
  return query;
}

// The provider's name as a test's name has no room for ';'.
std::string provider_of(const InnerSubject& subject) {
  return subject.name == "rxm" ? "tcp;ofi_rxm" : subject.name;
}

std::unique_ptr<InnerWorld> make(const InnerSubject& subject) {
  const auto infos = discover(query_for(provider_of(subject)));
  auto provider = open_fabric_provider(*infos.at(0), subject.has_wait_descriptor);
  EXPECT_TRUE(provider);
  return std::make_unique<FabricWorld>(std::move(*provider));
}

std::vector<InnerSubject> those_here() {
  std::vector<InnerSubject> here;
  for (const InnerSubject& subject :
       {InnerSubject{"tcp", make, true}, InnerSubject{"net", make, true},
        InnerSubject{"rxm", make, true}, InnerSubject{"sockets", make, false}}) {
    if (!discover(query_for(provider_of(subject))).empty()) here.push_back(subject);
  }
  return here;
}

INSTANTIATE_TEST_SUITE_P(Fabric, InnerContract, testing::ValuesIn(those_here()),
                         [](const auto& info) { return info.param.name; });

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST(FabricInner, KeepsNoDescriptorsOfClosedEndpoints) {
  const auto infos = discover(query_for(""));
  ASSERT_FALSE(infos.empty());
  auto provider = open_fabric_provider(*infos.front(), true);
  ASSERT_TRUE(provider);
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 20; ++i) {
    auto endpoint = (*provider)->open({});
    ASSERT_TRUE(endpoint);
    EXPECT_GT(open_descriptors(), before);
  }
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace

}  // namespace xs::test
