#include "status.hpp"

#include <iostream>

namespace haypile::cli {

int status(const CommonOptions& options) {
  Connection connection(options.uri);
  Channel channel = connection.channel();
  const QueueInfo info = channel.queue_declare(options.queue, {.passive = true});
  std::cout << shown(info.name) << ": " << info.message_count << " ready, " << info.consumer_count
            << (info.consumer_count == 1 ? " consumer\n" : " consumers\n");
  return exit_ok;
}

}  // namespace haypile::cli
