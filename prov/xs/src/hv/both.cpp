// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "hv/both.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <new>

namespace xs::hv {

using util::Error;
using util::Result;

// What the far backend tells. That it has moved, the near one has yet to learn, and tells it then
// for both.
class Both::Moves final : public Events {
 public:
  Moves(Both& both, Events& events) noexcept : both_(both), events_(events) {}
  void opened(Link& link) noexcept override { events_.opened(link); }
  void pages_came(Link& link) noexcept override { events_.pages_came(link); }
  void rung(Link& link) noexcept override { events_.rung(link); }
  void lost(Link& link, Loss why) noexcept override { events_.lost(link, why); }
  void budget_changed() noexcept override { events_.budget_changed(); }
  void moved() noexcept override { both_.near_->relocate(near_events_); }
  void pause_changed() noexcept override {
    both_.take_card();
    events_.pause_changed();
  }

 private:
  // The card is the new one before anybody is told.
  class Near final : public Events {
   public:
    explicit Near(Moves& moves) noexcept : moves_(moves) {}
    void opened(Link& link) noexcept override { moves_.opened(link); }
    void pages_came(Link& link) noexcept override { moves_.pages_came(link); }
    void rung(Link& link) noexcept override { moves_.rung(link); }
    void lost(Link& link, Loss why) noexcept override { moves_.lost(link, why); }
    void budget_changed() noexcept override { moves_.budget_changed(); }
    void moved() noexcept override {
      moves_.both_.take_card();
      moves_.events_.moved();
    }
    void pause_changed() noexcept override {}  // the far one's to tell

   private:
    Moves& moves_;
  };

  Both& both_;
  Events& events_;
  Near near_events_{*this};
};

Result<std::unique_ptr<Backend>> Both::make(std::unique_ptr<NearBackend> near,
                                            std::unique_ptr<Backend> far) noexcept {
  std::unique_ptr<Both> both(new (std::nothrow) Both(std::move(near), std::move(far)));
  if (!both) return Error{ENOMEM, "no memory for sharing"};
  both->epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  for (const int fd : {both->near_->descriptor(), both->far_->descriptor()}) {
    struct epoll_event event {};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(both->epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      return Error{errno, "no descriptor to wait on"};
  }
  both->take_card();
  return std::unique_ptr<Backend>(std::move(both));
}

void Both::take_card() noexcept {
  card_ = near_->card();
  card_.domid = far_->card().domid;
  card_.pauses = far_->card().pauses;
}

// Of one VM are those with the same host; of all others only pages tell where they live.
Result<std::unique_ptr<Link>> Both::meet(const Card& peer) noexcept {
  return peer.host == card_.host ? near_->meet(peer) : far_->meet(peer);
}

bool Both::progress(Events& events) noexcept {
  std::array<struct epoll_event, 2> ready;
  const int count = epoll_wait(epoll_.get(), ready.data(), ready.size(), 0);
  bool did = false;
  for (int i = 0; i < count; ++i) {
    if (ready[static_cast<std::size_t>(i)].data.fd == near_->descriptor()) {
      did |= near_->progress(events);
    } else {
      Moves moves(*this, events);
      did |= far_->progress(moves);
    }
  }
  return did;
}

const Counters& Both::counters() const noexcept {
  const Counters& near = near_->counters();
  const Counters& far = far_->counters();
  counters_ = {.opened = near.opened + far.opened,
               .gone = near.gone + far.gone,
               .elsewhere = near.elsewhere + far.elsewhere,
               .stale = near.stale + far.stale,
               .other_user = near.other_user + far.other_user,
               .evicted = near.evicted + far.evicted,
               .nonsense = near.nonsense + far.nonsense,
               .bad_pages = near.bad_pages + far.bad_pages,
               .exhausted = near.exhausted + far.exhausted,
               .moved = far.moved,
               .rung = near.rung + far.rung};
  return counters_;
}

}  // namespace xs::hv
