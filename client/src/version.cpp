#include <haypile/version.hpp>

namespace haypile {

std::string_view version() noexcept {
  return HAYPILE_VERSION;
}

}  // namespace haypile
