#include <haypile/amqp/methods.hpp>

#include <utility>

namespace haypile::amqp {
namespace {

// Calls `visit` with the type M that has this id; returns false if there is none.
template <std::size_t... indices>
bool with_method(MethodId id, auto&& visit, std::index_sequence<indices...>) {
  return ((std::variant_alternative_t<indices, Method>::id == id &&
           (visit(std::in_place_type<std::variant_alternative_t<indices, Method>>), true)) ||
          ...);
}

using AllMethods = std::make_index_sequence<std::variant_size_v<Method>>;

}  // namespace

DecodeError decode_method(std::string_view payload, Method& out) {
  if (payload.size() < method_id_size) return DecodeError::truncated;
  DecodeError error = DecodeError::unknown_method;
  const auto decode = [&]<class M>(std::in_place_type_t<M>) {
    error = decode_arguments(payload.substr(method_id_size), out.emplace<M>());
  };
  with_method(peek_method_id(payload), decode, AllMethods{});
  return error;
}

bool append_method(std::string& out, std::uint16_t channel, const Method& method) {
  return std::visit([&](const auto& m) { return append_method(out, channel, m); }, method);
}

std::string_view method_name(const Method& method) {
  return std::visit([](const auto& m) { return m.name; }, method);
}

std::string_view method_name(MethodId id) {
  std::string_view name = "unknown";
  const auto take = [&]<class M>(std::in_place_type_t<M>) { name = M::name; };
  with_method(id, take, AllMethods{});
  return name;
}

}  // namespace haypile::amqp
