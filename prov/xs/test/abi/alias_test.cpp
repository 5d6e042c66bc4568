// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An endpoint by another name.
#include <array>

#include "face/face.hpp"

namespace xs::abi::test {
namespace {

FidPtr<struct fid_ep> open_alias(const Loop& loop, std::uint64_t flags) {
  struct fid_ep* alias = nullptr;
  EXPECT_EQ(fi_ep_alias(loop.ep.get(), &alias, flags), 0);
  return FidPtr<struct fid_ep>(alias);
}

TEST(AliasTest, has_flags_of_its_own) {
  Loop loop(nullptr, FI_SELECTIVE_COMPLETION);
  const auto alias = open_alias(loop, FI_TRANSMIT | FI_COMPLETION);
  int context;
  ASSERT_EQ(fi_send(loop.ep.get(), nullptr, 0, nullptr, loop.self, &loop), 0);
  ASSERT_EQ(fi_send(alias.get(), nullptr, 0, nullptr, loop.self, &context), 0);
  EXPECT_EQ(loop.next().op_context, &context) << "the first was silent";
  std::uint64_t flags = FI_TRANSMIT;
  EXPECT_EQ(fi_control(&alias->fid, FI_GETOPSFLAG, &flags), 0);
  EXPECT_EQ(flags, FI_COMPLETION);
  flags = FI_TRANSMIT;
  EXPECT_EQ(fi_control(&alias->fid, FI_SETOPSFLAG, &flags), 0);
  ASSERT_EQ(fi_send(alias.get(), nullptr, 0, nullptr, loop.self, &context), 0);
  struct fi_cq_tagged_entry entry {};
  EXPECT_EQ(loop.try_next(entry), 0);
}

// Every call, by the alias alone.
TEST(AliasTest, messages_go_and_come_through_it) {
  Loop loop;
  const auto alias = open_alias(loop, FI_RECV | FI_COMPLETION);
  std::array<char, 2> in{}, out{'o', 'k'};
  const struct iovec to { in.data(), in.size() }, from{out.data(), out.size()};
  const auto exchanged = [&](auto send, bool told) {
    in = {};
    EXPECT_EQ(send(), 0);
    for (int i = 0; i < (told ? 2 : 1); ++i) EXPECT_EQ(loop.next().len, i == 0 && told ? 0u : 2u);
    EXPECT_EQ(in, out);
  };
  struct fid_ep* ep = alias.get();
  const fi_addr_t any = FI_ADDR_UNSPEC;
  const auto recv = [&] { return fi_recv(ep, in.data(), 2, nullptr, any, nullptr); };
  const auto trecv = [&] { return fi_trecv(ep, in.data(), 2, nullptr, any, 1, 0, nullptr); };
  const auto after = [](auto receive, auto send) {
    return [=] {
      EXPECT_EQ(receive(), 0);
      return send();
    };
  };
  // A message to oneself is received inside the call that sends it: its completion comes first.
  const auto both = [&](auto receive, auto send) {
    in = {};
    EXPECT_EQ(after(receive, send)(), 0);
    const std::array<std::size_t, 2> lengths{loop.next().len, loop.next().len};
    EXPECT_EQ(lengths[0] + lengths[1], 2u);
    EXPECT_EQ(in, out);
  };
  both(recv, [&] { return fi_send(ep, out.data(), 2, nullptr, loop.self, nullptr); });
  both([&] { return fi_recvv(ep, &to, nullptr, 1, any, nullptr); },
       [&] { return fi_sendv(ep, &from, nullptr, 1, loop.self, nullptr); });
  both(recv, [&] { return fi_senddata(ep, out.data(), 2, nullptr, 7, loop.self, nullptr); });
  both(trecv, [&] { return fi_tsend(ep, out.data(), 2, nullptr, loop.self, 1, nullptr); });
  both([&] { return fi_trecvv(ep, &to, nullptr, 1, any, 1, 0, nullptr); },
       [&] { return fi_tsendv(ep, &from, nullptr, 1, loop.self, 1, nullptr); });
  both(trecv, [&] { return fi_tsenddata(ep, out.data(), 2, nullptr, 7, loop.self, 1, nullptr); });
  exchanged(after(recv, [&] { return fi_inject(ep, out.data(), 2, loop.self); }), false);
  exchanged(after(recv, [&] { return fi_injectdata(ep, out.data(), 2, 7, loop.self); }), false);
  exchanged(after(trecv, [&] { return fi_tinject(ep, out.data(), 2, loop.self, 1); }), false);
  exchanged(after(trecv, [&] { return fi_tinjectdata(ep, out.data(), 2, 7, loop.self, 1); }),
            false);
}

TEST(AliasTest, is_the_endpoint_by_another_name) {
  Loop loop;
  auto alias = open_alias(loop, FI_TRANSMIT);
  EXPECT_EQ(number_of(*alias, *loop.av), loop.self);
  int context;
  ASSERT_EQ(fi_recv(loop.ep.get(), nullptr, 0, nullptr, FI_ADDR_UNSPEC, &context), 0);
  EXPECT_EQ(fi_cancel(&alias->fid, &context), 0);
  EXPECT_EQ(loop.next_error().err, FI_ECANCELED);
  std::size_t value = 0, size = sizeof value;
  EXPECT_EQ(fi_getopt(&alias->fid, FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &value, &size), 0);
  EXPECT_EQ(fi_close(&loop.ep->fid), -FI_EBUSY);
  alias.reset();
}

TEST(AliasTest, what_is_refused) {
  Loop loop;
  struct fid_ep* none = nullptr;
  EXPECT_EQ(fi_control(&loop.ep->fid, FI_ALIAS, nullptr), -FI_EINVAL);
  EXPECT_EQ(fi_ep_alias(loop.ep.get(), &none, FI_COMPLETION), -FI_EINVAL);
  EXPECT_EQ(fi_ep_alias(loop.ep.get(), &none, FI_TRANSMIT | FI_RECV), -FI_EINVAL);
  EXPECT_EQ(fi_ep_alias(loop.ep.get(), &none, FI_TRANSMIT | FI_MULTI_RECV), -FI_EBADFLAGS);
  if (!(loop.info->caps & FI_TRIGGER)) {
    EXPECT_EQ(fi_ep_alias(loop.ep.get(), &none, FI_TRANSMIT | FI_TRIGGER), -FI_EBADFLAGS);
  }
  const auto alias = open_alias(loop, FI_TRANSMIT);
  EXPECT_EQ(fi_ep_bind(alias.get(), &loop.cq->fid, FI_RECV), -FI_ENOSYS);
  EXPECT_EQ(fi_enable(alias.get()), -FI_EOPBADSTATE);
  EXPECT_EQ(fi_ep_alias(alias.get(), &none, FI_TRANSMIT), -FI_ENOSYS);
  EXPECT_EQ(fi_control(&alias->fid, FI_GETOPSFLAG, nullptr), -FI_EINVAL);
}

}  // namespace
}  // namespace xs::abi::test
