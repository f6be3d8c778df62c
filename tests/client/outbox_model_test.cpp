// Random operations on an outbox, beside a model that looks at all messages each time.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "client/core/outbox.hpp"

using haypile::OnLost;
using haypile::Outbox;
using haypile::OutboxMessage;
using haypile::Receipt;
using Outcome = haypile::Receipt::Outcome;
using Time = Outbox::Time;
using std::chrono::milliseconds;

namespace {

struct Content {
  std::string exchange, routing_key, properties, body;
  bool mandatory = false;
  std::size_t size() const {
    return exchange.size() + routing_key.size() + properties.size() + body.size();
  }
  OutboxMessage view() const { return {exchange, routing_key, properties, body, mandatory}; }
  // What a returned message has to have in common with this one.
  bool is_similar(const Content& other) const {
    return exchange == other.exchange && routing_key == other.routing_key && body == other.body;
  }
};

std::string line(std::uint64_t id, Outcome outcome, int code, std::string_view text,
                 unsigned attempts) {
  return std::to_string(id) + "/" + std::to_string(static_cast<int>(outcome)) + "/" +
         std::to_string(code) + "/" + std::string(text) + "/" + std::to_string(attempts);
}

// The messages that have a place, in the order of their ids. Nothing is fast.
class Model {
 public:
  struct Entry {
    std::uint64_t id = 0;
    Content content;
    Time deadline{};
    unsigned attempts = 0;
    std::uint64_t number = 0;  // on this channel; 0: unsent
    bool is_returned = false, is_told = false, is_suspect = false, is_over = false;
    int code = 0;
    std::string text;
  };

  Model(Outbox::Limits limits, OnLost on_lost) : limits_(limits), on_lost_(on_lost) {}

  std::uint64_t add(const Content& content, Time deadline) {
    if (!has_room(content.size())) return 0;
    Entry entry;
    entry.id = ++last_id_;
    entry.content = content;
    entry.deadline = deadline;
    entries.push_back(entry);
    return last_id_;
  }
  bool has_room(std::size_t size) const {
    if (entries.empty()) return true;
    const std::uint64_t first = entries[0].number;
    const std::size_t open = first == 0 ? 0 : last_number - first + 1;
    return entries.size() < limits_.messages_max && bytes() + size <= limits_.bytes_max &&
           open + unsent_count() < Outbox::numbers_max * limits_.messages_max;
  }
  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Entry& entry : entries)
      sum += entry.content.size();
    return sum;
  }
  std::size_t unsent_count() const {
    return static_cast<std::size_t>(std::count_if(
        entries.begin(), entries.end(), [](const Entry& entry) { return entry.number == 0; }));
  }
  bool waits() const {
    return std::any_of(entries.begin(), entries.end(),
                       [](const Entry& entry) { return entry.number != 0 && entry.is_suspect; });
  }
  Entry* next_unsent() {
    for (Entry& entry : entries) {
      if (entry.number == 0) return waits() ? nullptr : &entry;
    }
    return nullptr;
  }
  std::uint64_t sent() {
    Entry& entry = *next_unsent();
    ++entry.attempts;
    return entry.number = ++last_number;
  }
  bool confirmed(std::uint64_t number, bool multiple, bool ack) {
    const bool is_all = multiple && number == 0;
    const auto has_it = [&](const Entry& entry) { return number != 0 && entry.number == number; };
    if (!is_all && (number == 0 || number > last_number)) return false;
    if (!multiple && std::none_of(entries.begin(), entries.end(), has_it)) return false;
    for (Entry& entry : entries) {
      const bool is_meant = is_all || (multiple ? entry.number <= number : entry.number == number);
      if (entry.number == 0 || !is_meant) continue;
      settle(entry, !ack                ? Outcome::refused
                    : entry.is_returned ? Outcome::returned
                                        : Outcome::confirmed);
    }
    clean();
    return true;
  }
  bool returned(const Content& content, int code, const std::string& text) {
    Entry* best = nullptr;
    for (Entry& entry : entries) {
      if (entry.number <= last_returned_ || !entry.content.mandatory) continue;
      if (!entry.content.is_similar(content)) continue;
      const bool is_equal = entry.content.properties == content.properties;
      if (!best || is_equal) best = &entry;
      if (is_equal) break;
    }
    if (!best) return false;
    last_returned_ = best->number;
    if (best->is_told) return true;
    best->is_returned = true;
    best->code = code;
    best->text = text;
    return true;
  }
  void closed(int code, const std::string& text) {
    const bool is_alone = entries.size() - unsent_count() == 1;
    for (Entry& entry : entries) {
      if (entry.number == 0) continue;
      entry.is_suspect = true;
      if (entry.is_returned || entry.is_told || (on_lost_ == OnLost::resend && !is_alone)) continue;
      entry.code = code;
      entry.text = text;
      if (is_alone) settle(entry, Outcome::refused);
    }
    clean();
    lost();
  }
  void lost() { leave(on_lost_ == OnLost::resend); }
  void leave(bool sends_again) {
    for (Entry& entry : entries) {
      if (entry.number == 0) continue;
      entry.number = 0;
      if (sends_again && !entry.is_returned && !entry.is_told) continue;
      settle(entry, entry.is_returned ? Outcome::returned : Outcome::unknown);
    }
    clean();
    last_number = 0;
    last_returned_ = 0;
  }
  void abandon() {
    leave(false);
    for (Entry& entry : entries)
      settle(entry, Outcome::unknown);
    clean();
  }
  void expire(Time now) {
    for (Entry& entry : entries) {
      if (entry.deadline > now || entry.is_told) continue;
      tell(entry, entry.is_returned ? Outcome::returned : Outcome::unknown);
      entry.is_told = true;
      entry.is_over = entry.number == 0;
    }
    clean();
  }

  std::vector<Entry> entries;
  std::uint64_t last_number = 0;
  std::vector<std::string> receipts;

 private:
  void tell(const Entry& entry, Outcome outcome) {
    receipts.push_back(line(entry.id, outcome, entry.code, entry.text, entry.attempts));
  }
  void settle(Entry& entry, Outcome outcome) {
    if (!entry.is_told) tell(entry, outcome);
    entry.is_over = true;
  }
  void clean() {
    std::erase_if(entries, [](const Entry& entry) { return entry.is_over; });
  }

  const Outbox::Limits limits_;
  const OnLost on_lost_;
  std::uint64_t last_id_ = 0;
  std::uint64_t last_returned_ = 0;
};

// Does the same to both, and compares all that can be seen.
class Pair {
 public:
  explicit Pair(unsigned seed)
      : random_(seed),
        limits_{.messages_max = 1 + any(12), .bytes_max = 5 + any(100)},
        on_lost_(is_likely(50) ? OnLost::resend : OnLost::report),
        outbox_(limits_, on_lost_),
        model_(limits_, on_lost_) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      compare();
    }
    outbox_.abandon();
    model_.abandon();
    compare();
  }
  std::size_t receipt_count() const { return receipt_count_; }

 private:
  std::size_t any(std::size_t count) { return random_() % count; }
  bool is_likely(unsigned percent) { return any(100) < percent; }
  Content content() {
    static const std::vector<std::string> few{"", "a", "b", "ab"};
    return {few[any(2)], few[any(3)], few[any(4)], few[any(4)] + std::string(any(3) * 8, 'x'),
            is_likely(60)};
  }

  void step() {
    now_ += milliseconds(any(10));
    switch (any(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return add();
      case 4:
      case 5:
      case 6:
      case 7:
        return send();
      case 8:
      case 9:
      case 10:
        return confirm();
      case 11:
      case 12:
        return give_back();
      case 13:
        outbox_.expire(now_);
        return model_.expire(now_);
      default:
        return any(5) == 0 ? end_channel() : confirm();
    }
  }
  void add() {
    const Content added = content();
    const Time deadline = is_likely(70) ? Time::max() : now_ + milliseconds(any(200));
    CHECK(outbox_.has_room(added.size()) == model_.has_room(added.size()));
    const bool sends_at_once = model_.unsent_count() == 0 && !model_.waits();
    CHECK(outbox_.sends_at_once() == sends_at_once);
    const std::uint64_t id = model_.add(added, deadline);
    if (sends_at_once && is_likely(50)) {
      CHECK(outbox_.add_sent(added.view(), deadline) == id);
      if (id != 0) model_.sent();
    } else {
      CHECK(outbox_.add(added.view(), deadline) == id);
    }
  }
  void send() {
    const Model::Entry* expected = model_.next_unsent();
    const auto next = outbox_.next_unsent();
    REQUIRE(next.has_value() == (expected != nullptr));
    if (!expected) return;
    const OutboxMessage view = expected->content.view();
    CHECK(next->exchange == view.exchange);
    CHECK(next->routing_key == view.routing_key);
    CHECK(next->raw_properties == view.raw_properties);
    CHECK(next->body == view.body);
    CHECK(next->mandatory == view.mandatory);
    CHECK(outbox_.sent() == model_.sent());
  }
  void confirm() {
    const std::uint64_t number = any(model_.last_number + 3);
    const bool multiple = is_likely(20), ack = is_likely(80);
    CHECK(outbox_.confirmed(number, multiple, ack) == model_.confirmed(number, multiple, ack));
  }
  void give_back() {
    Content returned = content();
    if (!model_.entries.empty()) returned = model_.entries[any(model_.entries.size())].content;
    if (is_likely(20)) returned.properties = "changed";
    if (is_likely(10)) returned.body += "?";
    CHECK(outbox_.returned(returned.view(), 312, "NO_ROUTE") ==
          model_.returned(returned, 312, "NO_ROUTE"));
  }
  void end_channel() {
    switch (any(8)) {
      case 0:
        outbox_.abandon();
        return model_.abandon();
      case 1:
      case 2:
      case 3:
        outbox_.closed(404, "NOT_FOUND");
        return model_.closed(404, "NOT_FOUND");
      default:
        outbox_.lost();
        return model_.lost();
    }
  }
  void compare() {
    CHECK_NOTHROW(outbox_.check_invariants());
    CHECK(outbox_.count() == model_.entries.size());
    CHECK(outbox_.bytes() == model_.bytes());
    CHECK(outbox_.unsent_count() == model_.unsent_count());
    std::vector<std::string> receipts;
    while (const auto receipt = outbox_.next_receipt()) {
      receipts.push_back(line(receipt->id, receipt->outcome, receipt->reply_code,
                              receipt->reply_text, receipt->attempts));
    }
    REQUIRE(receipts == model_.receipts);
    receipt_count_ += receipts.size();
    model_.receipts.clear();
    for (const Model::Entry& entry : model_.entries) {
      if (!entry.is_told) CHECK(outbox_.deadline() <= entry.deadline);
    }
  }

  std::mt19937 random_;
  const Outbox::Limits limits_;
  const OnLost on_lost_;
  Outbox outbox_;
  Model model_;
  Time now_{std::chrono::hours(1)};
  std::size_t receipt_count_ = 0;
};

}  // namespace

TEST_CASE("whatever is done, an outbox does what the model does") {
  std::size_t receipt_count = 0;
  for (unsigned seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    Pair pair(seed);
    pair.run(1'000);
    receipt_count += pair.receipt_count();
  }
  CHECK(receipt_count > 15'000);
}
