#include "command_line/manual.hpp"

#include <iostream>
#include <sstream>
#include <vector>

#include "command_line/help.hpp"
#include "command_line/values.hpp"

namespace haypile::command_line {

namespace {

// Text that roff prints as it is.
std::string roff(const std::string& text) {
  std::string out;
  bool is_line_start = true;
  for (const char c : text) {
    if (is_line_start && (c == '.' || c == '\'')) out += "\\&";
    is_line_start = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string upper(std::string text) {
  for (char& c : text)
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

std::string with_value(const CLI::Option& option, const std::string& name) {
  const std::string& value = option.get_option_text();
  return "\\fB" + roff(name) + "\\fR" + (value.empty() ? "" : " \\fI" + roff(value) + "\\fR");
}

std::string options_page(const CLI::App& command) {
  std::string page;
  for (const CLI::Option* option : shown_options(command)) {
    const std::string name =
        option->nonpositional() ? option->get_name(false, true) : option->get_name(true, false);
    page += ".TP\n" + with_value(*option, name) + "\n" + roff(described(*option)) + "\n";
  }
  return page;
}

std::string synopsis(const CLI::App& program, const CLI::App& command) {
  std::string text = "\\fB" + roff(program.get_name());
  if (&program != &command) text += " " + roff(command.get_name());
  text += "\\fR [\\fIOPTIONS\\fR]";
  for (const CLI::Option* option : shown_options(command)) {
    if (!option->get_positional()) continue;
    const std::string name = "\\fI" + roff(option->get_name(true, false)) + "\\fR";
    text += option->get_required() ? " " + name : " [" + name + "]";
  }
  return text;
}

// The long names of options, and the short ones.
std::string option_words(const CLI::App& command) {
  std::string words;
  for (const CLI::Option* option : shown_options(command)) {
    for (const std::string& name : option->get_lnames())
      words += (words.empty() ? "--" : " --") + name;
    for (const std::string& name : option->get_snames())
      words += (words.empty() ? "-" : " -") + name;
  }
  return words;
}

// A case for each option whose values are words.
std::string value_cases(const CLI::App& command) {
  std::string cases;
  for (const CLI::Option* option : shown_options(command)) {
    std::string values = option->get_option_text();
    if (values.find('|') == std::string::npos) continue;
    for (char& c : values)
      c = c == '|' ? ' ' : c;
    for (const std::string& name : option->get_lnames())
      cases.append("    --").append(name).append(") words='").append(values).append("' ;;\n");
  }
  return cases;
}

}  // namespace

std::string man_page(const CLI::App& program, const std::string& version) {
  const std::string& name = program.get_name();
  std::string page = ".TH " + upper(name) + " 1 \"\" \"" + roff(version) + "\" \"Haypile\"\n";
  page += ".SH NAME\n" + name + " \\- " + roff(program.get_description()) + "\n.SH SYNOPSIS\n";
  const auto commands = shown_commands(program);
  if (commands.empty()) page += synopsis(program, program) + "\n";
  for (const CLI::App* command : commands)
    page += synopsis(program, *command) + "\n.br\n";
  if (!commands.empty()) page += ".SH COMMANDS\n";
  for (const CLI::App* command : commands) {
    page += ".SS " + roff(command->get_name()) + "\n" + roff(command->get_description()) + "\n";
    page += options_page(*command);
    if (!command->get_footer().empty()) {
      page += ".PP\n.nf\n" + roff(command->get_footer()) + "\n.fi\n";
    }
  }
  page += ".SH OPTIONS\n" + options_page(program);
  if (!program.get_footer().empty()) {
    page += ".SH NOTES\n.nf\n" + roff(program.get_footer()) + "\n.fi\n";
  }
  return page;
}

std::string bash_completion(const CLI::App& program) {
  const std::string& name = program.get_name();
  std::string names;
  std::string cases;
  std::string values = value_cases(program);
  for (const CLI::App* command : shown_commands(program)) {
    names += (names.empty() ? "" : " ") + command->get_name();
    cases += "    " + command->get_name() + ") words='" + option_words(*command) + "' ;;\n";
    values += value_cases(*command);
  }
  std::ostringstream script;
  script << "# Completion of " << name << " for bash.\n"
         << "_" << name << "() {\n"
         << "  local current=${COMP_WORDS[COMP_CWORD]} command= words= word\n"
         << "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         << "    [ \"$word\" = -- ] && return\n"
         << "    [[ -z $command && ' " << names << " ' == *\" $word \"* ]] && command=$word\n"
         << "  done\n"
         << "  case $command in\n"
         << cases << "    '') words='" << names << (names.empty() ? "" : " ")
         << option_words(program) << "' ;;\n"
         << "  esac\n"
         << "  case ${COMP_WORDS[COMP_CWORD-1]} in\n"
         << values << "    *) [[ $current != -* && -n $command ]] && return ;;\n"
         << "  esac\n"
         << "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         << "}\n"
         << "complete -o default -F _" << name << " " << name << "\n";
  return script.str();
}

CLI::Option* add_print_option(CLI::App& program, const std::string& version) {
  const auto print = [&program, version](const std::string& what) {
    std::cout << (what == "man" ? man_page(program, version) : bash_completion(program));
    throw CLI::Success();
  };
  return program.add_option_function<std::string>("--print", print)
      ->check(one_of({"man", "completion"}))
      ->trigger_on_parse()
      ->configurable(false)
      ->group("");
}

}  // namespace haypile::command_line
