// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// fi_getinfo: what is granted, what is refused, and with which errno.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdlib>
#include <cstring>

#include "face/face.hpp"

namespace xs::abi::test {
namespace {

const struct sockaddr_in& source_of(const InfoPtr& info) {
  return *static_cast<const struct sockaddr_in*>(info->src_addr);
}
const struct sockaddr_in& destination_of(const InfoPtr& info) {
  return *static_cast<const struct sockaddr_in*>(info->dest_addr);
}

TEST(InfoTest, offers_one_info_without_hints) {
  InfoPtr info;
  ASSERT_EQ(ask(nullptr, &info, nullptr, nullptr, 0), 0);
  EXPECT_EQ(info->ep_attr->type, FI_EP_RDM);
  EXPECT_EQ(info->fabric_attr->prov_name, nullptr);
  EXPECT_NE(info->fabric_attr->name, nullptr);
  EXPECT_NE(info->domain_attr->name, nullptr);
  EXPECT_NE(info->src_addr, nullptr);
  EXPECT_EQ(info->dest_addr, nullptr);
  EXPECT_EQ(info->mode, 0u);
  EXPECT_EQ(info->domain_attr->mr_mode, 0);
  EXPECT_EQ(info->fabric_attr->api_version, kVersion);
}

TEST(InfoTest, echoes_the_api_version) {
  struct fi_info* found = nullptr;
  ASSERT_EQ(provider().getinfo(FI_VERSION(1, 5), kLoopback, nullptr, FI_SOURCE, nullptr, &found),
            0);
  const InfoPtr info(found);
  EXPECT_EQ(info->fabric_attr->api_version, FI_VERSION(1, 5));
}

TEST(InfoTest, source_is_bound_to_node_and_service) {
  InfoPtr info;
  ASSERT_EQ(ask(nullptr, &info, kLoopback, "9228"), 0);
  ASSERT_EQ(info->addr_format, FI_SOCKADDR_IN);
  EXPECT_EQ(source_of(info).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  EXPECT_EQ(ntohs(source_of(info).sin_port), 9228);
}

TEST(InfoTest, destination_is_node_and_service) {
  InfoPtr info;
  ASSERT_EQ(ask(nullptr, &info, kLoopback, "9228", 0), 0);
  ASSERT_NE(info->dest_addr, nullptr);
  ASSERT_NE(info->src_addr, nullptr);
  EXPECT_EQ(ntohs(destination_of(info).sin_port), 9228);
  EXPECT_EQ(source_of(info).sin_port, 0);
}

TEST(InfoTest, source_of_the_hints_stands) {
  InfoPtr hints, info;
  ASSERT_EQ(ask(nullptr, &hints, kLoopback, "9229"), 0);
  ASSERT_EQ(ask(hints.get(), &info, nullptr, nullptr, 0), 0);
  EXPECT_EQ(ntohs(source_of(info).sin_port), 9229);
}

TEST(InfoTest, unresolvable_node_is_no_data) {
  EXPECT_EQ(ask(nullptr, nullptr, "g00n13s", nullptr, 0), -FI_ENODATA);
}

TEST(InfoTest, grants_capabilities_as_hinted) {
  InfoPtr hints = make_hints(), info;
  hints->caps = FI_TAGGED;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  EXPECT_EQ(info->caps, FI_TAGGED | FI_SEND | FI_RECV | FI_MULTI_RECV | FI_SOURCE | FI_LOCAL_COMM |
                            FI_REMOTE_COMM);
  EXPECT_EQ(info->tx_attr->caps, FI_TAGGED | FI_SEND);
  EXPECT_EQ(info->rx_attr->caps, FI_TAGGED | FI_RECV | FI_MULTI_RECV | FI_SOURCE);
}

TEST(InfoTest, grants_some_only_where_asked) {
  struct Where {
    std::uint64_t cap;
    bool sends, receives, domain;
  };
  for (const auto& [cap, sends, receives, domain] :
       {Where{FI_DIRECTED_RECV, false, true, false}, Where{FI_SHARED_AV, false, false, true},
        Where{FI_RMA_EVENT, false, true, false}, Where{FI_TRIGGER, true, true, false},
        Where{FI_FENCE, true, false, false}}) {
    SCOPED_TRACE(fi_tostr(&cap, FI_TYPE_CAPS));
    InfoPtr hints = make_hints(), info;
    hints->caps = FI_MSG | cap;
    ASSERT_EQ(ask(hints.get(), &info), 0);
    EXPECT_TRUE(info->caps & cap);
    EXPECT_EQ((info->tx_attr->caps & cap) != 0, sends);
    EXPECT_EQ((info->rx_attr->caps & cap) != 0, receives);
    EXPECT_EQ((info->domain_attr->caps & cap) != 0, domain);
    hints->caps = FI_MSG;
    ASSERT_EQ(ask(hints.get(), &info), 0);
    EXPECT_FALSE((info->caps | info->tx_attr->caps | info->rx_attr->caps) & cap);
  }
}

TEST(InfoTest, grants_one_direction_alone) {
  InfoPtr hints = make_hints(), info;
  hints->caps = FI_MSG | FI_SEND;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  EXPECT_FALSE(info->caps & (FI_RECV | FI_SOURCE | FI_MULTI_RECV));
  EXPECT_EQ(info->rx_attr->caps, FI_MSG);
}

TEST(InfoTest, refuses_capabilities_that_are_not_there) {
  // FI_VARIABLE_MSG, which newer headers have as nothing, and the bit for FI_EXACT_DIRECTED_RECV.
  constexpr auto kVariableMessages = 1ULL << 48;
  for (const std::uint64_t cap : {FI_MULTICAST, FI_NAMED_RX_CTX, FI_HMEM, FI_COLLECTIVE,
                                  kVariableMessages, FI_PEER, FI_SOURCE_ERR}) {
    InfoPtr hints = make_hints();
    hints->caps = FI_MSG | cap;
    EXPECT_EQ(ask(hints.get()), -FI_ENODATA) << fi_tostr(&cap, FI_TYPE_CAPS);
  }
}

TEST(InfoTest, refuses_other_endpoint_types) {
  // FI_EP_SOCK_STREAM and FI_EP_SOCK_DGRAM, which newer headers lack.
  for (const int type : {4, 5}) {
    InfoPtr hints = make_hints();
    hints->ep_attr->type = static_cast<enum fi_ep_type>(type);
    EXPECT_EQ(ask(hints.get()), -FI_ENODATA);
  }
}

TEST(InfoTest, offers_connections_to_who_asks) {
  InfoPtr hints = make_hints();
  hints->ep_attr->type = FI_EP_MSG;
  InfoPtr info;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  EXPECT_EQ(info->ep_attr->type, FI_EP_MSG);
  EXPECT_EQ(info->caps & (FI_SOURCE | FI_DIRECTED_RECV), 0u) << "there is one source";
  EXPECT_NE(info->caps & FI_MULTI_RECV, 0u);
  EXPECT_EQ(info->rx_attr->caps & FI_SOURCE, 0u);
  for (const std::uint64_t cap : {FI_SOURCE, FI_DIRECTED_RECV}) {
    hints->caps = FI_MSG | cap;
    EXPECT_EQ(ask(hints.get()), -FI_ENODATA);
  }
}

TEST(InfoTest, refuses_who_looks_for_a_provider_to_build_on) {
  EXPECT_EQ(ask(nullptr, nullptr, kLoopback, nullptr, 1ull << 59), -FI_ENODATA);
}

TEST(InfoTest, datagrams_are_offered_to_who_asks) {
  InfoPtr hints = make_hints(), info;
  hints->ep_attr->type = FI_EP_DGRAM;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  EXPECT_EQ(info->ep_attr->type, FI_EP_DGRAM);
  hints->ep_attr->type = FI_EP_UNSPEC;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  EXPECT_EQ(info->ep_attr->type, FI_EP_RDM);
}

TEST(InfoTest, contexts_may_be_shared) {
  InfoPtr hints = make_hints(), info;
  hints->ep_attr->tx_ctx_cnt = FI_SHARED_CONTEXT;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  EXPECT_EQ(info->ep_attr->tx_ctx_cnt, FI_SHARED_CONTEXT);
  EXPECT_GE(info->domain_attr->max_ep_stx_ctx, 1u);
  EXPECT_EQ(info->ep_attr->rx_ctx_cnt, 1u);
  EXPECT_GE(info->domain_attr->max_ep_srx_ctx, 1u);
  hints->ep_attr->rx_ctx_cnt = FI_SHARED_CONTEXT;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  EXPECT_EQ(info->ep_attr->rx_ctx_cnt, FI_SHARED_CONTEXT);
}

TEST(InfoTest, a_prefix_is_granted_and_takes_no_room) {
  InfoPtr hints = make_hints(), info;
  hints->mode = FI_MSG_PREFIX | FI_CONTEXT;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  EXPECT_EQ(info->mode, FI_MSG_PREFIX);
  EXPECT_EQ(info->tx_attr->mode, FI_MSG_PREFIX);
  EXPECT_EQ(info->rx_attr->mode, FI_MSG_PREFIX);
  EXPECT_EQ(info->ep_attr->msg_prefix_size, 0u);
}

TEST(InfoTest, asks_no_mode_of_whatever_is_offered) {
  for (const std::uint64_t mode : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    InfoPtr hints = make_hints(), info;
    hints->mode = mode;
    hints->domain_attr->mode = mode;
    hints->domain_attr->mr_mode = static_cast<int>(mode);
    ASSERT_EQ(ask(hints.get(), &info), 0);
    EXPECT_EQ(info->mode, mode & FI_MSG_PREFIX);
    EXPECT_EQ(info->domain_attr->mode, 0u);
    EXPECT_EQ(info->domain_attr->mr_mode, 0);
  }
}

TEST(InfoTest, takes_the_old_names_of_modes) {
  for (const int mode : {1 << 0, 1 << 1}) {  // FI_MR_BASIC, FI_MR_SCALABLE
    InfoPtr hints = make_hints(), info;
    hints->domain_attr->mr_mode = mode;
    ASSERT_EQ(ask(hints.get(), &info), 0);
    EXPECT_EQ(info->domain_attr->mr_mode, mode);
  }
}

// Before libfabric 1.5 there were these two, and whoever left it open was told which.
TEST(InfoTest, tells_old_applications_which_of_the_old_names_it_is) {
  const auto mode_for = [](std::uint32_t version, int asked, bool hinted) {
    const InfoPtr hints = make_hints();
    hints->domain_attr->mr_mode = asked;
    struct fi_info* found = nullptr;
    EXPECT_EQ(provider().getinfo(version, kLoopback, nullptr, FI_SOURCE,
                                 hinted ? hints.get() : nullptr, &found),
              0);
    return InfoPtr(found)->domain_attr->mr_mode;
  };
  constexpr int kUnspecified = 0, kBasic = 1 << 0, kScalable = 1 << 1;
  EXPECT_EQ(mode_for(FI_VERSION(1, 4), kUnspecified, true), kScalable);
  EXPECT_EQ(mode_for(FI_VERSION(1, 4), kUnspecified, false), kScalable);
  EXPECT_EQ(mode_for(FI_VERSION(1, 4), kBasic, true), kBasic);
  EXPECT_EQ(mode_for(FI_VERSION(1, 4), kScalable, true), kScalable);
  EXPECT_EQ(mode_for(FI_VERSION(1, 5), kUnspecified, true), 0);
}

TEST(InfoTest, remote_memory_without_a_direction_means_all) {
  InfoPtr hints = make_hints(), info;
  hints->caps = FI_RMA;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  const std::uint64_t all = FI_READ | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE;
  EXPECT_EQ(info->caps & (all | FI_RMA | FI_MSG), all | FI_RMA);
  EXPECT_EQ(info->tx_attr->caps, FI_RMA | FI_READ | FI_WRITE);
  hints->caps = FI_RMA | FI_REMOTE_READ;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  EXPECT_EQ(info->caps & (all | FI_RMA), FI_RMA | FI_REMOTE_READ);
}

TEST(InfoTest, progress_is_manual_or_not_as_asked) {
  InfoPtr hints = make_hints(), info;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  EXPECT_EQ(info->domain_attr->data_progress, FI_PROGRESS_MANUAL);
  EXPECT_EQ(info->domain_attr->control_progress, FI_PROGRESS_MANUAL);
  for (const auto control : {FI_PROGRESS_MANUAL, FI_PROGRESS_AUTO})
    for (const auto data : {FI_PROGRESS_MANUAL, FI_PROGRESS_AUTO}) {
      hints->domain_attr->control_progress = control;
      hints->domain_attr->data_progress = data;
      ASSERT_EQ(ask(hints.get(), &info), 0);
      EXPECT_EQ(info->domain_attr->control_progress, control);
      EXPECT_EQ(info->domain_attr->data_progress, data);
    }
}

// FI_PROGRESS_CONTROL_UNIFIED of libfabric 2.x, where both are one attribute: the application
// promises more than xs needs.
TEST(InfoTest, control_of_progress_may_be_unified) {
  constexpr auto kControlUnified = static_cast<enum fi_progress>(3);
  InfoPtr hints = make_hints(), info;
  hints->domain_attr->control_progress = hints->domain_attr->data_progress = kControlUnified;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  EXPECT_EQ(info->domain_attr->control_progress, kControlUnified);
  EXPECT_EQ(info->domain_attr->data_progress, kControlUnified);
}

TEST(InfoTest, echoes_threading_address_vector_and_sizes) {
  InfoPtr hints = make_hints(), info;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->domain_attr->av_type = FI_AV_TABLE;
  hints->tx_attr->op_flags = FI_DELIVERY_COMPLETE;
  hints->rx_attr->op_flags = FI_MULTI_RECV;
  hints->tx_attr->size = 17;
  hints->tx_attr->inject_size = 64;
  hints->rx_attr->iov_limit = 2;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  EXPECT_EQ(info->domain_attr->threading, FI_THREAD_DOMAIN);
  EXPECT_EQ(info->domain_attr->av_type, FI_AV_TABLE);
  EXPECT_EQ(info->tx_attr->op_flags, FI_DELIVERY_COMPLETE);
  EXPECT_EQ(info->rx_attr->op_flags, FI_MULTI_RECV);
  EXPECT_EQ(info->tx_attr->size, 17u);
  EXPECT_EQ(info->tx_attr->inject_size, 64u);
  EXPECT_EQ(info->rx_attr->iov_limit, 2u);
}

TEST(InfoTest, address_vector_type_stays_open) {
  InfoPtr info;
  ASSERT_EQ(ask(make_hints().get(), &info), 0);
  EXPECT_EQ(info->domain_attr->av_type, FI_AV_UNSPEC);
}

TEST(InfoTest, refuses_other_names) {
  InfoPtr hints = make_hints(), info;
  ASSERT_EQ(ask(hints.get(), &info), 0);
  hints->domain_attr->name = strdup(info->domain_attr->name);
  hints->fabric_attr->name = strdup(info->fabric_attr->name);
  EXPECT_EQ(ask(hints.get()), 0);
  std::free(std::exchange(hints->domain_attr->name, strdup("invalid_domain")));
  EXPECT_EQ(ask(hints.get()), -FI_ENODATA);
  std::free(std::exchange(hints->domain_attr->name, nullptr));
  std::free(std::exchange(hints->fabric_attr->name, strdup("invalid_fabric")));
  EXPECT_EQ(ask(hints.get()), -FI_ENODATA);
}

// One attribute beyond what is announced: the info as it was announced is granted, one more isn't.
class BeyondTest : public testing::Test {
 protected:
  template <class Change>
  void expect_refused(Change change) {
    InfoPtr hints;
    ASSERT_EQ(ask(make_hints().get(), &hints), 0);
    ASSERT_EQ(ask(hints.get()), 0);
    change(*hints);
    EXPECT_EQ(ask(hints.get()), -FI_ENODATA);
  }
};

TEST_F(BeyondTest, transmit) {
  expect_refused([](auto& i) { ++i.tx_attr->inject_size; });
  expect_refused([](auto& i) { ++i.tx_attr->size; });
  expect_refused([](auto& i) { ++i.tx_attr->iov_limit; });
  expect_refused([](auto& i) { ++i.tx_attr->rma_iov_limit; });
  expect_refused([](auto& i) { i.tx_attr->caps |= FI_RECV; });
  expect_refused([](auto& i) { i.tx_attr->op_flags |= FI_COMMIT_COMPLETE; });
  expect_refused([](auto& i) { i.tx_attr->msg_order |= FI_ORDER_WAR; });
  expect_refused([](auto& i) { i.tx_attr->msg_order |= FI_ORDER_SAR; });
  expect_refused([](auto& i) { i.tx_attr->msg_order |= FI_ORDER_RMA_WAR; });
  expect_refused([](auto& i) { i.tx_attr->comp_order |= FI_ORDER_SAS; });
}

// Without remote memory there is nothing to order.
TEST(InfoTest, order_of_remote_data_matters_to_its_users) {
  const InfoPtr hints = make_hints();
  hints->ep_attr->max_order_war_size = 8;
  hints->caps = FI_MSG;
  EXPECT_EQ(ask(hints.get()), 0);
  hints->caps = FI_MSG | FI_ATOMIC;
  EXPECT_EQ(ask(hints.get()), -FI_ENODATA);
}

TEST_F(BeyondTest, receive) {
  expect_refused([](auto& i) { ++i.rx_attr->size; });
  expect_refused([](auto& i) { ++i.rx_attr->iov_limit; });
  expect_refused([](auto& i) { ++i.rx_attr->total_buffered_recv; });
  expect_refused([](auto& i) { i.rx_attr->caps |= FI_SEND; });
  expect_refused([](auto& i) { i.rx_attr->op_flags |= FI_INJECT; });
  expect_refused([](auto& i) { i.rx_attr->msg_order |= FI_ORDER_WAR; });
  expect_refused([](auto& i) { i.rx_attr->comp_order |= FI_ORDER_SAS; });
}

TEST_F(BeyondTest, endpoint) {
  expect_refused([](auto& i) { ++i.ep_attr->max_msg_size; });
  expect_refused([](auto& i) { ++i.ep_attr->max_order_war_size; });
  expect_refused([](auto& i) { ++i.ep_attr->protocol; });
  expect_refused([](auto& i) { ++i.ep_attr->protocol_version; });
  expect_refused([](auto& i) { ++i.ep_attr->tx_ctx_cnt; });
  expect_refused([](auto& i) { i.ep_attr->rx_ctx_cnt = 2; });
  expect_refused([](auto& i) {
    i.ep_attr->auth_key_size = 1;
    i.ep_attr->auth_key = static_cast<std::uint8_t*>(std::calloc(1, 1));
  });
}

TEST_F(BeyondTest, domain) {
  expect_refused([](auto& i) { ++i.domain_attr->cq_data_size; });
  expect_refused([](auto& i) { ++i.domain_attr->mr_iov_limit; });
  expect_refused([](auto& i) { ++i.domain_attr->cntr_cnt; });
  expect_refused([](auto& i) { ++i.domain_attr->cq_cnt; });
  expect_refused([](auto& i) { ++i.domain_attr->max_ep_stx_ctx; });
  expect_refused([](auto& i) { i.domain_attr->caps |= FI_COLLECTIVE; });
}

// One past the last that any libfabric has; a C program may have written anything there.
template <class E>
void set(E& to, std::uint32_t number) {
  std::memcpy(&to, &number, sizeof to);
}

TEST_F(BeyondTest, enumerators_of_a_domain) {
  constexpr std::uint32_t kNoThreading = 6, kNoProgress = 4, kNoVector = 3, kNoManagement = 3;
  for (const std::uint32_t more : {0, 70}) {
    expect_refused([&](auto& i) { set(i.domain_attr->threading, kNoThreading + more); });
    expect_refused([&](auto& i) { set(i.domain_attr->control_progress, kNoProgress + more); });
    expect_refused([&](auto& i) { set(i.domain_attr->data_progress, kNoProgress + more); });
    expect_refused([&](auto& i) { set(i.domain_attr->av_type, kNoVector + more); });
    expect_refused([&](auto& i) { set(i.domain_attr->resource_mgmt, kNoManagement + more); });
  }
}

TEST_F(BeyondTest, addresses) {
  expect_refused([](auto& i) { i.addr_format = FI_ADDR_STR; });
  expect_refused([](auto& i) { i.src_addrlen = 3; });
  expect_refused([](auto& i) { static_cast<struct sockaddr*>(i.src_addr)->sa_family = AF_UNIX; });
}

}  // namespace
}  // namespace xs::abi::test
