// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An xl that a test has written, first in PATH as long as this stands.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace xs::test {

class Script {
 public:
  Script() {
    std::string name = std::filesystem::temp_directory_path() / "xs-ctl-XXXXXX";
    directory_ = mkdtemp(name.data());
    setenv("PATH", (directory_.string() + ':' + path_).c_str(), 1);
  }
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;
  ~Script() {
    setenv("PATH", path_.c_str(), 1);
    std::filesystem::remove_all(directory_);
  }
  // PATH has nothing else.
  void be_alone() const { setenv("PATH", directory_.c_str(), 1); }
  // What a shell is to do; $out is a file.
  void write(const std::string& lines) const {
    std::ofstream(program()) << "#!/bin/sh\nout=" << out() << '\n' << lines << '\n';
    std::filesystem::permissions(program(), std::filesystem::perms::owner_all);
  }
  void forbid() const {
    std::filesystem::permissions(program(), std::filesystem::perms::owner_read);
  }
  std::string output() const {
    std::ostringstream text;
    text << std::ifstream(out()).rdbuf();
    return text.str();
  }

 private:
  std::string program() const { return directory_ / "xl"; }
  std::string out() const { return directory_ / "out"; }
  std::string path_ = getenv("PATH");
  std::filesystem::path directory_;
};

}  // namespace xs::test
