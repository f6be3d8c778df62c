// The top of a data directory, on the real file system.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "log/data_directory.hpp"
#include "log/log.hpp"
#include "log/newest.hpp"
#include "support/recovered.hpp"
#include "support/temporary_directory.hpp"

using namespace haypile;
namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

struct Scene {
  test::TemporaryDirectory scratch;
  fs::path path = scratch.path / "one" / "two";

  // Starts a vhost as a broker does.
  void start(const std::string& name = "/") {
    log::DataDirectory directory(path);
    log::Log log(directory.files(), directory.vhost_directory(name), directory.id(),
                 {.segment_size = 4096, .ring_size = 1 << 16, .threaded = false});
    test::Recovered recovered;
    log.recover(recovered);
    directory.add_vhost(name);
  }
  std::string refusal() {
    try {
      start();
    } catch (const log::DamageError& error) {
      return error.what();
    }
    return "";
  }
  std::vector<log::Damage> damages() {
    log::ReadOnlyFileSystem files;
    return log::ExistingDirectory(path.string(), files, log::ExistingDirectory::Use::look)
        .damages();
  }
  // Checks that the start is refused because of this file, and that the file is listed.
  void expect_damage(const fs::path& file) {
    CAPTURE(file);
    const std::string refused = refusal();
    CHECK(refused.find("'" + file.string() + "'") != std::string::npos);
    REQUIRE(damages().size() > 0);
    CHECK(damages().front().file == file.string());
  }
};

}  // namespace

TEST_CASE("what is missing of a data directory refuses the start by name") {
  Scene scene;
  scene.start();
  CHECK(scene.damages().empty());
  scene.start();
  const fs::path vhost = scene.path / "vhosts" / "%2F";
  SUBCASE("all virtual hosts") {
    fs::remove_all(scene.path / "vhosts");
    scene.expect_damage(vhost);
  }
  SUBCASE("one of them") {
    scene.start("other");
    fs::remove_all(vhost);
    scene.expect_damage(vhost);
  }
  SUBCASE("all that one has") {
    fs::remove_all(vhost);
    fs::create_directory(vhost);
    scene.expect_damage(vhost / "newest");
  }
  SUBCASE("the id") {
    fs::remove(scene.path / "id");
    scene.expect_damage(scene.path / "id");
  }
  SUBCASE("the contents") {
    fs::remove(scene.path / "contents");
    scene.expect_damage(scene.path / "contents");
  }
}

TEST_CASE("one bit of the id or the contents is noticed, and put right") {
  for (const char* name : {"id", "contents"}) {
    Scene scene;
    scene.start();
    const std::string good = read(scene.path / name);
    for (std::size_t at = 0; at < good.size(); at += 3) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 1);
      write(scene.path / name, bad);
      scene.expect_damage(scene.path / name);
      log::PosixFileSystem files;
      log::ExistingDirectory(scene.path.string(), files, log::ExistingDirectory::Use::change)
          .repair();
      CHECK(read(scene.path / name) == good);
      CHECK(scene.refusal() == "");
    }
  }
}

TEST_CASE("a directory of version 4 with a damaged id has the one that its files have") {
  Scene scene;
  scene.start();
  const std::string good = read(scene.path / "id");
  fs::remove(scene.path / "contents");
  fs::remove(scene.path / "vhosts" / "%2F" / "newest");
  std::string bad = good;
  bad[20] = bad[20] == '0' ? '1' : '0';
  write(scene.path / "id", bad);
  log::PosixFileSystem files;
  log::ExistingDirectory existing(scene.path.string(), files, log::ExistingDirectory::Use::change);
  CHECK(log::encode_id(existing.id()) == good);
  CHECK(existing.damages().size() == 1);
}

TEST_CASE("a virtual host with a name too long for a file has a directory") {
  Scene scene;
  const std::string name(255, '/');
  scene.start(name);
  scene.start(name);
  CHECK(scene.damages().empty());
  log::ReadOnlyFileSystem files;
  const log::ExistingDirectory existing(scene.path.string(), files,
                                        log::ExistingDirectory::Use::look);
  REQUIRE(existing.vhosts().size() == 1);
  CHECK(existing.vhosts().front().name == name);
}
