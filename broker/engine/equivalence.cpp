#include "engine/equivalence.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/queue_options.hpp"

namespace haypile::engine {

namespace {

const char* text(ExchangeType type) {
  switch (type) {
    case ExchangeType::direct:
      return "direct";
    case ExchangeType::fanout:
      return "fanout";
    case ExchangeType::topic:
      return "topic";
    case ExchangeType::headers:
      return "headers";
  }
  return "?";
}

std::string text(bool value) {
  return value ? "true" : "false";
}

std::string text(const std::string& name) {
  return name.empty() ? "none" : name;
}

Error inequivalent(const std::string& vhost, const std::string& kind, const std::string& name,
                   std::string_view argument, const std::string& received,
                   const std::string& current) {
  return {ErrorCode::precondition_failed, "inequivalent arg '" + std::string(argument) + "' for " +
                                              kind + " '" + name + "' in vhost '" + vhost +
                                              "': received '" + received + "' but current is '" +
                                              current + "'"};
}

std::string value_in(const std::vector<EffectiveArgument>& all, std::string_view name) {
  const auto found = std::ranges::find(all, name, &EffectiveArgument::name);
  return found == all.end() ? "none" : found->value;
}

}  // namespace

Error check_same(const std::string& vhost, const Exchange& exchange,
                 const ExchangeDefinition& wanted, const std::string& alternate) {
  const ExchangeDefinition& current = exchange.definition();
  const auto differs = [&](const char* argument, const std::string& received,
                           const std::string& is) {
    return inequivalent(vhost, "exchange", wanted.name, argument, received, is);
  };
  if (wanted.type != current.type) return differs("type", text(wanted.type), text(current.type));
  if (wanted.durable != current.durable) {
    return differs("durable", text(wanted.durable), text(current.durable));
  }
  if (wanted.auto_delete != current.auto_delete) {
    return differs("auto_delete", text(wanted.auto_delete), text(current.auto_delete));
  }
  if (wanted.internal != current.internal) {
    return differs("internal", text(wanted.internal), text(current.internal));
  }
  if (alternate != exchange.alternate()) {
    return differs("alternate-exchange", text(alternate), text(exchange.alternate()));
  }
  return {};
}

Error check_same(const std::string& vhost, const TableReader& reader, const Queue& queue,
                 const QueueDefinition& wanted, OwnerId owner) {
  const QueueDefinition& current = queue.definition();
  const auto differs = [&](std::string_view argument, const std::string& received,
                           const std::string& is) {
    return inequivalent(vhost, "queue", wanted.name, argument, received, is);
  };
  if (wanted.durable != current.durable) {
    return differs("durable", text(wanted.durable), text(current.durable));
  }
  if (wanted.auto_delete != current.auto_delete) {
    return differs("auto_delete", text(wanted.auto_delete), text(current.auto_delete));
  }
  if ((owner != 0) != (queue.owner() != 0)) {
    Error error = differs("exclusive", text(owner != 0), text(queue.owner() != 0));
    return {ErrorCode::resource_locked, std::move(error.text)};
  }
  if (wanted.arguments == current.arguments) return {};
  const auto received = effective_arguments(reader, wanted.arguments);
  const auto has = effective_arguments(reader, current.arguments);
  for (const auto* side : {&received, &has}) {
    for (const EffectiveArgument& argument : *side) {
      const std::string in_wanted = value_in(received, argument.name);
      const std::string in_current = value_in(has, argument.name);
      if (in_wanted != in_current) return differs(argument.name, in_wanted, in_current);
    }
  }
  return {};
}

}  // namespace haypile::engine
