// The properties of the messages that `haypile send` publishes.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <haypile/amqp/table.hpp>
#include <haypile/message.hpp>

namespace haypile::cli {

// Collects properties and headers as they are on the command line, and owns them.
class Outgoing {
 public:
  // Takes "NAME=VALUE". The name is that of a property other than headers; '-' counts as '_'.
  // Throws Error if there is no such property, or if the value does not fit.
  void set_property(std::string_view text);
  // Takes "NAME=TEXT" or "NAME:=JSON". JSON numbers, true, false, null, lists and objects become
  // values of the same kind. Throws Error.
  void set_header(std::string_view text);

  // Persistent, if no property says otherwise. The views are valid until this is changed or ends.
  Properties properties() const;

 private:
  Properties numbers_{.delivery_mode = persistent};
  std::map<std::string, std::string, std::less<>> texts_;
  amqp::Table headers_;
};

}  // namespace haypile::cli
