// Checks of the values of options. Their errors say what would be right.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace haypile::command_line {

// Takes a whole number from `min` to `max`.
CLI::Validator whole_number(std::uint64_t min, std::uint64_t max);

// Takes a number of bytes from `min` to `max`, also with a unit: 65536, 64k, 64KB or 64KiB, up to
// E. A unit is a power of 1024 in each spelling. Replaces the text by the number of bytes.
CLI::Validator size(std::uint64_t min, std::uint64_t max);

// Takes one of the words.
CLI::Validator one_of(std::vector<std::string> words);

// The size with the largest unit that leaves a whole number, such as "64MiB".
std::string size_text(std::uint64_t bytes);

// Reads a time in seconds, such as 90 or 0.5, of at most a year. Throws CLI::ValidationError.
std::chrono::milliseconds seconds(const std::string& option, const std::string& text);

}  // namespace haypile::command_line
