// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Connections whose ends are killed, and whose TCP is cut.
#include <rdma/fi_errno.h>

#include <thread>

#include "procs/end.hpp"
#include "procs/failure.hpp"
#include "procs/procs.hpp"

namespace xs::test {

namespace {

using Role = End::Role;

// Asked after ten quiet intervals of silence, then three refused probes.
constexpr auto kVerdict = kQuiet * 30 * kPatience;

// The end of a connection, once, and nothing after it.
void expect_end(End& end) {
  const auto came = end.event(kVerdict + kSoon);
  if (!came) throw Failure("no end of the connection");
  if (came->number != FI_SHUTDOWN) throw Failure("another event than its end");
  if (end.event(4 * kQuiet)) throw Failure("an event after the end");
  Transfer late{.bytes = Bytes(8)};
  if (end.try_send(late, 1) != -FI_ENOTCONN) throw Failure("a send after the end");
}

class Connected : public Procs, public testing::WithParamInterface<bool> {
 protected:
  // Whether both ends are on one host, so that they have rings.
  const Host& other() const { return host(GetParam() ? 0 : 1); }
  void expect_death() { expect_log("is dead: its port refuses connections", false); }

  Process& server(const std::function<void(Worker&, End&)>& body) {
    return start("server", host(0), [this, body](Worker& me) {
      End end(me, host(0).address(), Role::kServer);
      me.say("listens");
      end.accept();
      end.expect_connected();
      me.say("connected");
      body(me, end);
      me.say("done");
    });
  }
  Process& client(const std::function<void(Worker&, End&)>& body) {
    return start("client", other(), [this, body](Worker& me) {
      End end(me, host(0).address(), Role::kClient);
      end.call();
      end.expect_connected();
      me.say("connected");
      body(me, end);
      me.say("done");
    });
  }
};

TEST_P(Connected, ServerIsKilledWhileNothingIsUnderWay) {
  expect_death();
  Process& dies = server([](Worker&, End& end) { end.hear(); });
  dies.expect("listens");
  Process& survives = client([](Worker&, End& end) {
    Transfer posted{.bytes = Bytes(8)};
    end.post(posted, 1);
    expect_end(end);
    end.finish(posted, "a receive to be cancelled");
    if (posted.error != FI_ECANCELED) throw Failure("a receive that was not cancelled");
    end.close();
  });
  survives.expect("connected");
  dies.expect("connected");
  dies.kill();
  survives.expect("done", kVerdict + 2 * kSoon);
  survives.expect_end();
}

TEST_P(Connected, ClientIsKilledWithSendsUnderWay) {
  expect_death();
  Process& survives = server([](Worker& me, End& end) {
    Transfer large{.bytes = Bytes(16 << 20)};
    end.send(large, 5);  // nobody will receive it
    me.say("sent");
    end.finish(large, "a send to fail");
    if (large.error == 0) throw Failure("a success that can't be");
    expect_end(end);
    end.close();
  });
  survives.expect("listens");
  Process& dies = client([](Worker&, End& end) { end.hear(); });
  survives.expect("connected");
  survives.expect("sent");
  dies.expect("connected");
  dies.kill();
  survives.expect("done", kVerdict + 2 * kSoon);
  survives.expect_end();
}

TEST_P(Connected, ListenerIsKilledBeforeItAnswers) {
  expect_death();
  Process& dies = start("server", host(0), [this](Worker& me) {
    const End end(me, host(0).address(), Role::kServer);
    me.say("listens");
    me.hear();
  });
  dies.expect("listens");
  Process& survives = start("client", other(), [this](Worker& me) {
    End end(me, host(0).address(), Role::kClient);
    end.call();
    me.say("asked");
    const auto came = end.event(kVerdict + kSoon);
    if (!came || came->number != 0) throw Failure("no error");
    if (came->error != FI_ECONNREFUSED) throw Failure("error " + std::to_string(came->error));
    end.close();
  });
  survives.expect("asked");
  dies.kill();
  survives.expect_end(kVerdict + 2 * kSoon);
}

// Messages of every size, in order, and what was sent last before the connection is shut down.
TEST_P(Connected, CutsLoseNothing) {
  constexpr std::uint64_t kMessages = 3000;
  const auto size_of = [](std::uint64_t number) {
    return number % 50 == 0 ? std::size_t{300'000} : static_cast<std::size_t>(number % 700);
  };
  expect_log("accepts connections but answers no greeting", false);
  Process& hears = server([&](Worker&, End& end) {
    for (std::uint64_t i = 0; i < kMessages; ++i) {
      Transfer in{.bytes = Bytes(size_of(i))};
      end.post(in, 1);
      end.finish(in, "a message");
      if (in.error || in.bytes != pattern(size_of(i), i)) throw Failure("another message");
      if (i % 10 == 0) std::this_thread::sleep_for(milliseconds(1));
    }
    expect_end(end);
    end.close();
  });
  hears.expect("listens");
  Process& says = client([&](Worker&, End& end) {
    for (std::uint64_t i = 0; i < kMessages; ++i) {
      Transfer out{.bytes = pattern(size_of(i), i)};
      end.send(out, 1);
      end.finish(out, "a send");
      if (out.error) throw Failure("a send failed");
    }
    end.shut_down();
    const auto came = end.event(kSoon);
    if (!came || came->number != FI_SHUTDOWN) throw Failure("no end of the connection");
    end.close();
  });
  int cut = 0;
  for (int i = 0; i < 40; ++i) {
    cut += host(0).reset_connections();
    std::this_thread::sleep_for(milliseconds(25));
  }
  says.expect("connected");
  says.expect("done", 4 * kSoon);
  hears.expect("connected");
  hears.expect("done", 4 * kSoon);
  says.expect_end();
  hears.expect_end();
  if (!GetParam()) {
    EXPECT_GT(cut, 2);
  }
}

INSTANTIATE_TEST_SUITE_P(Hosts, Connected, testing::Bool(),
                         [](const auto& one) { return one.param ? "Neighbours" : "Apart"; });

}  // namespace

}  // namespace xs::test
