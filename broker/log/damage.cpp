#include "log/damage.hpp"

#include <string_view>

#include "log/file_system.hpp"

namespace haypile::log {

std::string refusal_text(const Damage& damage) {
  constexpr std::string_view begin = "is damaged";
  std::string what = damage.what;
  if (damage.offset != 0) {
    const std::size_t at = what.starts_with(begin) ? begin.size() : what.size();
    what.insert(at, " at offset " + std::to_string(damage.offset));
  }
  return "'" + damage.file + "' " + what;
}

void Damages::add(Damage damage) {
  if (are_refused()) throw DamageError(refusal_text(damage));
  if (!is_known_) all_.push_back(std::move(damage));
}

}  // namespace haypile::log
