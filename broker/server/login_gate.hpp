// Who may try to log in, and when a refused login is told so.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>

namespace haypile::server {

using Time = std::chrono::steady_clock::time_point;

struct LoginLimits {
  // Connections that have not logged in yet, in all and of one address.
  std::size_t pending_max = 1024;
  std::size_t pending_per_address_max = 64;
};

// Counts the connections that have not logged in yet, and sets the times of refusals. Those of one
// address are told one after the other: the first after 50 ms, each following one after twice the
// time of the one before, up to a second. Only refusals wait. What is known of an address is
// forgotten a minute after its last refusal, whether anybody waited for it or not.
//
// Time is handed in. Belongs to one thread.
class LoginGate : public std::enable_shared_from_this<LoginGate> {
 public:
  // Refusals of one address that would have to wait longer are not taken on: its new connections
  // are not let in until there are fewer.
  static constexpr std::chrono::seconds refusal_wait_max{10};
  static constexpr std::chrono::milliseconds first_delay{50};
  static constexpr std::chrono::milliseconds delay_max{1000};
  static constexpr std::chrono::minutes memory{1};
  // Addresses with refusals that are remembered; beyond these the oldest is forgotten.
  static constexpr std::size_t address_count_max = 4096;

  enum class Verdict { welcome, too_many, too_many_of_address };

  // One connection's place among those that have not logged in yet, as long as it lives.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept = default;
    Place& operator=(Place&& other) noexcept {
      leave();
      gate_ = std::move(other.gate_);
      address_ = std::move(other.address_);
      return *this;
    }
    ~Place() { leave(); }
    void leave();

   private:
    friend class LoginGate;
    Place(std::shared_ptr<LoginGate> gate, std::string address)
        : gate_(std::move(gate)), address_(std::move(address)) {}
    std::shared_ptr<LoginGate> gate_;
    std::string address_;
  };

  explicit LoginGate(LoginLimits limits) : limits_(limits) {}

  // `pending_max` may be less than what the limits say, never more. Addresses of this machine are
  // bounded only by the sum.
  Verdict enter(const std::string& address, bool is_local, std::size_t pending_max, Time now,
                Place& place);
  // When the refusal that has just been decided may be told.
  Time refuse(const std::string& address, Time now);

  std::size_t pending_count() const { return pending_count_; }
  std::size_t address_count() const { return addresses_.size(); }

 private:
  struct Address {
    std::size_t pending_count = 0;
    std::chrono::milliseconds delay{0};  // of the last refusal; 0: there is none
    Time last_refusal{};                 // may be yet to come
  };

  void make_room(Time now);

  const LoginLimits limits_;
  std::unordered_map<std::string, Address> addresses_;
  std::size_t pending_count_ = 0;
};

}  // namespace haypile::server
