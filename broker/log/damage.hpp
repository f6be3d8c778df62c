// Damage in a data directory: what it is, where, and what happens when it is found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace haypile::log {

// Something because of which a start is refused, or the broker would end when it reads it.
struct Damage {
  std::string file{};  // the whole path
  std::uint64_t offset = 0;
  std::string what{};       // a phrase
  std::uint64_t bytes = 0;  // that cannot be read; 0: none, or not known
  // The number of queued messages that cannot be read; nothing: not known.
  std::optional<std::uint64_t> message_count{};
};

// The line with which damage is refused: file, place and reason.
std::string refusal_text(const Damage& damage);

// What happens at damage.
enum class DamagePolicy {
  refuse,  // the first damage is thrown as a DamageError; so it is at a start
  note,    // all damage is listed, and what is undamaged is read
};

// The damage that has been found. Belongs to one thread.
class Damages {
 public:
  explicit Damages(DamagePolicy policy) : policy_(policy) {}

  bool are_refused() const { return policy_ == DamagePolicy::refuse; }
  // Throws DamageError if damage is refused.
  void add(Damage damage);
  const std::vector<Damage>& all() const { return all_; }
  std::vector<Damage>& all() { return all_; }

  // While such an object exists, nothing is listed: files are read a second time, and the damage in
  // them is known already.
  class Known {
   public:
    explicit Known(Damages& damages)
        : damages_(damages), was_known_(std::exchange(damages.is_known_, true)) {}
    Known(const Known&) = delete;
    Known& operator=(const Known&) = delete;
    ~Known() { damages_.is_known_ = was_known_; }

   private:
    Damages& damages_;
    const bool was_known_;
  };

 private:
  const DamagePolicy policy_;
  bool is_known_ = false;
  std::vector<Damage> all_;
};

}  // namespace haypile::log
