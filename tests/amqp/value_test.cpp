#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <haypile/amqp/table.hpp>
#include <haypile/amqp/types.hpp>

using namespace haypile::amqp;

namespace {

template <class... Types>
constexpr bool all_become_values = (std::is_convertible_v<Types, Value> && ...);

// Not even a conversion that is asked for by name is possible.
template <class... Types>
constexpr bool none_becomes_a_value = (!std::is_constructible_v<Value, Types> && ...);

enum Unscoped { one = 1 };
enum class Scoped : int { one = 1 };
__extension__ using Int128 = __int128;
__extension__ using UnsignedInt128 = unsigned __int128;

static_assert(
    all_become_values<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, int, unsigned, long,
                      unsigned long, long long, unsigned long long, std::size_t, std::ptrdiff_t>);
static_assert(all_become_values<bool, float, double, std::nullptr_t, Timestamp, Decimal>);
static_assert(all_become_values<const char*, char*, const char (&)[5], std::string, std::string&,
                                std::string_view, LongString>);
static_assert(all_become_values<Table, Table&, TableView, ValueView, std::vector<Value>>);

// What once became a number or a boolean in silence.
static_assert(none_becomes_a_value<char, wchar_t, char8_t, char16_t, char32_t, std::byte>);
static_assert(none_becomes_a_value<Int128, UnsignedInt128, long double>);
static_assert(none_becomes_a_value<Unscoped, Scoped>);
static_assert(none_becomes_a_value<const void*, int*, const unsigned char*, const char8_t*,
                                   const wchar_t*, void (*)()>);
static_assert(none_becomes_a_value<std::true_type, std::atomic<int>, std::vector<bool>::reference>);
static_assert(none_becomes_a_value<std::optional<int>, std::optional<std::string>,
                                   std::chrono::seconds, std::vector<int>, std::array<Value, 1>>);

}  // namespace

TEST_CASE("integers are written with the type of their width, which no value changes") {
  CHECK(Value(std::uint8_t{200}).bytes() == Value(200).bytes());
  CHECK(Value(std::int16_t{-2}).view().tag() == 'I');
  CHECK(Value(7).view().tag() == 'I');
  CHECK(Value(7U).view().tag() == 'l');
  CHECK(Value(7L).view().tag() == 'l');
  CHECK(Value(std::size_t{60'000}).view().as_int64() == 60'000);
  CHECK(Value(std::size_t{60'000}).view().tag() == 'l');
  CHECK(Value(std::numeric_limits<unsigned>::max()).view().as_int64() == 4'294'967'295);
  CHECK(Value(INT64_MIN).view().as_int64() == INT64_MIN);
  // A double would round this number.
  CHECK(Value((std::uint64_t{1} << 53) + 1).view().as_int64() == (std::int64_t{1} << 53) + 1);
}

TEST_CASE("an unsigned integer that the wire does not have is refused") {
  const std::uint64_t largest = INT64_MAX;
  CHECK(Value(largest).view().as_int64() == INT64_MAX);
  CHECK_THROWS_WITH_AS(Value(largest + 1), "table value 9223372036854775808 of more than 63 bits",
                       std::out_of_range);
  CHECK_THROWS_AS((Table{{"id", UINT64_MAX}}), std::out_of_range);
}

TEST_CASE("numbers with a fraction are doubles, also those that are not numbers") {
  CHECK(Value(1.5F).view().tag() == 'd');
  CHECK(Value(1.5F).view().as_double() == 1.5);
  CHECK(Value(0.1F).view().as_double() == double{0.1F});
  CHECK(std::isnan(Value(std::nan("")).view().as_double().value()));
}

TEST_CASE("a text that is not there is refused, an empty one is not") {
  const char* const nothing = nullptr;
  CHECK_THROWS_WITH_AS(Value{nothing}, "table value of a null pointer", std::invalid_argument);
  CHECK(Value("").view().as_string() == "");
  CHECK(Value(std::string_view()).view().as_string() == "");
  CHECK(Value(nullptr).view().is_void());
}
