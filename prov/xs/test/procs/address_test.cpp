// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Addresses where no peer is, or one that can't be ours.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <rdma/fi_errno.h>
#include <sys/socket.h>

#include <thread>

#include "procs/failure.hpp"
#include "procs/procs.hpp"

namespace xs::test {

namespace {

constexpr std::uint64_t kTag = 4;

class Address : public Procs {
 protected:
  Process& sender(const std::function<void(Worker&, Node&, fi_addr_t)>& body,
                  const Environment& environment = {}) {
    const auto part = [this, body](Worker& me) {
      Node node(me, host(0).address());
      body(me, node, node.insert(host(1).address()));
    };
    return start("sender", host(0), part, environment);
  }
};

void expect_end(Node& node, const Transfer& transfer, int error, milliseconds within) {
  node.until([&] { return transfer.done; }, "the error of a send", within);
  if (transfer.error != error)
    throw Failure(std::string("a send ended with ") + fi_strerror(transfer.error));
}

TEST_F(Address, NobodyListens) {
  expect_log("10.83.0.2:7800 is dead: its port refuses connections");
  Process& alone = sender([](Worker&, Node& node, fi_addr_t peer) {
    Transfer eager{.bytes = Bytes(100)}, large{.bytes = Bytes(1 << 20)};
    node.send(eager, peer, kTag, FI_DELIVERY_COMPLETE);
    node.send(large, peer, kTag);
    // Jobs start in any order, so a refusal is believed after some seconds only.
    expect_end(node, eager, FI_ECONNREFUSED, seconds(15) * kPatience);
    expect_end(node, large, FI_ECONNREFUSED, kSoon);
  });
  alone.expect_end(seconds(20) * kPatience);
}

// The processes of a job start in any order.
TEST_F(Address, PeerComesLate) {
  Process& early = sender([](Worker& me, Node& node, fi_addr_t peer) {
    Transfer out{.bytes = Bytes(100)};
    node.send(out, peer, kTag, FI_DELIVERY_COMPLETE);
    me.say("sent");
    node.finish(out, "the end of an early send");
  });
  early.expect("sent");
  std::this_thread::sleep_for(seconds(2));
  Process& late = start("late", host(1), [this](Worker& me) {
    Node node(me, host(1).address());
    Transfer in{.bytes = Bytes(100)};
    node.receive(in, kTag);
    node.finish(in, "the early message");
  });
  early.expect_end();
  late.expect_end();
}

// It accepts connections, so it may be a busy peer: no error, but a word to the user.
TEST_F(Address, ListenerIsNoEndpoint) {
  expect_log("10.83.0.2:7800 accepts connections but answers no greeting");
  Process& listener = start("listener", host(1), [this](Worker& me) {
    const UniqueFd socket(checked(::socket(AF_INET, SOCK_STREAM, 0), "socket"));
    struct sockaddr_in name {};
    name.sin_family = AF_INET;
    name.sin_port = htons(Node::kPort);
    inet_pton(AF_INET, host(1).address().c_str(), &name.sin_addr);
    checked(bind(socket.get(), reinterpret_cast<struct sockaddr*>(&name), sizeof name), "bind");
    checked(listen(socket.get(), 16), "listen");
    me.say("ready");
    me.hear();
  });
  listener.expect("ready");
  Process& caller = sender(
      [](Worker& me, Node& node, fi_addr_t peer) {
        Transfer out{.bytes = Bytes(100)};
        node.send(out, peer, kTag);
        node.pass(by_length(seconds(6), seconds(60)));
        if (out.done) throw Failure("a send to a listener that is no peer ended");
        node.cancel(out);
        expect_end(node, out, FI_ECANCELED, kSoon);
        me.say("cancelled");
      },
      {{"FI_XS_PEER_TIMEOUT", "1"}});
  caller.expect("cancelled", seconds(90));
  caller.expect_end();
  listener.tell("close");
  listener.expect_end();
}

TEST_F(Address, PeerHasAnotherInnerProvider) {
  expect_log("(answers no greeting.*FI_XS_FALLBACK|another inner provider)");
  const auto listen = [this](Worker& me) {
    Node node(me, host(1).address());
    me.say("ready");
    node.hear();
  };
  Process& other = start("other", host(1), listen,
                         {{"FI_XS_FALLBACK", "tcp;ofi_rxm"}, {"FI_PROVIDER", "xs,tcp"}});
  other.expect("ready");
  Process& caller = sender(
      [](Worker& me, Node& node, fi_addr_t peer) {
        Transfer out{.bytes = Bytes(100)};
        node.send(out, peer, kTag);
        node.pass(seconds(6));
        if (out.good()) throw Failure("a success that can't be");
        me.say(out.done ? std::string("error ") + fi_strerror(out.error) : "no error");
        if (!out.done) node.cancel(out);
        node.until([&] { return out.done; }, "the end of the send");
      },
      {{"FI_XS_FALLBACK", "net"}});
  caller.expect("", seconds(20));
  caller.expect_end();
  other.tell("close");
  other.expect_end();
}

TEST_F(Address, OfAnotherFamilyIsRefused) {
  Process& alone = sender([](Worker&, Node& node, fi_addr_t) {
    struct sockaddr_in6 six {};
    six.sin6_family = AF_INET6;
    six.sin6_addr = in6addr_loopback;
    six.sin6_port = htons(Node::kPort);
    struct sockaddr_in nonsense {};
    for (const void* address : {static_cast<void*>(&six), static_cast<void*>(&nonsense)}) {
      fi_addr_t number = 0;
      if (node.insert(static_cast<const struct sockaddr*>(address), &number) != 0)
        throw Failure("an address that can't be a peer's was inserted");
      if (number != FI_ADDR_NOTAVAIL) throw Failure("a number for no address");
    }
  });
  alone.expect_end();
}

}  // namespace

}  // namespace xs::test
