#include "queue_commands.hpp"

#include <iostream>

#include "hosts.hpp"
#include "json_values.hpp"

namespace haypile::cli {

namespace {

// Looks whether the queue exists. AMQP lets somebody delete a queue that does not exist; a
// person wants to hear of the mistake.
QueueInfo look(Channel& channel, const CommonOptions& options) {
  return channel.queue_declare(options.queue, {.passive = true});
}

}  // namespace

int status(const CommonOptions& options, bool is_json) {
  Connection connection = Hosts(options.uris).connect();
  Channel channel = connection.channel();
  const QueueInfo info = look(channel, options);
  if (is_json) {
    Json json;
    set_text(json, "queue", info.name);
    json["ready"] = info.message_count;
    json["consumers"] = info.consumer_count;
    std::cout << line_of(json) << '\n';
  } else {
    std::cout << shown(info.name) << ": " << info.message_count << " ready, " << info.consumer_count
              << (info.consumer_count == 1 ? " consumer\n" : " consumers\n");
  }
  return exit_ok;
}

int purge(const CommonOptions& options) {
  Connection connection = Hosts(options.uris).connect();
  Channel channel = connection.channel();
  look(channel, options);
  std::cout << shown(options.queue) << ": " << messages(channel.queue_purge(options.queue))
            << " dropped\n";
  return exit_ok;
}

int delete_queue(const CommonOptions& options, bool if_unused, bool if_empty) {
  Connection connection = Hosts(options.uris).connect();
  Channel channel = connection.channel();
  look(channel, options);
  const std::uint32_t count = channel.queue_delete(options.queue, if_unused, if_empty);
  std::cout << shown(options.queue) << ": deleted with " << messages(count) << '\n';
  return exit_ok;
}

}  // namespace haypile::cli
