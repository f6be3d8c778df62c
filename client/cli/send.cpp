#include "send.hpp"

#include <cerrno>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <system_error>

#include <unistd.h>

#include "hosts.hpp"
#include "interrupt.hpp"
#include "json_values.hpp"
#include "sender.hpp"
#include "splitter.hpp"

namespace haypile::cli {

namespace {

// A line on a terminal that is rewritten now and then.
class Progress {
 public:
  void show(std::uint64_t confirmed_count) {
    if (!enabled_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + std::chrono::milliseconds(200);
    std::cerr << "\r" << confirmed_count << " messages confirmed" << std::flush;
    shown_ = true;
  }
  ~Progress() {
    if (shown_) std::cerr << "\r\x1b[K";
  }

 private:
  const bool enabled_ = is_terminal(STDERR_FILENO);
  std::chrono::steady_clock::time_point next_ =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  bool shown_ = false;
};

std::string reason() {
  return std::generic_category().message(errno);
}

// Returns 0 at the end.
std::size_t read_some(char* buffer, std::size_t size) {
  ssize_t count = 0;
  do
    count = ::read(STDIN_FILENO, buffer, size);
  while (count < 0 && errno == EINTR);
  if (count < 0) throw Error("cannot read standard input: " + reason());
  return static_cast<std::size_t>(count);
}

// Sends each message of standard input. When the input pauses, what was sent is confirmed first: a
// message does not wait for the next one to be safe.
void send_stream(Sender& sender, char separator) {
  Progress progress;
  Splitter splitter(separator);
  std::string buffer(1u << 16, '\0');
  while (true) {
    if (!Interrupt::is_readable(STDIN_FILENO)) sender.wait();
    progress.show(sender.confirmed_count());
    if (!Interrupt::wait_readable(STDIN_FILENO)) break;
    const std::size_t size = read_some(buffer.data(), buffer.size());
    if (size == 0) {
      if (const auto rest = splitter.rest()) sender.send(*rest);
      break;
    }
    splitter.add(std::string_view(buffer).substr(0, size));
    while (const auto message = splitter.next())
      sender.send(*message);
  }
  sender.wait();
}

std::string read_file(const std::string& name) {
  std::ifstream file;
  if (name != "-") {
    file.open(name, std::ios::binary);
    if (!file) throw Error("cannot read '" + name + "': " + reason());
  }
  std::istream& input = name == "-" ? std::cin : file;
  std::string content{std::istreambuf_iterator<char>(input), {}};
  if (input.bad()) throw Error("cannot read '" + name + "'");
  return content;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : " ") + word;
  return text;
}

// The only message, if it is not a stream.
std::string single_message(const SendOptions& options) {
  if (!options.file.empty()) return read_file(options.file);
  return options.words.empty() ? "Hello World!" : join(options.words);
}

void print_summary(const SendOptions& options, const Sender& sender, const std::string& error) {
  if (options.is_json) {
    Json json;
    set_text(json, "queue", options.common.queue);
    json["sent"] = sender.sent_count();
    json["confirmed"] = sender.confirmed_count();
    json["returned"] = sender.returned_count();
    json["interrupted"] = Interrupt::is_requested();
    if (!error.empty()) set_text(json, "error", shown(error));
    std::cout << line_of(json) << std::endl;
  } else if (error.empty() && !Interrupt::is_requested() && is_terminal(STDERR_FILENO)) {
    std::cerr << colored("✓", "32") << " " << messages(sender.confirmed_count()) << " in '"
              << shown(options.common.queue) << "', confirmed\n";
  }
}

}  // namespace

int send(const SendOptions& options) {
  const std::optional<std::string> single =
      options.is_stream() ? std::nullopt : std::optional(single_message(options));
  Connection connection = Hosts(options.common.uris).connect();
  const Interrupt interrupt;
  Sender sender(connection, options.common, options.outgoing.properties());
  try {
    if (single) {
      sender.send(*single);
      sender.wait();
    } else {
      send_stream(sender, options.is_null_separated ? '\0' : '\n');
    }
  } catch (const Error& error) {
    const std::string text = std::string(error.what()) + "; at least " +
                             std::to_string(sender.confirmed_count()) + " messages are confirmed";
    print_summary(options, sender, text);
    throw Error(single ? error.what() : text);
  }
  print_summary(options, sender, "");
  if (!Interrupt::is_requested()) return exit_ok;
  std::cerr << "haypile: interrupted; " << messages(sender.confirmed_count())
            << (sender.confirmed_count() == 1 ? " is" : " are") << " confirmed\n";
  return exit_interrupted;
}

}  // namespace haypile::cli
