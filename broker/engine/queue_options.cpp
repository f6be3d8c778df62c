#include "engine/queue_options.hpp"

namespace haypile::engine {

namespace {

constexpr std::uint64_t count_max = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t priority_limit = 255;
constexpr std::size_t name_size_max = 255;

class Reader {
 public:
  Reader(const TableReader& reader, std::string_view arguments, const std::string& place)
      : reader_(reader), arguments_(arguments), place_(place) {}

  bool has(std::string_view name) const { return reader_.find(arguments_, name).has_value(); }

  // Returns nothing if the argument is absent, or wrong; then error() says so.
  std::optional<std::uint64_t> integer(std::string_view name, std::uint64_t min,
                                       std::uint64_t max) {
    const auto value = reader_.find(arguments_, name);
    if (!value) return std::nullopt;
    if (value->kind == TableValue::Kind::integer && value->integer >= 0 &&
        static_cast<std::uint64_t>(value->integer) >= min &&
        static_cast<std::uint64_t>(value->integer) <= max) {
      return static_cast<std::uint64_t>(value->integer);
    }
    refuse(name, value->text,
           "an integer from " + std::to_string(min) + " to " + std::to_string(max));
    return std::nullopt;
  }
  std::optional<std::string> text(std::string_view name) {
    const auto value = reader_.find(arguments_, name);
    if (!value) return std::nullopt;
    if (value->kind == TableValue::Kind::text) return value->text;
    refuse(name, value->text, "a string");
    return std::nullopt;
  }
  std::optional<bool> boolean(std::string_view name) {
    const auto value = reader_.find(arguments_, name);
    if (!value) return std::nullopt;
    if (value->kind == TableValue::Kind::boolean) return value->integer != 0;
    refuse(name, value->text, "a boolean");
    return std::nullopt;
  }
  // Reads a name or a routing key, which must fit into a short string.
  std::optional<std::string> name(std::string_view argument) {
    auto value = text(argument);
    if (!value || value->size() <= name_size_max) return value;
    refuse(argument, value->substr(0, 32) + "…", "a string of at most 255 bytes");
    return std::nullopt;
  }
  // Accepts one of two words, which make no difference here.
  void one_of(std::string_view name, std::string_view one, std::string_view other) {
    const auto value = text(name);
    if (value && *value != one && *value != other) {
      refuse(name, *value, "'" + std::string(one) + "' or '" + std::string(other) + "'");
    }
  }
  void refuse(std::string_view name, const std::string& value, const std::string& expected) {
    if (error_) return;
    error_ = {ErrorCode::precondition_failed, "invalid arg '" + std::string(name) + "' " + place_ +
                                                  ": '" + value + "', expected " + expected};
  }
  void refuse(std::string text) {
    if (!error_) error_ = {ErrorCode::precondition_failed, std::move(text) + " " + place_};
  }
  Error error() { return std::move(error_); }

 private:
  const TableReader& reader_;
  std::string_view arguments_;
  const std::string& place_;
  Error error_;
};

void read_type(Reader& reader, const QueueDefinition& definition, bool exclusive,
               QueueOptions& out) {
  const std::string type = reader.text("x-queue-type").value_or("classic");
  out.quorum = type == "quorum";
  if (!out.quorum) {
    if (type == "stream") {
      reader.refuse(
          "queues of type 'stream' are not supported: a work queue forgets what was acked;");
    } else if (type != "classic") {
      reader.refuse("x-queue-type", type, "'classic' or 'quorum'");
    }
    return;
  }
  if (definition.auto_delete)
    reader.refuse("a queue of type 'quorum' cannot be auto-delete: declaration");
  if (definition.name.starts_with("amq."))
    reader.refuse("a queue of type 'quorum' needs a name: declaration");
  if (!definition.durable) reader.refuse("a queue of type 'quorum' has to be durable: declaration");
  if (exclusive) reader.refuse("a queue of type 'quorum' cannot be exclusive: declaration");
}

void read_limits(Reader& reader, QueueOptions& out) {
  out.length_max = reader.integer("x-max-length", 0, count_max).value_or(QueueOptions::unlimited);
  out.length_max_bytes =
      reader.integer("x-max-length-bytes", 0, count_max).value_or(QueueOptions::unlimited);
  const auto overflow = reader.text("x-overflow");
  if (!overflow || *overflow == "drop-head") return;
  if (*overflow == "reject-publish") {
    out.overflow = Overflow::reject_publish;
  } else if (*overflow == "reject-publish-dlx") {
    out.overflow = Overflow::reject_publish_dlx;
  } else {
    reader.refuse("x-overflow", *overflow, "drop-head, reject-publish or reject-publish-dlx");
  }
}

// Arguments that RabbitMQ has for queues of one type only, or for streams.
struct TypeSpecificArgument {
  std::string_view name;
  bool in_classic;
  bool in_quorum;
};
constexpr TypeSpecificArgument type_specific_arguments[] = {
    {"x-queue-mode", true, false},
    {"x-max-priority", true, false},
    {"x-dead-letter-strategy", false, true},
    {"x-quorum-initial-group-size", false, true},
    {"x-max-age", false, false},
    {"x-stream-max-segment-size-bytes", false, false},
};

// Checks arguments that have no effect here but must be of the right type.
void check_others(Reader& reader, bool quorum) {
  for (const auto& [name, in_classic, in_quorum] : type_specific_arguments) {
    if (!reader.has(name) || (quorum ? in_quorum : in_classic)) continue;
    reader.refuse("argument '" + std::string(name) + "' is not for a queue of type '" +
                  (quorum ? "quorum" : "classic") + "': declaration");
  }
  reader.one_of("x-queue-mode", "default", "lazy");
  reader.one_of("x-dead-letter-strategy", "at-most-once", "at-least-once");
  reader.integer("x-queue-version", 1, 2);
  reader.integer("x-max-in-memory-length", 0, count_max);
  reader.integer("x-max-in-memory-bytes", 0, count_max);
}

constexpr std::string_view equivalence_arguments[] = {
    "x-expires",
    "x-message-ttl",
    "x-max-length",
    "x-max-length-bytes",
    "x-overflow",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-max-priority",
    "x-single-active-consumer",
    "x-delivery-limit",
    "x-queue-mode",
};

}  // namespace

Error read_queue_options(const TableReader& reader, const QueueDefinition& definition,
                         bool exclusive, const std::string& place, QueueOptions& out) {
  out = {};
  if (definition.arguments.empty()) return {};
  Reader arguments(reader, definition.arguments, place);
  read_type(arguments, definition, exclusive, out);
  out.message_ttl_ms = arguments.integer("x-message-ttl", 0, time_max_ms);
  out.expires_ms = arguments.integer("x-expires", 1, time_max_ms);
  read_limits(arguments, out);
  out.dead_letter_exchange = arguments.name("x-dead-letter-exchange");
  out.dead_letter_routing_key = arguments.name("x-dead-letter-routing-key");
  if (out.dead_letter_routing_key && !arguments.has("x-dead-letter-exchange")) {
    arguments.refuse("'x-dead-letter-routing-key' without 'x-dead-letter-exchange'");
  }
  out.priority_max =
      static_cast<std::uint8_t>(arguments.integer("x-max-priority", 0, priority_limit).value_or(0));
  out.single_active_consumer = arguments.boolean("x-single-active-consumer").value_or(false);
  out.delivery_limit = arguments.integer("x-delivery-limit", 0, count_max);
  check_others(arguments, out.quorum);
  return arguments.error();
}

std::vector<EffectiveArgument> effective_arguments(const TableReader& reader,
                                                   std::string_view arguments) {
  std::vector<EffectiveArgument> effective;
  effective.push_back({"x-queue-type", reader.text(arguments, "x-queue-type").value_or("classic")});
  for (const std::string_view name : equivalence_arguments) {
    if (const auto value = reader.find(arguments, name)) effective.push_back({name, value->text});
  }
  return effective;
}

}  // namespace haypile::engine
