// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

// Exhaustive breadth-first exploration of a small protocol model.
namespace xs::model {

// What an exploration found. `trace` is a shortest path to the fault, if there is one.
struct Report {
  std::size_t states = 0;
  std::size_t steps = 0;
  std::size_t stuck = 0;    // states from which faultless steps can't reach a complete state
  const char* broken = "";  // the broken invariant; empty: none
  std::vector<const char*> trace;

  bool clean() const { return stuck == 0 && *broken == '\0'; }
  std::string text() const {
    std::string out = std::to_string(states) + " states, " + std::to_string(steps) + " steps";
    if (*broken != '\0') out += ", broken: " + std::string(broken);
    if (stuck != 0) out += ", " + std::to_string(stuck) + " stuck";
    for (const char* label : trace) out += "\n    " + std::string(label);
    return out;
  }
};

// Who takes a step. Faults may happen, but completion must never depend on one.
enum class Step : std::uint8_t { kProtocol, kFault };

// The steps that leave a state.
template <class State>
class Steps {
 public:
  struct Item {
    const char* label;
    Step kind;
    State next;
  };
  void protocol(const char* label, const State& next) { add(label, Step::kProtocol, next); }
  void fault(const char* label, const State& next) { add(label, Step::kFault, next); }
  void add(const char* label, Step kind, const State& next) {
    items_.push_back({label, kind, next});
  }
  const std::vector<Item>& items() const { return items_; }
  void clear() { items_.clear(); }

 private:
  std::vector<Item> items_;
};

// All states seen, each once, with the step that first led there.
template <class State>
class Seen {
 public:
  static_assert(std::has_unique_object_representations_v<State>, "states are compared bytewise");

  Seen() : slots_(1 << 12, kEmpty) {}

  std::size_t size() const { return states_.size(); }
  const State& operator[](std::uint32_t index) const { return states_[index]; }

  std::uint32_t add(const State& state, std::uint32_t parent, const char* label) {
    if (states_.size() * 2 >= slots_.size()) grow();
    const std::size_t slot = find(state);
    if (slots_[slot] == kEmpty) {
      slots_[slot] = static_cast<std::uint32_t>(states_.size());
      states_.push_back(state);
      origins_.push_back({label, parent});
    }
    return slots_[slot];
  }

  std::vector<const char*> path_to(std::uint32_t index) const {
    std::vector<const char*> path;
    for (; index != 0; index = origins_[index].parent) {
      path.insert(path.begin(), origins_[index].label);
    }
    return path;
  }

 private:
  struct Origin {
    const char* label;
    std::uint32_t parent;
  };
  static constexpr std::uint32_t kEmpty = UINT32_MAX;

  static std::size_t hash(const State& state) {
    std::uint64_t sum = 0xcbf29ce484222325;
    const auto* bytes = reinterpret_cast<const unsigned char*>(&state);
    for (std::size_t at = 0; at < sizeof(State); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes + at, sizeof(State) - at < 8 ? sizeof(State) - at : 8);
      sum = (sum ^ word) * 0x9e3779b97f4a7c15;
      sum ^= sum >> 29;
    }
    return sum;
  }

  std::size_t find(const State& state) const {
    std::size_t slot = hash(state) & (slots_.size() - 1);
    while (slots_[slot] != kEmpty &&
           std::memcmp(&states_[slots_[slot]], &state, sizeof(State)) != 0) {
      slot = (slot + 1) & (slots_.size() - 1);
    }
    return slot;
  }

  void grow() {
    slots_.assign(slots_.size() * 2, kEmpty);
    for (std::uint32_t index = 0; index < states_.size(); ++index) {
      slots_[find(states_[index])] = index;
    }
  }

  std::vector<State> states_;
  std::vector<Origin> origins_;
  std::vector<std::uint32_t> slots_;  // open addressing, a power of two
};

struct Edge {
  std::uint32_t from;
  std::uint32_t to;
};

// Marks what can reach a marked state over `edges`.
inline void mark_backwards(std::vector<bool>& marked, const std::vector<Edge>& edges) {
  std::vector<std::uint32_t> first(marked.size() + 1, 0);
  for (const Edge& edge : edges) ++first[edge.to + 1];
  for (std::size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
  std::vector<std::uint32_t> sources(edges.size());
  std::vector<std::uint32_t> fill(first.begin(), first.end() - 1);
  for (const Edge& edge : edges) sources[fill[edge.to]++] = edge.from;

  std::vector<std::uint32_t> work;
  for (std::uint32_t i = 0; i < marked.size(); ++i) {
    if (marked[i]) work.push_back(i);
  }
  while (!work.empty()) {
    const std::uint32_t to = work.back();
    work.pop_back();
    for (std::uint32_t i = first[to]; i < first[to + 1]; ++i) {
      if (marked[sources[i]]) continue;
      marked[sources[i]] = true;
      work.push_back(sources[i]);
    }
  }
}

// Explores `model` from its initial state. A Model has a State and
//   State initial() const
//   void steps(const State&, Steps<State>&) const
//   bool complete(const State&) const
//   static const char* broken(const State&)   the invariant that is broken, "" if none
// Stops at the first broken invariant. Otherwise looks for stuck states: completion has to
// stay reachable without any further fault, so a state that rests is a complete one.
template <class Model>
Report explore(const Model& model) {
  using State = typename Model::State;
  Seen<State> seen;
  std::vector<Edge> edges;
  std::vector<bool> complete;
  Steps<State> steps;
  Report report;

  seen.add(model.initial(), 0, "");
  for (std::uint32_t at = 0; at < seen.size(); ++at) {
    const State state = seen[at];
    report.broken = Model::broken(state);
    if (*report.broken != '\0') {
      report.states = seen.size();
      report.trace = seen.path_to(at);
      return report;
    }
    complete.push_back(model.complete(state));
    steps.clear();
    model.steps(state, steps);
    report.steps += steps.items().size();
    for (const auto& step : steps.items()) {
      const std::uint32_t to = seen.add(step.next, at, step.label);
      if (step.kind == Step::kProtocol) edges.push_back({at, to});
    }
  }
  report.states = seen.size();

  mark_backwards(complete, edges);
  for (std::uint32_t at = 0; at < complete.size(); ++at) {
    if (complete[at]) continue;
    if (report.stuck++ == 0) report.trace = seen.path_to(at);
  }
  return report;
}

// A short queue inside a state. What isn't in use is zero, so equal queues are equal bytes.
template <class Item, std::size_t kCapacity>
struct Queue {
  Item items[kCapacity];
  std::uint8_t size;

  bool full() const { return size == kCapacity; }
  bool empty() const { return size == 0; }
  bool holds(const Item& item) const {
    for (std::size_t i = 0; i < size; ++i) {
      if (std::memcmp(&items[i], &item, sizeof(Item)) == 0) return true;
    }
    return false;
  }
  void push(const Item& item) { items[size++] = item; }
  Item take(std::size_t at) {
    const Item taken = items[at];
    for (std::size_t i = at + 1; i < kCapacity; ++i) items[i - 1] = items[i];
    items[--size] = Item{};
    return taken;
  }
  Item pop() { return take(0); }
  // Forgets the first `count`.
  void drop(std::size_t count) {
    while (count-- != 0) pop();
  }
  // Forgets all but the first `count`.
  void cut(std::size_t count) {
    while (size > count) items[--size] = Item{};
  }
};

}  // namespace xs::model
