#include "daemon/options.hpp"

#include <array>
#include <cstdlib>
#include <fstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace haypile {

namespace {

constexpr std::array log_levels{"debug", "info", "warning", "error", "off"};

// The default of the XDG base directory specification.
std::filesystem::path default_data_directory() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state && *state == '/') {
    return std::filesystem::path(state) / "haypile";
  }
  const char* home = std::getenv("HOME");
  return home && *home ? std::filesystem::path(home) / ".local/state/haypile" : "";
}

// The text of an option as it would be on the command line.
std::string option_text(const std::string& name, const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
  throw OptionError("'" + name + "' has to be a string or a number, got " + value.dump());
}

// The texts of an option. If it can be given several times, the value may be a list.
std::vector<std::string> option_texts(const std::string& name, const nlohmann::json& value) {
  if (!value.is_array() || name != "bind") return {option_text(name, value)};
  std::vector<std::string> texts;
  for (const nlohmann::json& element : value)
    texts.push_back(option_text(name, element));
  return texts;
}

nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw OptionError("cannot read it");
  nlohmann::json json = nlohmann::json::parse(file, nullptr, false);
  if (json.is_discarded()) throw OptionError("it is not valid JSON");
  if (!json.is_object()) throw OptionError("it has to be a JSON object");
  return json;
}

// Sets the options that the file has and the command line has not.
void apply_config(CLI::App& app, const std::string& path) {
  try {
    const nlohmann::json json = read_json(path);
    for (const auto& [name, value] : json.items()) {
      CLI::Option* option = app.get_option_no_throw("--" + name);
      if (!option || !option->get_configurable()) {
        throw OptionError("there is no option '" + name + "'");
      }
      if (option->count() > 0) continue;
      for (const std::string& text : option_texts(name, value))
        option->add_result(text);
      option->run_callback();
    }
  } catch (const std::runtime_error& error) {
    throw OptionError("configuration file '" + path + "': " + error.what());
  }
}

void add_commands(CLI::App& app, DaemonOptions& options) {
  CLI::Option* check =
      app.add_option("--check", options.check,
                     "Reads a data directory, all of it, changes nothing and says what is damaged")
          ->type_name("DIR")
          ->configurable(false);
  app.add_flag("--json", options.json, "With --check: as JSON")->needs(check)->configurable(false);
  CLI::Option* salvage =
      app.add_option("--salvage", options.salvage,
                     "Says what has to be dropped of a damaged data directory to start again")
          ->type_name("DIR")
          ->excludes(check)
          ->configurable(false);
  app.add_flag("--yes", options.yes, "With --salvage: does it, and keeps the originals beside")
      ->needs(salvage)
      ->configurable(false);
}

}  // namespace

DaemonOptions parse_options(int argc, char** argv) {
  DaemonOptions options;
  options.data_directory = default_data_directory();
  std::string config;
  CLI::App app("Haypile, a work-queue broker that speaks AMQP 0-9-1.", "haypiled");
  app.add_option("--data-dir", options.data_directory, "Where durable queues and messages are kept")
      ->capture_default_str();
  app.add_option("--bind", options.bind,
                 "Address or name to listen on, also several times [127.0.0.1 and ::1]")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--port", options.port, "Port to listen on, 0 for any that is free")
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "debug, info, warning, error or off")
      ->check(CLI::IsMember(log_levels))
      ->capture_default_str();
  app.add_option("--product", options.product, "Name that clients are told")->capture_default_str();
  app.add_option(
         "--memory-limit", options.memory_limit_bytes,
         "Bytes; with more of messages in memory publishers are blocked [half of the memory]")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--message-size-max", options.message_size_max_bytes,
                 "Bytes; larger messages are refused; at most a quarter of --memory-limit [16 MiB]")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--disk-free-limit", options.disk_free_limit_bytes,
                 "Bytes; with less room on the disk publishers are blocked [64 MiB]")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--log-size", options.log_size_bytes,
                 "Bytes; the log itself, without messages that stay long [64 MiB]")
      ->transform(CLI::AsSizeValue(false) &
                  CLI::Range(std::uint64_t{8} << 20, std::uint64_t{1} << 40));
  app.add_option("--queue-memory", options.queue_memory_bytes,
                 "Bytes; more of waiting messages are kept on disk only [8 MiB]")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--login-max", options.login_max,
                 "Connections that have not logged in yet; more are closed at once")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--login-max-per-address", options.login_max_per_address,
                 "The same, of one address that is not this machine's")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--config", config, "JSON object with these options, e.g. {\"port\": 5673}")
      ->configurable(false);
  add_commands(app, options);
  app.set_version_flag("--version", "haypiled " HAYPILE_VERSION)->configurable(false);
  app.get_option("--help")->configurable(false);
  try {
    app.parse(argc, argv);
    if (!config.empty()) apply_config(app, config);
  } catch (const CLI::Success& success) {
    throw Exit{app.exit(success)};
  } catch (const CLI::ExtrasError&) {
    throw OptionError("unknown option '" + app.remaining().front() + "' (see haypiled --help)");
  } catch (const CLI::ParseError& error) {
    throw OptionError(std::string(error.what()) + " (see haypiled --help)");
  }
  if (options.data_directory.empty()) {
    throw OptionError("no place for data: HOME is not set, so --data-dir has to be given");
  }
  return options;
}

}  // namespace haypile
