#include "session/deaths.hpp"

#include <limits>
#include <string>
#include <vector>

#include "session/amqp_property_codec.hpp"

namespace haypile::session {

namespace {

constexpr std::string_view rejected = "rejected";

std::string_view text(engine::DeathReason reason) {
  switch (reason) {
    case engine::DeathReason::rejected:
      return rejected;
    case engine::DeathReason::expired:
      return "expired";
    case engine::DeathReason::maxlen:
      return "maxlen";
    case engine::DeathReason::delivery_limit:
      return "delivery_limit";
  }
  return "?";
}

bool has_text(const amqp::TableView& table, std::string_view key, std::string_view wanted) {
  return table.get<std::string_view>(key) == wanted;
}

// 0 if the value is missing, negative or not a number.
std::uint64_t number_in(const amqp::TableView& table, std::string_view key) {
  const std::int64_t number = table.get<std::int64_t>(key).value_or(0);
  return number > 0 ? static_cast<std::uint64_t>(number) : 0;
}

// Adds the fields to the empty `entry`, in RabbitMQ's order. Returns false if they are too many.
bool fill_new_entry(const engine::MessageView& message, const amqp::Properties& properties,
                    const engine::Death& death, amqp::Table& entry) {
  std::vector<amqp::Value> keys{message.routing_key};
  for (const std::string& key : strings_in_header(properties, "CC"))
    keys.emplace_back(key);
  entry.set("count", std::int64_t{1});
  entry.set("exchange", message.exchange);
  if (properties.expiration) entry.set("original-expiration", *properties.expiration);
  entry.set("queue", death.queue);
  entry.set("reason", text(death.reason));
  return entry.try_set("routing-keys", keys) &&
         entry.try_set("time", amqp::Timestamp{death.wall_time / 1000});
}

amqp::Table once_more(const amqp::TableView& old) {
  amqp::Table entry(old);
  const std::int64_t before = old.get<std::int64_t>("count").value_or(0);
  entry.set("count", before == std::numeric_limits<std::int64_t>::max() ? before : before + 1);
  return entry;
}

}  // namespace

Noted add_death(const engine::MessageView& message, const amqp::Properties& properties,
                const engine::Death& death, amqp::Table& headers) {
  const bool had_died = properties.headers && properties.headers->find("x-death");
  headers = properties.headers ? amqp::Table(*properties.headers) : amqp::Table();
  std::vector<amqp::Value> deaths(1);  // the first one is for this death
  bool is_new = true;
  for (const amqp::ValueView& value : headers.view().array("x-death")) {
    const auto entry = value.as_table();
    if (entry && is_new && has_text(*entry, "queue", death.queue) &&
        has_text(*entry, "reason", text(death.reason))) {
      deaths.front() = once_more(*entry);
      is_new = false;
    } else {
      deaths.emplace_back(value);
    }
  }
  if (deaths.size() > engine::dead_letter_count_max) return Noted::died_too_often;
  if (death.keys_replaced) headers.erase("CC");
  // A message that a consumer has rejected counts as an original again.
  if (death.reason == engine::DeathReason::rejected) headers.erase(copies_header);
  if (is_new) {
    amqp::Table entry;
    if (!fill_new_entry(message, properties, death, entry)) return Noted::no_room;
    deaths.front() = entry;
  }
  if (!headers.try_set("x-death", deaths)) return Noted::no_room;
  const bool is_complete =
      had_died || (headers.try_set("x-first-death-exchange", message.exchange) &&
                   headers.try_set("x-first-death-queue", death.queue) &&
                   headers.try_set("x-first-death-reason", text(death.reason)));
  return is_complete ? Noted::yes : Noted::no_room;
}

void remove_deaths(amqp::Table& headers) {
  for (const std::string_view name :
       {std::string_view("x-death"), std::string_view("x-first-death-exchange"),
        std::string_view("x-first-death-queue"), std::string_view("x-first-death-reason"),
        copies_header}) {
    headers.erase(name);
  }
}

std::vector<std::string> stations_in(const amqp::TableView& headers) {
  std::vector<std::string> stations;
  for (const amqp::ValueView& value : headers.array("x-death")) {
    const amqp::TableView entry = value.table();
    if (has_text(entry, "reason", rejected)) break;
    const auto name = entry.get<std::string_view>("queue");
    if (name) stations.emplace_back(*name);
  }
  return stations;
}

engine::CopyMark mark_in(const amqp::TableView& headers) {
  const amqp::TableView mark = headers.table(copies_header);
  return {.original = number_in(mark, "original"), .count = number_in(mark, "count")};
}

amqp::Table to_table(const engine::CopyMark& mark) {
  return {{"original", static_cast<std::int64_t>(mark.original)},
          {"count", static_cast<std::int64_t>(mark.count)}};
}

}  // namespace haypile::session
