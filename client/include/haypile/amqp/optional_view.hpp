// A view that may be missing.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

#include <haypile/config.hpp>

namespace haypile::amqp {

namespace detail {

// Whether a forwarded argument is a temporary that owns something, as its destructor shows.
template <class T>
concept Temporary = !std::is_lvalue_reference_v<T> && !std::is_trivially_destructible_v<T>;

template <class From, class View>
concept ViewedAs = std::convertible_to<From, std::optional<View>> && !Temporary<From>;

}  // namespace detail

// A view of something that lives elsewhere, or nothing. It is used like std::optional<View>, but
// does not allow two mistakes:
// - It takes no temporary that owns what is viewed, such as std::to_string(5) or Table{{"a", 1}}:
//   that would be gone at the end of the statement. Name it first, or use
//   haypile::MessageProperties, which owns what it is given.
// - It returns the view by value, so that `for (const auto& each : *value.as_array())` does not
//   refer to something that is gone.
// `View` is trivially copyable, and so is this.
template <class View>
class OptionalView {
 public:
  using value_type = View;

  constexpr OptionalView() = default;
  constexpr OptionalView(std::nullopt_t) {}
  OptionalView(std::nullptr_t) = delete;
  // Takes what is a view, converts to one, or is an optional of such a thing. Temporaries that own
  // something are no candidates, so that a function with an overload for an owner gets them.
  template <class From>
  requires(!std::same_as<std::remove_cvref_t<From>, OptionalView> &&
           // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): copies are not among them
           detail::ViewedAs<From, View>) constexpr OptionalView(From&& from)
      : view_(std::forward<From>(from)) {}
  template <detail::Temporary From>
  OptionalView& operator=(From&&) = delete;  // it ends here: use haypile::MessageProperties

  constexpr bool has_value() const { return view_.has_value(); }
  constexpr explicit operator bool() const { return has_value(); }
  // There must be a view.
  constexpr View operator*() const { return *view_; }
  constexpr const View* operator->() const { return &*view_; }
  // Throws std::bad_optional_access if there is none.
  constexpr View value() const { return view_.value(); }
  constexpr View value_or(View other) const { return view_.value_or(other); }
  constexpr operator std::optional<View>() const { return view_; }

  // Sets an empty view, and returns it, to be filled by a decoder.
  constexpr View& emplace() { return view_.emplace(); }
  constexpr void reset() { view_.reset(); }

  friend bool operator==(const OptionalView&, const OptionalView&) = default;
  // What is compared may be a temporary.
  template <class T>
  requires std::convertible_to<const T&, View>
  friend constexpr bool operator==(const OptionalView& left, const T& right) {
    return left.has_value() && *left == static_cast<View>(right);
  }

 private:
  std::optional<View> view_;
};

}  // namespace haypile::amqp
