// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dom0/ctl/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "dom0/ctl/text.hpp"

namespace xs::dom0 {

namespace {

constexpr const char* kHelp =
    "usage: xsctl list [--json] [--timeout SECONDS]\n"
    "       xsctl migrate [--force] [--deadline SECONDS] DOMAIN HOST [-- XL-OPTIONS...]\n"
    "       xsctl save [--force] [--deadline SECONDS] DOMAIN FILE [-- XL-OPTIONS...]\n"
    "       xsctl restore [--deadline SECONDS] FILE [-- XL-OPTIONS...]\n"
    "       xsctl abort [--force] DOMAIN\n"
    "\n"
    "  list      the domains of this host, which of their processes use xs and share\n"
    "            memory with which, the pages granted, and domains that can't go\n"
    "  migrate   has the domain's processes give back what they share with other\n"
    "            domains, then runs xl migrate\n"
    "  save      the same for xl save\n"
    "  restore   runs xl restore, and says when the processes are there again\n"
    "  abort     takes back what an xsctl has asked that was killed\n"
    "\n"
    "  --deadline SECONDS  how long processes may take (5)\n"
    "  --force             move it whether or not all have answered; abort: even if\n"
    "                      that xsctl still runs\n"
    "  --json              for programs; see xsctl(8)\n"
    "  --timeout SECONDS   give up if Xen or its store doesn't answer (10)\n"
    "  -- XL-OPTIONS       go to xl as they are, before DOMAIN or FILE\n"
    "\n"
    "Runs in dom0, as root.\n";

constexpr unsigned kLongest = 3600;  // seconds

struct Command {
  std::string_view name;
  Action action;
  std::vector<std::string Options::*> words;  // that it wants, in this order
  std::string_view options;
};
const std::array<Command, 5> kCommands{{
    {"list", Action::kList, {}, "--json --timeout"},
    {"migrate",
     Action::kMigrate,
     {&Options::domain, &Options::where},
     "--force --deadline --timeout --"},
    {"save", Action::kSave, {&Options::domain, &Options::where}, "--force --deadline --timeout --"},
    {"restore", Action::kRestore, {&Options::where}, "--deadline --timeout --"},
    {"abort", Action::kAbort, {&Options::domain}, "--force --timeout"},
}};

bool has_option(const Command& command, std::string_view option) noexcept {
  for (std::string_view left = command.options; !left.empty();) {
    const std::size_t end = std::min(left.find(' '), left.size());
    if (left.substr(0, end) == option) return true;
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return false;
}

bool parse_seconds(const std::string& word, unsigned& seconds) noexcept {
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, seconds);
  return error == std::errc{} && stop == end && seconds > 0 && seconds <= kLongest;
}

class Parser {
 public:
  explicit Parser(const std::vector<std::string>& words) noexcept : words_(words) {}
  Options parse();

 private:
  // Each is what is wrong, or empty.
  std::string take_all();
  std::string take_option(const std::string& word);
  std::string take_seconds(const std::string& word, unsigned& seconds);
  std::string take_word(const std::string& word);
  static std::string strange(const std::string& word) {
    return "'" + printable(word) + "' isn't understood";
  }

  const std::vector<std::string>& words_;
  std::size_t next_ = 0;
  const Command* command_ = nullptr;
  std::size_t taken_ = 0;  // of the words that the command wants
  Options options_;
};

Options Parser::parse() {
  const std::string wrong = take_all();
  if (wrong.empty()) return std::move(options_);
  Options misused;
  misused.text = "xsctl: " + wrong + "; see xsctl --help\n";
  misused.status = kUsage;
  return misused;
}

std::string Parser::take_all() {
  while (next_ < words_.size()) {
    const std::string& word = words_[next_++];
    if (word == "-h" || word == "--help") {
      options_ = Options();
      options_.text = kHelp;
      return "";
    }
    const std::string wrong = word.starts_with('-') ? take_option(word) : take_word(word);
    if (!wrong.empty()) return wrong;
  }
  if (!command_) return "nothing to do";
  if (taken_ == command_->words.size()) return "";
  return std::string(command_->name) + " wants more words";
}

// Options follow the command.
std::string Parser::take_option(const std::string& word) {
  if (!command_ || !has_option(*command_, word)) return strange(word);
  if (word == "--timeout") return take_seconds(word, options_.seconds);
  if (word == "--deadline") return take_seconds(word, options_.deadline);
  if (word == "--json") options_.json = true;
  if (word == "--force") options_.force = true;
  if (word == "--")
    while (next_ < words_.size()) options_.to_xl.push_back(words_[next_++]);
  return "";
}

std::string Parser::take_seconds(const std::string& word, unsigned& seconds) {
  if (next_ < words_.size() && parse_seconds(words_[next_++], seconds)) return "";
  return word + " wants a number of seconds, 1 to " + std::to_string(kLongest);
}

std::string Parser::take_word(const std::string& word) {
  if (!command_) {
    const auto found = std::find_if(kCommands.begin(), kCommands.end(),
                                    [&](const Command& command) { return command.name == word; });
    if (found == kCommands.end()) return strange(word);
    command_ = &*found;
    options_.action = found->action;
    return "";
  }
  if (taken_ == command_->words.size() || word.empty()) return strange(word);
  options_.*command_->words[taken_++] = word;
  return "";
}

}  // namespace

Options parse(const std::vector<std::string>& words) { return Parser(words).parse(); }

}  // namespace xs::dom0
