// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Address books that processes share by name: docs/vectors.md.
#include "core/shared_addresses.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "core/address_book.hpp"
#include "core/peers.hpp"

namespace xs::core {
namespace {

using Access = SharedAddresses::Access;

proto::Address address(std::uint16_t port) {
  proto::Address a{.family = 4, .port = port};
  a.ip[0] = std::byte{127};
  a.ip[3] = std::byte{1};
  return a;
}

const std::string& name() {
  static const std::string kName = "test." + std::to_string(getpid());
  return kName;
}
std::string path() { return "/dev/shm/xs-av-" + std::to_string(geteuid()) + "-" + name(); }
bool exists() { return access(path().c_str(), F_OK) == 0; }

int error_of(Access access, std::string_view of = name(), std::uint16_t family = 4) {
  auto list = SharedAddresses::open(of, family, access);
  return list ? 0 : list.error().code;
}

struct Book : AddressBook {
  explicit Book(Access access = Access::kWrite, unsigned patience = SharedAddresses::kPatience) {
    auto list = SharedAddresses::open(name(), 4, access, patience);
    if (list) share(std::move(*list));
    opened = static_cast<bool>(list);
  }
  // The number, or an error below 0.
  std::int64_t put(std::uint16_t port) {
    PeerAddress number = kAnyPeer;
    const int error =
        patiently([&](unsigned waited) { return enter(address(port), number, waited); });
    return error ? -error : static_cast<std::int64_t>(number);
  }
  int take(PeerAddress number) {
    return patiently([&](unsigned waited) { return remove(number, waited); });
  }
  bool opened = false;

 private:
  template <class F>
  static int patiently(F&& ask) {
    for (unsigned waited = 0;; ++waited) {
      const int error = ask(waited);
      if (error != EAGAIN) return error;
      usleep(1000);
    }
  }
};

// What a child process returns.
template <class F>
int in_child(F&& f) {
  const pid_t child = fork();
  if (child == 0) _exit(f());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void scribble(std::uint64_t at, const void* from, std::size_t size) {
  std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file.write(static_cast<const char*>(from), static_cast<std::streamsize>(size));
}

class SharedAddressesTest : public testing::Test {
 protected:
  ~SharedAddressesTest() override {
    EXPECT_FALSE(exists());
    unlink(path().c_str());
  }
};

TEST_F(SharedAddressesTest, what_one_inserts_the_others_know) {
  Book writer, reader(Access::kRead);
  EXPECT_EQ(reader.lookup(0), nullptr);
  EXPECT_EQ(writer.put(7), 0);
  EXPECT_EQ(writer.put(8), 1);
  ASSERT_NE(reader.lookup(1), nullptr);
  EXPECT_EQ(*reader.lookup(1), address(8));
  EXPECT_EQ(reader.find(address(7)), 0u);
  Book second;
  EXPECT_EQ(second.put(9), 2);
  EXPECT_EQ(second.put(7), 0) << "the same address";
  EXPECT_EQ(writer.find(address(9)), 2u);
}

TEST_F(SharedAddressesTest, who_reads_changes_nothing) {
  Book writer, reader(Access::kRead);
  EXPECT_EQ(writer.put(7), 0);
  EXPECT_EQ(reader.put(7), 0) << "is there";
  EXPECT_EQ(reader.put(8), -EACCES);
  EXPECT_EQ(reader.remove(0), EACCES);
  EXPECT_NE(writer.lookup(0), nullptr);
}

TEST_F(SharedAddressesTest, what_is_removed_is_gone_for_all_and_its_number_stays_unused) {
  Book one, other;
  EXPECT_EQ(one.put(7), 0);
  EXPECT_EQ(other.put(7), 0);
  EXPECT_EQ(one.put(8), 1);
  EXPECT_EQ(other.remove(0), 0);
  EXPECT_NE(one.lookup(0), nullptr) << "inserted twice";
  EXPECT_EQ(one.remove(0), 0);
  EXPECT_EQ(one.lookup(0), nullptr);
  EXPECT_EQ(other.remove(0), ENOENT);
  EXPECT_EQ(other.lookup(0), nullptr);
  EXPECT_EQ(other.put(9), 2);
  EXPECT_EQ(one.put(7), 3);
  EXPECT_EQ(other.find(address(7)), 3u);
}

TEST_F(SharedAddressesTest, the_last_one_removes_it) {
  {
    Book one;
    {
      Book other(Access::kRead);
      EXPECT_TRUE(other.opened);
    }
    EXPECT_TRUE(exists());
  }
  EXPECT_FALSE(exists());
  EXPECT_EQ(error_of(Access::kRead), ENOENT);
}

TEST_F(SharedAddressesTest, what_the_dead_left_is_not_found) {
  const auto die = [] {
    Book* const book = new Book;  // never closed
    return book->put(7) == 0 ? 0 : 1;
  };
  ASSERT_EQ(in_child(die), 0);
  ASSERT_TRUE(exists());
  EXPECT_EQ(error_of(Access::kRead), ENOENT);
  EXPECT_FALSE(exists());
  ASSERT_EQ(in_child(die), 0);
  Book book;
  EXPECT_EQ(book.lookup(0), nullptr);
  EXPECT_EQ(book.put(8), 0);
}

TEST_F(SharedAddressesTest, outlives_who_made_it) {
  auto first = std::make_unique<Book>();
  EXPECT_EQ(first->put(7), 0);
  Book second;
  first.reset();
  EXPECT_EQ(*second.lookup(0), address(7));
  EXPECT_EQ(error_of(Access::kRead), 0);
}

TEST_F(SharedAddressesTest, names) {
  EXPECT_EQ(error_of(Access::kWrite, ""), EINVAL);
  EXPECT_EQ(error_of(Access::kWrite, std::string(300, 'x')), EINVAL);
  EXPECT_EQ(error_of(Access::kWrite, name() + "/../a b%\xff"), 0);
}

TEST_F(SharedAddressesTest, another_family) {
  const Book book;
  EXPECT_EQ(error_of(Access::kRead, name(), 6), EINVAL);
}

TEST_F(SharedAddressesTest, files_of_others_are_not_touched) {
  const auto refused = [](int error) {
    EXPECT_EQ(error_of(Access::kRead), error);
    EXPECT_EQ(error_of(Access::kWrite), error);
    EXPECT_TRUE(exists());
    EXPECT_EQ(unlink(path().c_str()), 0);
  };
  close(open(path().c_str(), O_CREAT | O_WRONLY, 0600));
  ASSERT_EQ(chmod(path().c_str(), 0640), 0);
  refused(EACCES);
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  refused(EACCES);
  // One of this user, which somebody has given a second name.
  const std::string first = path() + ".first";
  std::ofstream(first) << "precious";
  ASSERT_EQ(chmod(first.c_str(), 0600), 0);
  ASSERT_EQ(link(first.c_str(), path().c_str()), 0);
  refused(EACCES);
  EXPECT_EQ(std::filesystem::file_size(first), 8u);
  EXPECT_EQ(unlink(first.c_str()), 0);
  ASSERT_EQ(symlink("/dev/null", path().c_str()), 0);
  refused(ELOOP);
  if (geteuid() != 0) return;
  close(open(path().c_str(), O_CREAT | O_WRONLY, 0600));
  ASSERT_EQ(chown(path().c_str(), 12345, 0), 0);
  EXPECT_EQ(error_of(Access::kRead), EACCES);
  EXPECT_NE(error_of(Access::kWrite), 0);
  EXPECT_EQ(unlink(path().c_str()), 0);
}

TEST_F(SharedAddressesTest, what_is_no_list_is_refused_and_harms_nobody) {
  Book book;
  EXPECT_EQ(book.put(7), 0);
  const std::uint64_t wrong = 1;
  scribble(0, &wrong, sizeof wrong);
  EXPECT_EQ(error_of(Access::kRead), EIO);
  EXPECT_EQ(error_of(Access::kWrite), EIO);
  EXPECT_EQ(book.put(8), -EIO);
  EXPECT_EQ(book.remove(0), EIO);
  EXPECT_EQ(book.lookup(1), nullptr);
  ASSERT_EQ(truncate(path().c_str(), 3), 0);
  EXPECT_EQ(error_of(Access::kRead), EIO);
  EXPECT_EQ(book.put(8), -EIO);
  EXPECT_EQ(*book.lookup(0), address(7)) << "known before";
}

TEST_F(SharedAddressesTest, impossible_numbers_and_addresses_are_passed_over) {
  Book book, other;
  EXPECT_EQ(book.put(7), 0);
  EXPECT_EQ(book.put(8), 1);
  const std::array<char, 32> nothing{};
  scribble(64, nothing.data(), nothing.size());
  EXPECT_EQ(other.lookup(0), nullptr);
  EXPECT_EQ(*other.lookup(1), address(8));
  std::uint64_t count = 1000;  // more than there are
  scribble(16, &count, sizeof count);
  EXPECT_EQ(other.lookup(2), nullptr);
  EXPECT_EQ(other.lookup(999), nullptr);
  EXPECT_EQ(other.put(9), -EIO);
  count = 1;  // fewer than there were
  scribble(16, &count, sizeof count);
  EXPECT_EQ(book.put(9), -EIO);
  count = ~0ull;
  scribble(16, &count, sizeof count);
  EXPECT_EQ(other.lookup(~0ull - 1), nullptr);
  EXPECT_EQ(other.put(9), -EIO);
}

TEST_F(SharedAddressesTest, a_record_that_was_never_counted_is_none) {
  Book book, other;
  std::array<std::byte, 40> record{};
  address(7).encode(record.data());
  record[32] = std::byte{1};
  scribble(64, record.data(), record.size());
  EXPECT_EQ(book.lookup(0), nullptr);
  EXPECT_EQ(book.put(8), 0);
  EXPECT_EQ(*other.lookup(0), address(8));
}

// Who removes takes the use away first, and says so then.
TEST_F(SharedAddressesTest, who_dies_while_it_removes_leaves_an_address_that_can_be_inserted) {
  Book book, other;
  EXPECT_EQ(book.put(7), 0);
  EXPECT_EQ(book.put(8), 1);
  EXPECT_EQ(other.find(address(7)), 0u);
  const std::uint64_t no_use = 0;
  scribble(64 + 32, &no_use, sizeof no_use);
  EXPECT_EQ(book.put(7), 2);
  EXPECT_EQ(book.lookup(0), nullptr);
  ASSERT_NE(other.lookup(2), nullptr);
  EXPECT_EQ(*other.lookup(2), address(7));
  EXPECT_EQ(book.remove(1), 0);
  EXPECT_EQ(other.lookup(3), nullptr);
  EXPECT_EQ(other.lookup(0), nullptr);
  EXPECT_EQ(other.find(address(7)), 2u);
}

// A number's address may move in memory when others have inserted.
TEST_F(SharedAddressesTest, an_address_that_stands_there_twice_is_one_peer) {
  for (const PeerAddress removed : {0u, 1u}) {
    Book book, other;
    EXPECT_EQ(book.put(7), 0);
    EXPECT_EQ(book.put(8), 1);
    std::array<std::byte, 32> again{};
    address(7).encode(again.data());
    scribble(64 + 40, again.data(), again.size());
    EXPECT_EQ(*other.lookup(1), address(7));
    EXPECT_EQ(other.remove(removed), 0);
    for (std::uint16_t port = 1000; port < 1100; ++port) EXPECT_GE(book.put(port), 0);
    Peers peers(&other);
    Peer* const peer = peers.of(1 - removed);
    ASSERT_NE(peer, nullptr);
    EXPECT_EQ(peers.at(address(7)), peer);
  }
}

std::uint64_t reads() {
  std::ifstream io("/proc/self/io");
  std::string word;
  std::uint64_t count = 0;
  while (io >> word && word != "syscr:") {
  }
  io >> count;
  return count;
}

TEST_F(SharedAddressesTest, who_removes_reads_nothing_again) {
  constexpr std::uint16_t kMany = 500;
  Book book;
  for (std::uint16_t port = 1; port <= kMany; ++port) EXPECT_EQ(book.put(port), port - 1);
  const std::uint64_t before = reads();
  if (before == 0) GTEST_SKIP() << "nobody counts system calls";
  for (PeerAddress number = 0; number < kMany; ++number) EXPECT_EQ(book.remove(number), 0);
  EXPECT_LT(reads() - before, 10u * kMany);
}

int sleeps() {
  struct rusage use {};
  getrusage(RUSAGE_SELF, &use);
  return static_cast<int>(use.ru_nvcsw);
}

// An application may be about to insert many.
TEST_F(SharedAddressesTest, who_was_stopped_within_a_change_is_waited_for_once) {
  constexpr int kPatience = 50;
  Book book(Access::kWrite, kPatience);
  EXPECT_EQ(book.put(7), 0);
  const int stopped = open(path().c_str(), O_RDWR);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_len = 1;
  ASSERT_EQ(fcntl(stopped, F_OFD_SETLK, &lock), 0);
  const int before = sleeps();
  for (std::uint16_t port = 8; port < 18; ++port) EXPECT_EQ(book.put(port), -ETIMEDOUT);
  EXPECT_EQ(book.take(0), ETIMEDOUT);
  EXPECT_GE(sleeps() - before, kPatience);
  EXPECT_LT(sleeps() - before, 2 * kPatience);
  close(stopped);
  EXPECT_EQ(book.put(8), 1);
}

// Whoever comes and goes, and whoever of them removes the file.
TEST_F(SharedAddressesTest, many_processes_at_once) {
  constexpr int kProcesses = 4;
  constexpr std::uint16_t kEach = 100, kCommon = 50;
  std::vector<pid_t> children;
  auto first = std::make_unique<Book>();
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = fork();
    if (child != 0) {
      children.push_back(child);
      continue;
    }
    Book book;
    for (std::uint16_t at = 1; at <= kEach; ++at) {
      const auto own = static_cast<std::uint16_t>(1000 * i + at);
      const std::int64_t number = book.put(at <= kCommon ? at : own);
      const Book late(Access::kRead);
      if (number < 0 || !late.opened) _exit(1);
    }
    _exit(0);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  std::set<proto::Address> all;
  const unsigned expected = kCommon + kProcesses * (kEach - kCommon);
  for (unsigned i = 0; i < expected; ++i) {
    ASSERT_NE(first->lookup(i), nullptr);
    EXPECT_TRUE(all.insert(*first->lookup(i)).second);
  }
  EXPECT_EQ(first->lookup(expected), nullptr);
  for (std::uint16_t at = 1; at <= kCommon; ++at)
    for (int i = 0; i < kProcesses; ++i) EXPECT_EQ(first->remove(*first->find(address(at))), 0);
}

}  // namespace
}  // namespace xs::core
