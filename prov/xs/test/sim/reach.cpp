// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a simulated application does with the memory of others, and what it hears of that.
#include <rdma/fi_tagged.h>

#include <algorithm>
#include <cerrno>

#include "sim/process.hpp"

namespace xs::sim {

using core::RmaKind;
using core::Status;

namespace {
constexpr std::uint64_t flags_of(RmaKind kind) noexcept {
  return (core::is_atomic(kind) ? FI_ATOMIC : FI_RMA) |
         (core::reads_back(kind) ? FI_READ : FI_WRITE);
}
}  // namespace

void Process::show_board() {
  const std::uint64_t key = life_.number << 16 | ++boards_;
  board_ = std::make_shared<Board>(around_.arena, judge_, key);
  if (shared_.add(board_->registration) != 0) judge_.fail("a key can't be had");
}

// fi_close of the registration, in the middle of everything.
void Process::take_board_away() {
  judge_.trace("life %lu takes away key %lu", life_.number, board_->registration.key);
  shared_.remove(board_->registration);
  hear_the_rest();
  board_->close(true);
  show_board();
}

// What the queue holds was told.
void Process::hear_the_rest() {
  while (read_one(receive_queue_)) {
  }
  if (!scenario_.one_queue) return;
  while (read_one(send_queue_)) {
  }
}

void Process::reach() {
  if (remote_dice_.percent(3)) return take_board_away();
  const auto to = static_cast<unsigned>(remote_dice_.below(scenario_.members.size()));
  if (!numbers_[to]) return;
  const Process& other = *(*others_)[to];
  if (!other.has_endpoint() || !other.board_ || other.board_->closed()) return;
  const unsigned what = static_cast<unsigned>(remote_dice_.below(10));
  Action& action = add(what < 4 ? Kind::kWrite : what < 7 ? Kind::kRead : Kind::kAdd);
  action.board = other.board_;
  action.slot = other.board_->slot_of(life_);
  line_up(action, to);
  const bool done = action.kind == Kind::kWrite  ? write_slot(action, to)
                    : action.kind == Kind::kRead ? read_slot(action, to)
                                                 : add_one(action, to);
  if (!done) actions_.pop_back();
}

bool Process::asked(Action& action, Status status) {
  if (status == Status::kOk) {
    given(action);
    judge_.trace("life %lu asks %u of key %lu: %zu bytes, flags %x", life_.number,
                 static_cast<unsigned>(action.kind), action.board->registration.key,
                 action.buffer.size, action.flags);
    return true;
  }
  if (status != Status::kAgain)
    judge_.fail("an operation is refused: %d", static_cast<int>(status));
  open_.pop_back();
  around_.arena.retire(action.buffer);
  return false;
}

bool Process::write_slot(Action& action, unsigned to) {
  Board::Slot* const slot = action.slot;
  // A write behind a read is not in order; one behind doubt takes the doubt away.
  if (!slot || slot->reads > 0 || (slot->unknown && slot->writes > 0)) return false;
  const std::size_t size =
      slot->unknown ? Board::kSlotSize : std::min(some_remote_length(), Board::kSlotSize);
  const std::size_t offset = remote_dice_.below(Board::kSlotSize - size + 1);
  action.id = ++remote_ids_ << 16 | life_.number;
  action.buffer = around_.arena.take(size, remote_dice_.between(1, 4), Use::kSend);
  Dice pattern(action.id);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(pattern.next());
  core::UserMemory(action.buffer.iov()).copy_from(bytes, 0);
  const bool inject = size <= core::kInjectLimit && remote_dice_.percent(25);
  const bool data = remote_dice_.percent(30);
  action.flags |= core::kOpCompletion;
  if (inject) action.flags |= core::kOpInject;
  if (data) action.flags |= core::kOpData;
  if (data) action.board->announces(action.id);
  open_.push_back(&action);
  const Board::Slot before = *slot;
  slot->unknown = false;
  ++slot->writes;
  std::copy(bytes.begin(), bytes.end(), slot->stands.begin() + static_cast<std::ptrdiff_t>(offset));
  const Status status =
      endpoint_->reach(core::RmaOp{.kind = RmaKind::kWrite,
                                   .iov = action.buffer.iov(),
                                   .to = *numbers_[to],
                                   .address = action.board->address_of(*slot) + offset,
                                   .key = action.board->registration.key,
                                   .data = action.id,
                                   .flags = action.flags,
                                   .context = &action});
  if (status != Status::kOk) *slot = before;
  if (!asked(action, status)) return false;
  if (inject) around_.arena.retire(action.buffer);
  return true;
}

bool Process::read_slot(Action& action, unsigned to) {
  Board::Slot* const slot = action.slot;
  if (!slot) return false;
  const std::size_t size = std::min(some_remote_length(), Board::kSlotSize);
  const std::size_t offset = remote_dice_.below(Board::kSlotSize - size + 1);
  const auto from = slot->stands.begin() + static_cast<std::ptrdiff_t>(offset);
  action.expected.assign(from, from + static_cast<std::ptrdiff_t>(size));
  action.buffer = around_.arena.take(size, remote_dice_.between(1, 4), Use::kReceive);
  action.flags |= core::kOpCompletion;
  open_.push_back(&action);
  ++slot->reads;
  const Status status =
      endpoint_->reach(core::RmaOp{.kind = RmaKind::kRead,
                                   .iov = action.buffer.iov(),
                                   .to = *numbers_[to],
                                   .address = action.board->address_of(*slot) + offset,
                                   .key = action.board->registration.key,
                                   .data = 0,
                                   .flags = action.flags,
                                   .context = &action});
  if (status != Status::kOk) --slot->reads;
  return asked(action, status);
}

bool Process::add_one(Action& action, unsigned to) {
  const bool fetches = remote_dice_.percent(70);
  static const std::uint64_t one = 1;
  const struct iovec value { const_cast<std::uint64_t*>(&one), sizeof one };
  action.fetches = fetches;
  if (fetches) action.buffer = around_.arena.take(sizeof one, 1, Use::kReceive);
  action.flags |= core::kOpCompletion;
  open_.push_back(&action);
  action.board->adds();
  const Status status =
      endpoint_->reach(core::AtomicOp{.kind = fetches ? RmaKind::kFetch : RmaKind::kUpdate,
                                      .operation = core::AtomicOperation::kSum,
                                      .datatype = core::Datatype::kUint64,
                                      .count = 1,
                                      .values = {&value, 1},
                                      .compares = {},
                                      .results = action.buffer.iov(),
                                      .to = *numbers_[to],
                                      .address = Board::kNumberAt,
                                      .key = action.board->registration.key,
                                      .flags = action.flags,
                                      .context = &action});
  return asked(action, status);
}

std::size_t Process::some_remote_length() {
  const std::size_t eager = scenario_.members[member_].config.eager;
  return remote_dice_.pick<std::size_t>({0, 1, 8, 100, eager - 24, eager, eager + 1, 3 * eager,
                                         remote_dice_.below(Board::kSlotSize + 1)});
}

// ---- What it hears ----

void Process::reached(Action& action, std::uint64_t flags, int error) {
  const RmaKind kind = action.kind == Kind::kWrite  ? RmaKind::kWrite
                       : action.kind == Kind::kRead ? RmaKind::kRead
                       : action.fetches             ? RmaKind::kFetch
                                                    : RmaKind::kUpdate;
  judge_.trace("life %lu: operation on key %lu ends (%d)", life_.number,
               action.board->registration.key, error);
  end(action);
  if (flags != flags_of(kind)) judge_.fail("an operation ends with flags %lx", flags);
  if (action.cancelled != (error == ECANCELED)) judge_.fail("a cancelled operation ends otherwise");
  if (error != 0 && !action.cancelled && !action.board->may_refuse() &&
      !around_.ledger.anybody_died())
    judge_.fail("an operation on key %lu ends with error %d", action.board->registration.key,
                error);
  ++(error != 0                    ? outcome_.refused
     : action.kind == Kind::kWrite ? outcome_.written
     : action.kind == Kind::kRead  ? outcome_.read
                                   : outcome_.added);
  if (error == 0) judge_fence(action);
  if (action.kind == Kind::kWrite) written(action, error);
  if (action.kind == Kind::kRead) has_read(action, error);
  if (action.kind == Kind::kAdd && error == 0) {
    std::uint64_t before = 0;
    if (action.fetches) before = util::load<std::uint64_t>(action.buffer.first());
    action.board->added(action.fetches ? &before : nullptr);
  }
  if (!(action.flags & core::kOpInject)) around_.arena.retire(action.buffer);
}

void Process::written(Action& action, int error) {
  Board::Slot& slot = *action.slot;
  --slot.writes;
  if (error != 0) {
    slot.unknown = true;
    return;
  }
  if (action.flags & core::kOpData) action.board->succeeded(action.id);
  action.board->check(slot);
}

void Process::has_read(Action& action, int error) {
  Board::Slot& slot = *action.slot;
  --slot.reads;
  if (error != 0 || slot.unknown) return;
  std::vector<std::byte> came(action.expected.size());
  core::UserMemory(action.buffer.iov()).copy_to(came.data(), 0, came.size());
  if (came != action.expected)
    judge_.fail("a read of key %lu brings something else", action.board->registration.key);
}

void Process::told(const struct fi_cq_tagged_entry& entry) {
  const std::uint64_t wanted = FI_RMA | FI_REMOTE_WRITE | FI_REMOTE_CQ_DATA;
  if (entry.flags != wanted || entry.op_context)
    return judge_.fail("what a write tells has flags %lx", entry.flags);
  board_->told(entry.data);
  judge_arrival(entry.data);
}

}  // namespace xs::sim
