#include "common.hpp"

#include <cstdlib>

#include <unistd.h>

namespace haypile::cli {

QueueInfo declare(Channel& channel, const CommonOptions& options) {
  try {
    return channel.queue_declare(options.queue, {.passive = options.passive, .durable = true});
  } catch (const ChannelClosed& closed) {
    const std::string hint = closed.reply_code == 406 ? "; use --passive to take the queue as it is"
                             : closed.reply_code == 404 ? "; without --passive it would be made"
                                                        : "";
    throw Error(closed.what() + hint);
  }
}

bool is_terminal(int descriptor) {
  return ::isatty(descriptor) == 1;
}

std::string colored(std::string_view text, const char* code) {
  static const bool colors = is_terminal(STDERR_FILENO) && std::getenv("NO_COLOR") == nullptr;
  if (!colors) return std::string(text);
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

}  // namespace haypile::cli
