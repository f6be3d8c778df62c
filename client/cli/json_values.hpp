// Values of AMQP as JSON and back.
#pragma once

#include <string>
#include <string_view>

#include <haypile/amqp/table.hpp>
#include <haypile/message.hpp>
#include <nlohmann/json.hpp>

namespace haypile::cli {

using Json = nlohmann::ordered_json;

// Sets `name` to the text. Octets that are not UTF-8 are set as `name` + "_base64".
void set_text(Json& object, const std::string& name, std::string_view text);

// The value in the JSON type that is nearest: times are seconds, decimals are numbers, octets that
// are not UTF-8 are an object with the member "base64".
Json json_of(amqp::ValueView value);
Json json_of(amqp::TableView table);

// Properties that are set, without headers, by name.
Json json_of(const Properties& properties);

// The value that a table can hold. Throws Error for an integer that does not fit into 64 signed
// bits.
amqp::Value value_of(const Json& json);

// One line. Octets of keys that are not UTF-8 are replaced.
std::string line_of(const Json& json);

std::string base64(std::string_view bytes);

}  // namespace haypile::cli
