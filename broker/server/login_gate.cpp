#include "server/login_gate.hpp"

#include <algorithm>
#include <utility>

namespace haypile::server {

// An address is in the map as long as it has pending connections or remembered refusals.
// pending_count_ is the sum of all addresses' pending connections. Each Place counts once in both,
// until it leaves; it keeps the gate alive.
void LoginGate::Place::leave() {
  const auto gate = std::exchange(gate_, nullptr);
  if (!gate) return;
  --gate->pending_count_;
  const auto found = gate->addresses_.find(address_);
  --found->second.pending_count;
  // An address with refusals stays until make_room() removes it.
  if (found->second.pending_count == 0 && found->second.delay.count() == 0) {
    gate->addresses_.erase(found);
  }
}

LoginGate::Verdict LoginGate::enter(const std::string& address, bool is_local,
                                    std::size_t pending_max, Time now, Place& place) {
  if (pending_count_ >= std::min(limits_.pending_max, pending_max)) return Verdict::too_many;
  const auto found = addresses_.find(address);
  if (found != addresses_.end() && !is_local) {
    const Address& known = found->second;
    if (known.pending_count >= limits_.pending_per_address_max ||
        known.last_refusal + delay_max > now + refusal_wait_max) {
      return Verdict::too_many_of_address;
    }
  }
  ++pending_count_;
  ++(found == addresses_.end() ? addresses_[address] : found->second).pending_count;
  place = Place(shared_from_this(), address);
  return Verdict::welcome;
}

Time LoginGate::refuse(const std::string& address, Time now) {
  if (!addresses_.contains(address)) make_room(now);
  Address& known = addresses_[address];
  if (known.last_refusal + memory < now) known.delay = {};
  known.delay = known.delay.count() == 0 ? first_delay : std::min(2 * known.delay, delay_max);
  const Time due = std::max(known.last_refusal, now) + known.delay;
  // Only addresses of this machine can reach this limit, because enter() does not stop them.
  known.last_refusal = std::min(due, now + refusal_wait_max);
  return known.last_refusal;
}

// Addresses with pending connections stay: their number is bounded by pending_count_.
void LoginGate::make_room(Time now) {
  if (addresses_.size() < address_count_max + pending_count_) return;
  std::erase_if(addresses_, [now](const auto& entry) {
    return entry.second.pending_count == 0 && entry.second.last_refusal + memory < now;
  });
  if (addresses_.size() < address_count_max + pending_count_) return;
  auto oldest = addresses_.end();
  for (auto it = addresses_.begin(); it != addresses_.end(); ++it) {
    if (it->second.pending_count != 0) continue;
    if (oldest == addresses_.end() || it->second.last_refusal < oldest->second.last_refusal) {
      oldest = it;
    }
  }
  if (oldest != addresses_.end()) addresses_.erase(oldest);
}

}  // namespace haypile::server
