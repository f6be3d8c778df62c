// The class tx: transactions.
#pragma once

#include <string_view>
#include <tuple>

#include <haypile/amqp/types.hpp>

namespace haypile::amqp::tx {

struct Select {
  static constexpr MethodId id{90, 10};
  static constexpr std::string_view name = "tx.select";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

struct SelectOk {
  static constexpr MethodId id{90, 11};
  static constexpr std::string_view name = "tx.select-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

struct Commit {
  static constexpr MethodId id{90, 20};
  static constexpr std::string_view name = "tx.commit";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

struct CommitOk {
  static constexpr MethodId id{90, 21};
  static constexpr std::string_view name = "tx.commit-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

struct Rollback {
  static constexpr MethodId id{90, 30};
  static constexpr std::string_view name = "tx.rollback";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

struct RollbackOk {
  static constexpr MethodId id{90, 31};
  static constexpr std::string_view name = "tx.rollback-ok";
  auto fields() { return std::tie(); }
  auto fields() const { return std::tie(); }
};

}  // namespace haypile::amqp::tx
