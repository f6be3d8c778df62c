// Who may try to log in, and when a client is told that its login is refused.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>

namespace haypile::server {

using Time = std::chrono::steady_clock::time_point;

struct LoginLimits {
  // Limits for connections that have not logged in yet, in all and per address.
  std::size_t pending_max = 1024;
  std::size_t pending_per_address_max = 64;
};

// Counts the connections that have not logged in yet, and sets the times of refusals. The refusals
// of one address are told one after the other: the first after 50 ms, each following one after
// twice the time of the one before, up to a second. Only refusals wait. An address is forgotten a
// minute after its last refusal, whether somebody waited for it or not.
//
// The time is handed in. Belongs to one thread.
class LoginGate : public std::enable_shared_from_this<LoginGate> {
 public:
  // If the next refusal of an address would have to wait longer than this, its new connections are
  // not admitted.
  static constexpr std::chrono::seconds refusal_wait_max{10};
  static constexpr std::chrono::milliseconds first_delay{50};
  static constexpr std::chrono::milliseconds delay_max{1000};
  static constexpr std::chrono::minutes memory{1};
  // The number of addresses with refusals that are remembered; the oldest one beyond is forgotten.
  static constexpr std::size_t address_count_max = 4096;

  enum class Verdict { welcome, too_many, too_many_of_address };

  // The place of one connection among those that have not logged in yet, for as long as it lives.
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

  // Admits a connection and sets `place`, or says why not. `pending_max` can only lower the limit
  // of LoginLimits. Addresses of this machine (`is_local`) are limited by the sum only.
  Verdict enter(const std::string& address, bool is_local, std::size_t pending_max, Time now,
                Place& place);
  // The time at which the refusal that was just decided may be told.
  Time refuse(const std::string& address, Time now);

  std::size_t pending_count() const { return pending_count_; }
  std::size_t address_count() const { return addresses_.size(); }

 private:
  struct Address {
    std::size_t pending_count = 0;
    std::chrono::milliseconds delay{0};  // last refusal's; 0: there was none
    Time last_refusal{};                 // may be in the future
  };

  void make_room(Time now);

  const LoginLimits limits_;
  std::unordered_map<std::string, Address> addresses_;
  std::size_t pending_count_ = 0;
};

}  // namespace haypile::server
