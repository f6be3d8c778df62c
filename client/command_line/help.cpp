#include "command_line/help.hpp"

#include <sstream>

namespace haypile::command_line {

namespace {

constexpr std::size_t columns = 80;
constexpr std::size_t description_column = 30;

// The words of `text` in lines that end at `columns`; all but the first begin at `indent`.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::istringstream words(text);
  std::string lines;
  std::size_t column = indent;
  for (std::string word; words >> word;) {
    if (column > indent && column + 1 + word.size() > columns) {
      lines += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += word.size();
  }
  return lines;
}

// A name in the first column and its description in the second one.
std::string entry(const std::string& name, const std::string& description) {
  std::string text = "  " + name;
  if (text.size() + 1 >= description_column) {
    text += '\n' + std::string(description_column, ' ');
  } else {
    text.resize(description_column, ' ');
  }
  return text + wrapped(description, description_column) + '\n';
}

class Help : public CLI::Formatter {
 public:
  Help() {
    label("SUBCOMMAND", "COMMAND");
    label("Positionals", "Arguments");
  }

  std::string make_description(const CLI::App* command) const override {
    return wrapped(command->get_description(), 0) + "\n";
  }
  std::string make_usage(const CLI::App* command, std::string name) const override {
    if (shown_commands(*command).empty()) return CLI::Formatter::make_usage(command, name);
    return "Usage: " + command->get_name() + " COMMAND [OPTIONS]\n";
  }
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    const std::string name = make_option_name(option, is_positional);
    return entry(is_positional ? name : name + make_option_opts(option), described(*option));
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string& text = option->get_option_text();
    return text.empty() ? "" : " " + text;
  }
  std::string make_subcommand(const CLI::App* command) const override {
    return entry(command->get_name(), command->get_description());
  }
};

}  // namespace

std::shared_ptr<CLI::Formatter> help_format() {
  return std::make_shared<Help>();
}

std::string described(const CLI::Option& option) {
  const std::string& text = option.get_default_str();
  return option.get_description() + (text.empty() ? "" : " [" + text + "]");
}

std::vector<const CLI::Option*> shown_options(const CLI::App& command) {
  return command.get_options(
      [](const CLI::Option* option) { return !option->get_group().empty(); });
}

std::vector<const CLI::App*> shown_commands(const CLI::App& program) {
  return program.get_subcommands(
      [](const CLI::App* command) { return !command->get_group().empty(); });
}

std::string error_text(const CLI::ParseError& error) {
  std::string text = error.what();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) == nullptr) return text;
  const std::string option = text.substr(0, text.find(':'));
  const bool is_missing = text.ends_with("missing");
  return option + (is_missing ? " needs a value" : " can be given only once");
}

}  // namespace haypile::command_line
