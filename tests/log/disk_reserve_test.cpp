// Space on the disk that is there before it is needed.
#include <doctest/doctest.h>

#include <string>

#include "log/disk_reserve.hpp"
#include "log/segment.hpp"
#include "support/mem_file_system.hpp"

using namespace haypile;
using log::DiskReserve;

namespace {

constexpr std::uint64_t segment_size = 4096;
constexpr std::uint64_t reserve_size = 10'000;

struct ReserveFixture {
  explicit ReserveFixture(std::uint64_t capacity = 100'000) {
    files.set_capacity(capacity);
    reserve.prepare(piles, 3);
  }

  test::MemFileSystem files;
  log::Piles piles;
  DiskReserve reserve{files, "log", segment_size, reserve_size};
};

}  // namespace

TEST_CASE("the reserve is made at a start, where there is room for it") {
  ReserveFixture fixture;
  CHECK(fixture.reserve.has_reserve());
  CHECK(fixture.files.used_bytes() >= reserve_size);
  ReserveFixture full(reserve_size - 1);
  CHECK_FALSE(full.reserve.has_reserve());
  CHECK(full.files.used_bytes() == 0);
}

TEST_CASE("what finds no room on the disk takes that of the reserve, once") {
  ReserveFixture fixture(reserve_size);
  const auto write = [&](const std::string& name) {
    fixture.reserve.with_reserve(
        [&] { fixture.files.create("log/" + name)->allocate(reserve_size / 2 + 1); });
  };
  write("a");
  CHECK_FALSE(fixture.reserve.has_reserve());
  CHECK_THROWS_AS(write("b"), log::NoSpace);
  fixture.reserve.refill_reserve();
  CHECK_FALSE(fixture.reserve.has_reserve());
  fixture.files.remove("log/a");
  fixture.files.remove("log/b");
  fixture.reserve.refill_reserve();
  CHECK(fixture.reserve.has_reserve());
}

TEST_CASE("a segment that is given back is the next spare, unless there are enough") {
  ReserveFixture fixture;
  const std::string third = log::segment_name(3);
  const std::string fourth = log::segment_name(4);
  for (const std::string& name : {third, fourth})
    fixture.files.create("log/" + name)->allocate(segment_size);
  fixture.reserve.give_back(third, 1);
  fixture.reserve.give_back(fourth, 1);
  CHECK_FALSE(fixture.files.exists("log/" + third));
  CHECK_FALSE(fixture.files.exists("log/" + fourth));
  const std::string spare = fixture.reserve.take_spare();
  CHECK(DiskReserve::is_scratch(spare));
  CHECK(fixture.files.exists("log/" + spare));
}

TEST_CASE("a start removes files that nobody needs, and no others") {
  test::MemFileSystem files;
  for (const std::string& name :
       {std::string("spare-7"), std::string("x.tmp"), log::segment_name(2), log::segment_name(3)}) {
    files.put("log/" + name, "bytes");
  }
  log::Piles piles;
  DiskReserve reserve(files, "log", segment_size, reserve_size);
  reserve.prepare(piles, 3);
  CHECK_FALSE(files.exists("log/spare-7"));
  CHECK_FALSE(files.exists("log/x.tmp"));
  CHECK_FALSE(files.exists("log/" + log::segment_name(2)));
  CHECK(files.exists("log/" + log::segment_name(3)));
}
