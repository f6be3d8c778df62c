// A vhost's log with messages in piles and in segments, and ways to damage it.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "log/log_inspector.hpp"
#include "support/vhost_fixture.hpp"

namespace haypile::test {

using Bytes = std::map<std::string, std::string>;

// Has the queue "q" with messages 0 to 299, whose bodies begin with their number. No message is
// known to be acknowledged, and the log was not closed.
class DamagedVhost {
 public:
  DamagedVhost() {
    fixture_.open();
    fixture_.declare("q");
    for (int first = 0; first < 200; first += 100) {
      fixture_.publish_numbers("q", first, first + 100);
      fixture_.move_all();
    }
    fixture_.publish_numbers("q", 200, 300);
    fixture_.vhost.reset();
  }
  void close_clean() {
    fixture_.open();
    fixture_.engine().mark_delivered();
    CHECK(fixture_.log().close_clean());
    fixture_.vhost.reset();
  }

  log::InspectionReport inspect() {
    log::LogInspector inspector(files(), "log", directory_id);
    inspector.run();
    return inspector.report();
  }
  MemFileSystem& files() { return fixture_.files; }
  VhostFixture& fixture() { return fixture_; }
  Bytes bytes() {
    Bytes all;
    for (const std::string& path : files().paths())
      all[path] = files().bytes(path);
    return all;
  }
  std::vector<std::string> segments() const { return paths(".seg"); }
  std::vector<std::string> piles() const { return paths(".pile"); }
  void leave_piles_only() {
    for (const std::string& path : files().paths()) {
      if (!path.ends_with(".pile")) files().drop(path);
    }
  }
  void flip(const std::string& path, std::size_t at) {
    std::string& bytes = files().bytes(path);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
  }
  // The offsets of the batches with a message, and of its body.
  struct Place {
    std::uint64_t batch;
    std::uint64_t body;
  };
  std::vector<Place> places(const std::string& segment) {
    std::vector<Place> found;
    const auto number = *log::segment_number(segment.substr(segment.find('/') + 1));
    log::SegmentReader reader(files().bytes(segment), number, 4096, 0, directory_id);
    log::Batch batch;
    while (reader.next(batch)) {
      const std::size_t body = batch.records.find("xxx");
      if (body == std::string_view::npos) continue;
      const std::uint64_t at = batch.position - number * 4096;
      found.push_back({at - log::batch_header_size, at + body});
    }
    return found;
  }
  // Flips a bit in a body. Returns the offset of its batch.
  std::uint64_t flip_body(const std::string& segment, std::size_t which) {
    const Place place = places(segment).at(which);
    flip(segment, place.body);
    return place.batch;
  }

 private:
  std::vector<std::string> paths(const std::string& suffix) const {
    std::vector<std::string> found = fixture_.files.paths();
    std::erase_if(found, [&](const std::string& path) { return !path.ends_with(suffix); });
    return found;
  }
  VhostFixture fixture_;
};

struct ExpectedDamage {
  std::string file;
  std::uint64_t offset = 0;
  std::string what;
  // The least number of messages that must be there afterwards.
  std::size_t left = 0;
};
struct DamageKind {
  std::string name;
  std::function<ExpectedDamage(DamagedVhost&)> make;
};

inline std::vector<DamageKind> damage_kinds_of_segments() {
  using V = DamagedVhost;
  return {
      {"a batch in the middle",
       [](V& v) {
         const std::uint64_t offset = v.flip_body(v.segments()[1], 3);
         return ExpectedDamage{v.segments()[1], offset, "the next segment goes on", 299};
       }},
      {"a batch in the last segment",
       [](V& v) {
         const std::uint64_t offset = v.flip_body(v.segments().back(), 0);
         return ExpectedDamage{v.segments().back(), offset, "all before it was durable", 299};
       }},
      {"a segment's header",
       [](V& v) {
         v.flip(v.segments()[1], 33);
         return ExpectedDamage{v.segments()[1], 0, "damaged header", 300};
       }},
      {"a missing segment",
       [](V& v) {
         const std::string path = v.segments()[1];
         v.files().drop(path);
         return ExpectedDamage{path, 0, "is missing", 270};
       }},
      {"the checkpoint",
       [](V& v) {
         v.flip("log/checkpoint", v.files().bytes("log/checkpoint").size() - 20);
         return ExpectedDamage{"log/checkpoint", 0, "checksum", 300};
       }},
      {"a missing checkpoint",
       [](V& v) {
         v.files().drop("log/checkpoint");
         return ExpectedDamage{"log/checkpoint", 0, "is missing", 300};
       }},
      {"the newest segment",
       [](V& v) {
         const std::string path = v.segments().back();
         v.files().drop(path);
         return ExpectedDamage{path, 0, "is missing", 260};
       }},
      {"what tells the newest segment",
       [](V& v) {
         v.files().put("log/newest", "");
         return ExpectedDamage{"log/newest", 0, "no slot of it is whole", 300};
       }},
  };
}

inline std::vector<DamageKind> damage_kinds_of_piles() {
  using V = DamagedVhost;
  return {
      {"a pile's header",
       [](V& v) {
         v.flip(v.piles()[0], 33);
         return ExpectedDamage{v.piles()[0], 0, "damaged header", 300};
       }},
      {"a pile's block",
       [](V& v) {
         v.flip(v.piles()[0], log::pile_header_size + 200);
         return ExpectedDamage{v.piles()[0], log::pile_header_size, "checksum of its block", 1};
       }},
      {"the header of a pile's block",
       [](V& v) {
         v.flip(v.piles()[0], log::pile_header_size + 3);
         return ExpectedDamage{v.piles()[0], log::pile_header_size, "there is no block", 1};
       }},
      {"a missing pile",
       [](V& v) {
         const std::string path = v.piles()[1];
         v.files().drop(path);
         return ExpectedDamage{path, 0, "is missing", 1};
       }},
      {"a foreign pile",
       [](V& v) {
         const std::string path = v.piles()[1];
         v.flip(path, 17);
         return ExpectedDamage{path, 0, "belongs to another data directory", 300};
       }},
      {"all but the piles",
       [](V& v) {
         v.leave_piles_only();
         return ExpectedDamage{"log/checkpoint", 0, "is missing", 200};
       }},
      {"all but the piles, and another segment is called the first one",
       [](V& v) {
         const std::string bytes = v.files().bytes(v.segments().back());
         v.leave_piles_only();
         const std::string path = "log/" + log::segment_name(1);
         v.files().put(path, bytes);
         return ExpectedDamage{path, 0, "under another name", 200};
       }},
      {"all but the piles and the first segment",
       [](V& v) {
         v.leave_piles_only();
         std::string bytes =
             encode(log::SegmentHeader{.number = 1, .segment_size = 4096}, directory_id);
         bytes.resize(4096, '\0');
         v.files().put("log/" + log::segment_name(1), bytes);
         return ExpectedDamage{"log/newest", 0, "is missing", 200};
       }},
      {"a truncated pile",
       [](V& v) {
         const std::string path = v.piles()[1];
         const std::string bytes = v.files().bytes(path);
         v.files().put(path, bytes.substr(0, bytes.size() / 2));
         return ExpectedDamage{path, log::pile_header_size, "checksum of its block", 1};
       }},
  };
}

inline std::vector<DamageKind> damage_kinds() {
  std::vector<DamageKind> kinds = damage_kinds_of_segments();
  const std::vector<DamageKind> others = damage_kinds_of_piles();
  kinds.insert(kinds.end(), others.begin(), others.end());
  return kinds;
}

}  // namespace haypile::test
