// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// In place of libxenstore: a store that is dom0's alone.
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>

#include "xsctl/libraries.hpp"

extern "C" {
#include <xenstore.h>
}

namespace xs::test {

namespace {

// What a transaction sees and changes.
struct Changes {
  std::map<std::string, std::string> nodes;
  std::map<std::string, std::uint32_t> owners;
  std::vector<std::string> changed;
};
std::map<xs_transaction_t, Changes> transactions;
std::set<std::string> watched;
int event = -1;

void ring() {
  const std::uint64_t one = 1;
  if (event >= 0) (void)!write(event, &one, sizeof one);
}

void fire(const std::string& path) {
  libraries.on_change(path);
  for (const std::string& each : watched)
    if (path == each || path.starts_with(each + '/')) libraries.events.push_back(path);
  ring();
}

std::map<std::string, std::string>& nodes_in(xs_transaction_t transaction) {
  return transaction == XBT_NULL ? libraries.nodes : transactions.at(transaction).nodes;
}
std::map<std::string, std::uint32_t>& owners_in(xs_transaction_t transaction) {
  return transaction == XBT_NULL ? libraries.owners : transactions.at(transaction).owners;
}

bool changed(xs_transaction_t transaction, const std::string& path) {
  if (transaction == XBT_NULL)
    fire(path);
  else
    transactions.at(transaction).changed.push_back(path);
  return true;
}

bool refuses() {
  errno = libraries.refusing;
  return libraries.refusing != 0;
}

void* copy(const std::string& value) {
  void* const bytes = std::malloc(value.size() + 1);
  std::memcpy(bytes, value.c_str(), value.size() + 1);
  return bytes;
}

// The texts behind the pointers to them, in one piece.
char** copy(const std::vector<std::string>& texts) {
  std::size_t size = 0;
  for (const std::string& each : texts) size += each.size() + 1;
  char** const all = static_cast<char**>(std::malloc(texts.size() * sizeof(char*) + size));
  char* next = reinterpret_cast<char*>(all + texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    all[i] = next;
    std::memcpy(next, texts[i].c_str(), texts[i].size() + 1);
    next += texts[i].size() + 1;
  }
  return all;
}

}  // namespace

void change_node(const std::string& path, const std::optional<std::string>& value) {
  if (value)
    libraries.nodes[path] = *value;
  else
    libraries.nodes.erase(path);
  fire(path);
}

}  // namespace xs::test

using namespace xs::test;

extern "C" {

struct xs_handle* xs_open(unsigned long) {
  errno = libraries.store;
  if (errno) return nullptr;
  ++libraries.open;
  return reinterpret_cast<struct xs_handle*>(&libraries);
}
void xs_close(struct xs_handle*) {
  --libraries.open;
  watched.clear();
  if (event >= 0) close(std::exchange(event, -1));
}

void* xs_read(struct xs_handle*, xs_transaction_t transaction, const char* path, unsigned* size) {
  const auto& nodes = nodes_in(transaction);
  const auto found = nodes.find(path);
  errno = ENOENT;
  if (found == nodes.end()) return nullptr;
  *size = static_cast<unsigned>(found->second.size());
  return copy(found->second);
}
char** xs_directory(struct xs_handle*, xs_transaction_t transaction, const char* path,
                    unsigned* count) {
  const std::string above = std::string(path) + '/';
  std::set<std::string> names;
  for (const auto& [name, value] : nodes_in(transaction))
    if (name.starts_with(above))
      names.insert(name.substr(above.size(), name.find('/', above.size()) - above.size()));
  errno = ENOENT;
  if (names.empty()) return nullptr;
  *count = static_cast<unsigned>(names.size());
  return copy(std::vector<std::string>(names.begin(), names.end()));
}

bool xs_write(struct xs_handle*, xs_transaction_t transaction, const char* path, const void* data,
              unsigned size) {
  if (refuses()) return false;
  nodes_in(transaction)[path] = std::string(static_cast<const char*>(data), size);
  return changed(transaction, path);
}
bool xs_rm(struct xs_handle*, xs_transaction_t transaction, const char* path) {
  if (refuses()) return false;
  errno = ENOENT;
  if (!nodes_in(transaction).erase(path)) return false;
  owners_in(transaction).erase(path);
  return changed(transaction, path);
}
bool xs_set_permissions(struct xs_handle*, xs_transaction_t transaction, const char* path,
                        struct xs_permissions* list, unsigned count) {
  if (refuses()) return false;
  errno = nodes_in(transaction).contains(path) ? EINVAL : ENOENT;
  if (errno == ENOENT || count != 1 || list[0].perms != XS_PERM_NONE) return false;
  owners_in(transaction)[path] = list[0].id;
  return changed(transaction, path);
}

xs_transaction_t xs_transaction_start(struct xs_handle*) {
  static xs_transaction_t last = XBT_NULL;
  if (refuses()) return XBT_NULL;
  transactions[++last] = {libraries.nodes, libraries.owners, {}};
  ++libraries.transactions;
  return last;
}
bool xs_transaction_end(struct xs_handle*, xs_transaction_t transaction, bool abandon) {
  --libraries.transactions;
  const Changes changes = std::move(transactions.extract(transaction).mapped());
  if (abandon) return true;
  errno = EAGAIN;
  if (libraries.disturbed > 0 && libraries.disturbed-- > 0) return false;
  libraries.nodes = changes.nodes;
  libraries.owners = changes.owners;
  for (const std::string& path : changes.changed) fire(path);
  return true;
}

// A watch fires for its being set.
bool xs_watch(struct xs_handle*, const char* path, const char*) {
  if (refuses()) return false;
  watched.insert(path);
  libraries.events.emplace_back(path);
  ring();
  return true;
}
int xs_fileno(struct xs_handle*) {
  if (event < 0) event = eventfd(libraries.events.empty() ? 0 : 1, EFD_NONBLOCK | EFD_CLOEXEC);
  return event;
}
char** xs_check_watch(struct xs_handle*) {
  std::uint64_t rung = 0;
  if (event >= 0) (void)!read(event, &rung, sizeof rung);
  errno = EAGAIN;
  if (libraries.events.empty()) return nullptr;
  const std::string path = libraries.events.front();
  libraries.events.erase(libraries.events.begin());
  return copy(std::vector<std::string>{path, "xsctl"});
}

}  // extern "C"
