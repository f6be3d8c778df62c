#include "common.hpp"

#include <cstdio>
#include <cstdlib>

#include <unistd.h>

#include <haypile/amqp/printable.hpp>

namespace haypile::cli {

QueueInfo declare(Channel& channel, const std::string& queue, const CommonOptions& options) {
  QueueOptions wanted{.passive = options.passive, .durable = true};
  if (options.quorum) wanted.arguments.set("x-queue-type", "quorum");
  try {
    return channel.queue_declare(queue, wanted);
  } catch (const ChannelClosed& closed) {
    const std::string hint = closed.reply_code == 406 ? "; use --passive to take the queue as it is"
                             : closed.reply_code == 404 && options.passive
                                 ? "; without --passive it would be made"
                                 : "";
    throw Error(closed.what() + hint);
  }
}

std::string messages(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " message" : " messages");
}

std::string seconds_text(std::chrono::milliseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%g s", static_cast<double>(time.count()) / 1000);
  return text;
}

std::string shown(std::string_view text) {
  constexpr std::string_view scheme_end = "://";
  constexpr std::size_t size_max = 4096;
  std::string without_login;
  while (text.find(scheme_end) != std::string_view::npos) {
    const std::size_t start = text.find(scheme_end) + scheme_end.size();
    without_login += text.substr(0, start);
    text.remove_prefix(start);
    // A password that is not percent-encoded may contain any character.
    const std::size_t at = text.rfind('@');
    if (at == std::string_view::npos) continue;
    without_login += "...";
    text.remove_prefix(at);
  }
  return amqp::printable(without_login.append(text), size_max);
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
