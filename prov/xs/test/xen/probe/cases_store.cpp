// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Who may read and watch what, and how much of it there is.
#include <unistd.h>

#include "xen/probe/cases.hpp"

namespace xs::probe {

namespace {

using std::chrono::milliseconds;

// A node that isn't there and one that may not be read look alike, whichever xenstored runs.
bool is_absent(int error) { return error == EACCES || error == ENOENT; }

int error_of_reading(Store& store, const std::string& path) {
  int error = 0;
  store.read(path, &error);
  return error;
}

// Events for a path below this one, until there is none for a while.
unsigned events_below(Store& store, const std::string& path) {
  unsigned count = 0;
  while (const auto event = store.next_event(milliseconds(500))) count += event->starts_with(path);
  return count;
}

void drain(Store& store) {
  while (store.next_event(milliseconds(100))) {
  }
}

}  // namespace

void probe_store(Probe p) {
  Store& store = p.store;
  const unsigned peer = p.partner.domain();
  p.report.expect(store.own_domain() > 0, "own domain id " + std::to_string(store.own_domain()));
  store.write(Partner::own("one"), "1");
  p.report.expect_error(store.permit_one(Partner::own("one"), peer), 0, "a node for one reader");
  store.write(Partner::own("all"), "2");
  p.report.expect_error(store.permit_all(Partner::own("all")), 0, "a node for all");
  store.write(Partner::own("none"), "3");
  store.permit(Partner::own("none"), {{.id = store.own_domain(), .perms = XS_PERM_NONE}});
  store.write(Partner::own("other"), "4");
  store.permit_one(Partner::own("other"), kNobody);
  p.partner.meet();
  const auto foreign = [&](const char* node) { return p.partner.path_of(node); };
  p.report.expect(store.read(foreign("one")) == "1", "the one reader reads");
  p.report.expect(store.read(foreign("all")) == "2", "all read");
  const auto absent = [&](const std::string& path, const std::string& what) {
    const int error = error_of_reading(store, path);
    p.report.expect(is_absent(error), what + ": " + error_name(error));
  };
  absent(foreign("none"), "a node for nobody");
  absent(foreign("other"), "a node for another domain");
  absent(foreign("nothing"), "a foreign node that isn't there");
  absent("/local/domain/30000/data/xs", "a node of a domain that isn't there");
  absent(Partner::own("nothing"), "an own node that isn't there");
  p.report.note("listing /local/domain: " + error_name(store.list("/local/domain")));
  p.report.note("listing the peer's directory: " +
                error_name(store.list("/local/domain/" + std::to_string(peer) + "/data")));
  p.report.note("writing a foreign node: " + error_name(store.write(foreign("one"), "5")));
  p.report.note("writing below control: " + error_name(store.write("control/xs", "5")));
  p.report.note("removing a foreign node: " + error_name(store.remove(foreign("one"))));
  const Stopwatch watch;
  for (int i = 0; i < 50; ++i) store.read(foreign("one"));
  p.report.note("a read takes " + std::to_string(watch.microseconds() / 50) + " us");
  p.partner.meet();
}

// Watches by the other side on a leaf, on a directory, and on what isn't there yet.
void probe_watches(Probe p) {
  Store& store = p.store;
  const unsigned peer = p.partner.domain();
  const std::string directory = p.partner.path_of("home");
  const std::string leaf = p.partner.path_of("later");
  store.write(Partner::own("home"), "");
  store.permit_all(Partner::own("home"));
  p.partner.meet();
  p.report.expect_error(store.watch(directory, "d"), 0, "a watch on a foreign directory");
  p.report.expect_error(store.watch(leaf, "l"), 0, "a watch on a foreign leaf that isn't there");
  const auto fired = [&] { return events_below(store, directory); };
  p.report.expect(fired() > 0, "a watch fires when it is set");
  drain(store);

  p.partner.meet();
  store.write(Partner::own("home/child"), "1");
  store.permit_all(Partner::own("home/child"));
  p.partner.meet();
  p.report.expect(fired() > 0, "it fires for a new readable child");
  p.partner.meet();
  store.write(Partner::own("home/child"), "2");
  p.partner.meet();
  p.report.expect(fired() > 0, "... for a changed one");
  p.partner.meet();
  store.remove(Partner::own("home/child"));
  p.partner.meet();
  p.report.note("events for a removed child, watched by its directory: " + std::to_string(fired()));
  // What may be read is asked of a node or its parent.
  p.partner.meet();
  for (const char* node : {"home/secret", "secret"}) {
    store.write(Partner::own(node), "1");
    store.permit(Partner::own(node), {{.id = store.own_domain(), .perms = XS_PERM_NONE}});
  }
  p.partner.meet();
  store.watch(p.partner.path_of("secret"), "s");
  drain(store);
  p.partner.meet();
  for (const char* node : {"home/secret", "secret"}) store.write(Partner::own(node), "2");
  p.partner.meet();
  unsigned within = 0, alone = 0;
  while (const auto event = store.next_event(milliseconds(500)))
    ++(event->starts_with(directory) ? within : alone);
  p.report.note("events for a child that may not be read, in a directory that may: " +
                std::to_string(within));
  p.report.expect(alone == 0, "none where neither may be read");

  p.partner.meet();
  store.write(Partner::own("later"), "1");
  store.permit_one(Partner::own("later"), peer);
  p.partner.meet();
  p.report.expect(events_below(store, leaf) > 0, "it fires for the leaf that came");
  p.partner.meet();
  store.remove(Partner::own("later"));
  p.partner.meet();
  p.report.expect(events_below(store, leaf) > 0, "... and that went");
  store.unwatch(directory, "d");
  store.unwatch(leaf, "l");
  p.partner.meet();
}

void probe_quotas(Probe p) {
  Store& store = p.store;
  int error = 0, count = 0;
  {
    Store greedy;  // a connection of its own: see below
    const auto token = [](int i) { return "q" + std::to_string(i); };
    while (count < 2000 && (error = greedy.watch("data", token(count))) == 0) ++count;
    p.report.expect(error != 0,
                    "no more than " + std::to_string(count) +
                        " watches, those of kernel and libraries aside: " + error_name(error));
    p.report.note("reading over the connection that asked for too many: " +
                  error_name(error_of_reading(greedy, "domid")));
  }
  p.report.expect_error(store.watch("data", "again"), 0, "watches go with their connection");
  store.unwatch("data", "again");
  drain(store);

  if (!p.partner.first()) p.partner.meet();  // one after the other
  const auto fill = [&](const char* what, auto&& name) {
    int made = 0;
    while (made < 3000 && (error = store.write(Partner::own("quota/" + name(made)), "1")) == 0)
      ++made;
    p.report.expect(error != 0,
                    "no more than " + std::to_string(made) + what + ": " + error_name(error));
    store.remove(Partner::own("quota"));
  };
  // A directory is an entry, too, and its children's names are part of it.
  fill(" children with names of 32 bytes",
       [](int i) { return std::string(28, 'x') + std::to_string(1000 + i); });
  fill(" nodes more, 100 in a directory",
       [](int i) { return std::to_string(i / 100) + '/' + std::to_string(i % 100); });
  p.report.expect_error(store.write(Partner::own("again"), "1"), 0, "removed nodes come back");
  if (p.partner.first()) p.partner.meet();
  p.report.note("a value of 1800 bytes: " +
                error_name(store.write(Partner::own("size"), std::string(1800, 'x'))));
  p.report.note("a value of 2048 bytes: " +
                error_name(store.write(Partner::own("size"), std::string(2048, 'x'))));
  std::vector<struct xs_permissions> many(1, {.id = store.own_domain(), .perms = XS_PERM_NONE});
  store.write(Partner::own("size"), "1");
  for (error = 0; error == 0 && many.size() < 100;) {
    many.push_back({.id = static_cast<unsigned>(many.size()), .perms = XS_PERM_READ});
    error = store.permit(Partner::own("size"), many);
  }
  p.report.note(std::to_string(many.size()) + " permissions: " + error_name(error));
  p.partner.meet();
}

}  // namespace xs::probe
