// The engine's look into field tables.
#pragma once

#include "engine/table_reader.hpp"

namespace haypile::session {

class FieldReader final : public engine::TableReader {
 public:
  std::vector<engine::TableField> fields(std::string_view table) const override;
  std::optional<std::string> text(std::string_view table, std::string_view name) const override;
};

}  // namespace haypile::session
