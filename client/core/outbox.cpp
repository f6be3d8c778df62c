#include "outbox.hpp"

#include <algorithm>
#include <cassert>
#include <stdexcept>
#include <utility>

namespace haypile {

namespace {

// How far behind a message that may be the returned one a better one is looked for, so that a
// broker that changes all properties does not cost more with a larger window.
constexpr std::size_t look_ahead = 1'000;

void expect(bool holds, const char* what) {
  if (!holds) throw std::logic_error(std::string("this does not hold: ") + what);
}

// The message in one block of memory.
std::string joined(const OutboxMessage& message) {
  std::string bytes;
  bytes.reserve(Outbox::size_bytes(message));
  bytes.append(message.exchange).append(message.routing_key);
  bytes.append(message.raw_properties).append(message.body);
  return bytes;
}

}  // namespace

Outbox::Outbox(Limits limits, OnLost on_lost) : limits_(limits), on_lost_(on_lost) {}

std::size_t Outbox::size_bytes(const OutboxMessage& message) {
  return message.exchange.size() + message.routing_key.size() + message.raw_properties.size() +
         message.body.size();
}

bool Outbox::has_room(std::size_t size_bytes) const {
  if (count_ == 0) return true;
  return count_ < limits_.messages_max && bytes_ <= limits_.bytes_max &&
         size_bytes <= limits_.bytes_max - bytes_ &&
         (sent_.size() + unsent_.size()) / numbers_max < limits_.messages_max;
}

std::uint64_t Outbox::add(const OutboxMessage& message, Time deadline) {
  if (!has_room(size_bytes(message))) return 0;
  std::string bytes = joined(message);
  begin(unsent_.extend(), message, std::move(bytes), deadline);
  return last_id_;
}

std::uint64_t Outbox::add_sent(const OutboxMessage& message, Time deadline) {
  assert(sends_at_once());
  if (!has_room(size_bytes(message))) return 0;
  std::string bytes = is_kept_when_sent(message.mandatory) ? joined(message) : std::string();
  Entry& entry = sent_.extend();
  begin(entry, message, std::move(bytes), deadline);
  entry.attempts = 1;
  return last_id_;
}

// Fills and counts a new entry. It allocates nothing, so that nothing is half done without memory.
void Outbox::begin(Entry& entry, const OutboxMessage& message, std::string bytes, Time deadline) {
  entry.id = ++last_id_;
  entry.deadline = deadline;
  entry.size_bytes = size_bytes(message);
  entry.bytes = std::move(bytes);
  entry.exchange_size = message.exchange.size();
  entry.routing_key_size = message.routing_key.size();
  entry.properties_size = message.raw_properties.size();
  entry.mandatory = message.mandatory;
  ++count_;
  bytes_ += entry.size_bytes;
  kept_bytes_ += entry.bytes.size();
  deadline_ = std::min(deadline_, deadline);
}

void Outbox::drop_bytes(Entry& entry) {
  kept_bytes_ -= entry.bytes.size();
  std::string().swap(entry.bytes);
}

// The entry's bytes are kept.
OutboxMessage Outbox::view(const Entry& entry) {
  std::string_view rest = entry.bytes;
  const auto cut = [&rest](std::size_t size) {
    const std::string_view part = rest.substr(0, size);
    rest.remove_prefix(size);
    return part;
  };
  OutboxMessage message;
  message.exchange = cut(entry.exchange_size);
  message.routing_key = cut(entry.routing_key_size);
  message.raw_properties = cut(entry.properties_size);
  message.body = rest;
  message.mandatory = entry.mandatory;
  return message;
}

std::optional<OutboxMessage> Outbox::next_unsent() const {
  if (unsent_.empty() || waits_for_suspect()) return std::nullopt;
  return view(unsent_[0]);
}

std::uint64_t Outbox::sent() {
  assert(!unsent_.empty() && !waits_for_suspect());
  Entry& entry = sent_.push(unsent_.pop());
  ++entry.attempts;
  if (!is_kept_when_sent(entry.mandatory)) drop_bytes(entry);
  return first_number_ + sent_.size() - 1;
}

bool Outbox::confirmed(std::uint64_t number, bool multiple, bool ack) {
  const std::uint64_t next_number = first_number_ + sent_.size();
  const bool is_all = multiple && number == 0;
  if (is_all) number = next_number - 1;
  if (!is_all && (number == 0 || number >= next_number)) return false;
  const bool is_settled =
      number < first_number_ || sent_[number - first_number_].state == State::settled;
  if (!multiple && is_settled) return false;
  for (std::uint64_t i = multiple ? first_number_ : number; i <= number; ++i) {
    Entry& entry = sent_[i - first_number_];
    const bool is_returned = entry.state == State::returned;
    settle(entry, !ack          ? Receipt::Outcome::refused
                  : is_returned ? Receipt::Outcome::returned
                                : Receipt::Outcome::confirmed);
  }
  while (!sent_.empty() && sent_[0].state == State::settled) {
    sent_.drop();
    ++first_number_;
  }
  return true;
}

bool Outbox::returned(const OutboxMessage& content, std::uint16_t code, std::string_view text) {
  const std::size_t found = find_returned(content);
  if (found == sent_.size()) return false;
  next_return_ = first_number_ + found + 1;
  Entry& entry = sent_[found];
  if (entry.state == State::told) return true;
  entry.state = State::returned;
  entry.reply_code = code;
  entry.reply_text = text;
  return true;
}

// Returns an index into sent_, or its size.
std::size_t Outbox::find_returned(const OutboxMessage& content) const {
  std::size_t similar = sent_.size();
  for (std::size_t i = std::max(first_number_, next_return_) - first_number_; i < sent_.size();
       ++i) {
    if (similar < i && i - similar > look_ahead) break;
    const Entry& entry = sent_[i];
    if (entry.state == State::settled || !entry.mandatory) continue;
    const OutboxMessage message = view(entry);
    if (message.exchange != content.exchange || message.routing_key != content.routing_key ||
        message.body != content.body) {
      continue;
    }
    if (message.raw_properties == content.raw_properties) return i;
    similar = std::min(similar, i);
  }
  return similar;
}

void Outbox::lost() {
  settle_sent(on_lost_ == OnLost::resend);
}

void Outbox::closed(std::uint16_t code, std::string_view text) {
  std::size_t open_count = 0;
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    Entry& entry = sent_[i];
    if (entry.state == State::settled) continue;
    ++open_count;
    last_suspect_ = std::max(last_suspect_, entry.id);
    if (entry.state != State::waiting || on_lost_ == OnLost::resend) continue;
    entry.reply_code = code;
    entry.reply_text = text;
  }
  if (open_count == 1 && sent_[0].state == State::waiting) {
    sent_[0].reply_code = code;
    sent_[0].reply_text = text;
    settle(sent_[0], Receipt::Outcome::refused);
  }
  settle_sent(on_lost_ == OnLost::resend);
}

// Settles what was sent, or makes it unsent again; the channel is gone.
void Outbox::settle_sent(bool is_sent_again) {
  Fifo<Entry> unsent;
  while (!sent_.empty()) {
    Entry entry = sent_.pop();
    if (entry.state == State::waiting && is_sent_again) {
      unsent.push(std::move(entry));
    } else {
      const bool is_returned = entry.state == State::returned;
      settle(entry, is_returned ? Receipt::Outcome::returned : Receipt::Outcome::unknown);
    }
  }
  while (!unsent_.empty())
    unsent.push(unsent_.pop());
  unsent_ = std::move(unsent);
  first_number_ = 1;
  next_return_ = 1;
}

void Outbox::abandon() {
  settle_sent(false);
  while (!unsent_.empty()) {
    Entry entry = unsent_.pop();
    settle(entry, Receipt::Outcome::unknown);
  }
}

void Outbox::expire(Time now) {
  if (now < deadline_) return;
  deadline_ = Time::max();
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    Entry& entry = sent_[i];
    if (entry.state != State::waiting && entry.state != State::returned) continue;
    if (entry.deadline > now) {
      deadline_ = std::min(deadline_, entry.deadline);
      continue;
    }
    const bool is_returned = entry.state == State::returned;
    tell(entry, is_returned ? Receipt::Outcome::returned : Receipt::Outcome::unknown);
    entry.state = State::told;
    if (!entry.mandatory) drop_bytes(entry);
  }
  for (std::size_t left = unsent_.size(); left > 0; --left) {
    Entry entry = unsent_.pop();
    if (entry.deadline <= now) {
      settle(entry, Receipt::Outcome::unknown);
    } else {
      deadline_ = std::min(deadline_, entry.deadline);
      unsent_.push(std::move(entry));
    }
  }
}

void Outbox::tell(Entry& entry, Receipt::Outcome outcome) {
  receipts_.push(
      {entry.id, outcome, entry.reply_code, std::move(entry.reply_text), entry.attempts});
}

// Tells what became of the message, unless that was told or settled before, and frees its place.
void Outbox::settle(Entry& entry, Receipt::Outcome outcome) {
  if (entry.state == State::settled) return;
  if (entry.state != State::told) tell(entry, outcome);
  entry.state = State::settled;
  --count_;
  bytes_ -= entry.size_bytes;
  drop_bytes(entry);
}

std::optional<Receipt> Outbox::next_receipt() {
  if (receipts_.empty()) return std::nullopt;
  return receipts_.pop();
}

void Outbox::check_invariants() const {
  std::size_t count = 0, bytes = 0, kept_bytes = 0;
  std::uint64_t id = 0;
  for (std::size_t i = 0; i < sent_.size() + unsent_.size(); ++i) {
    const bool is_sent = i < sent_.size();
    const Entry& entry = is_sent ? sent_[i] : unsent_[i - sent_.size()];
    expect(entry.id > id, "ids rise");
    id = entry.id;
    expect(i != 0 || entry.state != State::settled, "the first message is not settled");
    expect(is_sent || entry.state == State::waiting, "an unsent message waits");
    expect(is_sent || entry.bytes.size() == entry.size_bytes, "an unsent message is kept");
    if (entry.state != State::settled) {
      ++count;
      bytes += entry.size_bytes;
    }
    kept_bytes += entry.bytes.size();
    if (entry.state == State::waiting) expect(entry.deadline >= deadline_, "deadlines are known");
    if (entry.state != State::settled && is_kept_when_sent(entry.mandatory)) {
      expect(entry.state == State::told || entry.bytes.size() == entry.size_bytes,
             "what may be needed again is kept");
    }
  }
  expect(id <= last_id_, "ids are given once");
  expect(count == count_, "messages are counted");
  expect(bytes == bytes_ && kept_bytes == kept_bytes_, "bytes are counted");
}

}  // namespace haypile
