// The bytes on disk are those of the example in docs/log-format.md.
#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "support/log_fixture.hpp"

using namespace haypile;
using test::LogFixture;

namespace {

std::string hex_dump(std::string_view bytes) {
  std::string text;
  char part[32];
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    if (at % 16 == 0) {
      std::snprintf(part, sizeof part, "%s%04zx ", at == 0 ? "" : "\n", at);
      text += part;
    }
    std::snprintf(part, sizeof part, " %02x", static_cast<unsigned char>(bytes[at]));
    text += part;
  }
  return text;
}

}  // namespace

TEST_CASE("the format is the one that is written down") {
  LogFixture fixture;
  fixture.open();
  fixture.log->declare_queue(
      {.id = 1, .name = "task_queue", .durable = true, .auto_delete = false, .arguments = {}});
  engine::MessageView message{.exchange = "",
                              .routing_key = "task_queue",
                              .properties = std::string_view("\x10\x00\x02", 3),
                              .body = "Hello World!",
                              .published_at = 1'789'999'999'000};
  const engine::QueueId queue = 1;
  const engine::LogPosition position = fixture.log->publish(message, {&queue, 1});
  fixture.sync();
  fixture.log->begin_group();
  fixture.log->ack({queue, position});
  message.published_at = 1'790'000'000'000;
  fixture.log->publish(message, {&queue, 1});
  fixture.log->end_group();
  fixture.sync();
  const auto file = fixture.files.open(fixture.segment_path(1));
  const std::string dump = hex_dump(file->read(0, 320));
  std::ifstream stream(HAYPILE_SOURCE_DIR "/docs/log-format.md");
  const std::string document{std::istreambuf_iterator<char>(stream), {}};
  INFO(dump);
  CHECK(document.find(dump) != std::string::npos);
}
