#include "session/fault.hpp"

namespace haypile::session {

std::string reply_text(const Fault& fault) {
  const std::string text = std::string(amqp::name(fault.code)) + " - " + fault.text;
  return std::string(amqp::clip_short_string(text));
}

}  // namespace haypile::session
