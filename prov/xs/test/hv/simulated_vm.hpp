// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A simulated VM (docs/hv.md): its file, in a directory of its own.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace xs::test {

class SimulatedVm {
 public:
  explicit SimulatedVm(const std::string& line) {
    // Not on a disk, if that can be: a busy one would hold up who moves the VM.
    if (!make_in("/dev/shm") && !make_in(std::filesystem::temp_directory_path()))
      throw std::runtime_error("no directory for a simulated VM");
    write(line);
  }
  ~SimulatedVm() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  SimulatedVm(const SimulatedVm&) = delete;
  SimulatedVm& operator=(const SimulatedVm&) = delete;

  std::filesystem::path file() const { return directory_ / "vm"; }
  // As hv::Options::simulated_host.
  std::string option() const { return '@' + file().string(); }
  void write(const std::string& line) const { put(file(), line); }
  void replace(const std::string& line) const {
    put(directory_ / "new", line);
    std::filesystem::rename(directory_ / "new", file());
  }
  void write_beside() const { put(directory_ / "vm2", "Z\n"); }

 private:
  bool make_in(const std::filesystem::path& where) {
    std::string name = (where / "xs-vm-XXXXXX").string();
    if (!mkdtemp(name.data())) return false;
    directory_ = name;
    return true;
  }
  static void put(const std::filesystem::path& file, const std::string& line) {
    std::ofstream out(file);
    out << line << '\n';
    if (!out.flush()) throw std::runtime_error("can't write " + file.string());
  }

  std::filesystem::path directory_;
};

}  // namespace xs::test
