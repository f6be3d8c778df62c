// The messages of one confirming publisher, over connection after connection.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fifo.hpp"

namespace haypile {

// What becomes of a message that was sent and not confirmed when its connection is lost: it is sent
// again, so that it arrives at least once; or its receipt says `unknown`.
enum class OnLost : std::uint8_t { resend, report };

// What became of one message.
struct Receipt {
  // The broker has taken it; has refused it (basic.nack, or a closed channel); no queue took it
  // (basic.return); or nobody knows, because its connection was lost or its time was over.
  enum class Outcome : std::uint8_t { confirmed, refused, returned, unknown };
  std::uint64_t id = 0;
  Outcome outcome = Outcome::unknown;
  // Why, in the broker's words, such as 312, "NO_ROUTE"; 0 and empty if it said nothing.
  std::uint16_t reply_code = 0;
  std::string reply_text;
  // How often it was sent. With 0, `unknown` means that no broker has it.
  unsigned attempts = 0;
};

// One message, all of it as views. Names are no longer than a short string.
struct OutboxMessage {
  std::string_view exchange{};
  std::string_view routing_key{};
  std::string_view raw_properties{};  // as they are encoded on the wire
  std::string_view body{};
  bool mandatory = false;
};

// The window of a publisher: which messages wait to be sent, and which wait for their confirms.
// Confirms have numbers that begin with 1 on each channel; ids rise by one for ever.
//
//   state        input                        next state    receipt
//   -            add                          unsent        -
//   unsent       sent                         unconfirmed   -
//   unconfirmed  returned                     returned      -
//   unconfirmed  confirmed                    -             confirmed, or refused
//   returned     confirmed                    -             returned, or refused
//   unconfirmed  lost, and it is sent again   unsent        -
//   unconfirmed  lost, otherwise              -             unknown
//   returned     lost                         -             returned
//   unsent       expire                       -             unknown
//   unconfirmed  expire                       told          unknown
//   returned     expire                       told          returned
//   told         confirmed, lost              -             -
//
// The second line also leads to `unconfirmed` at once: add_sent(). Messages are sent in the order
// of their ids, and after a loss again in that order.
//
// A message is kept as long as it may be needed again: until it is sent; until it is confirmed if
// it would be sent again, or is mandatory, as it may come back. So add_sent() allocates nothing for
// a message that is neither. Everything is bounded by the limits, if the receipts are taken: an
// expired message that the broker still owes a confirm for keeps its place, and only so many
// numbers may be open behind a message whose confirm does not come (numbers_max).
//
// Views are copied. An object belongs to one thread.
class Outbox {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Limits {
    std::size_t messages_max = 1'000;
    std::size_t bytes_max = 16u << 20;  // names, properties and bodies
  };
  Outbox(Limits limits, OnLost on_lost);

  // Whether a message of this size may be added. A message of any size fits into an empty outbox.
  bool has_room(std::size_t size_bytes) const;
  static std::size_t size_bytes(const OutboxMessage& message);
  // Returns the message's id, the first of which is 1; or 0, and keeps nothing, if there is no
  // room. At `deadline` it is no longer waited for.
  std::uint64_t add(const OutboxMessage& message, Time deadline = Time::max());
  // Does the same as add() and sent() for a message that is sent now. Only allowed if
  // sends_at_once().
  std::uint64_t add_sent(const OutboxMessage& message, Time deadline = Time::max());
  bool sends_at_once() const { return unsent_.empty() && !waits_for_suspect(); }

  // The message that is to be sent next on the present channel. Views are valid until the next call
  // of another function.
  std::optional<OutboxMessage> next_unsent() const;
  // What next_unsent() shows was sent. Returns its number on this channel.
  std::uint64_t sent();

  // The broker's basic.ack or basic.nack. Returns false if it breaks the protocol: a number that
  // was never sent on this channel, or, without `multiple`, one that was settled before.
  bool confirmed(std::uint64_t number, bool multiple, bool ack);
  // The broker's basic.return, which has no number and comes before the confirm. It is for the
  // first message behind the one that was returned last with the same content; or, as brokers may
  // change properties, with the same names and body. Returns false if there is none.
  bool returned(const OutboxMessage& content, std::uint16_t code, std::string_view text);
  // The channel is gone, with its connection or without. The next one begins with number 1.
  void lost();
  // The broker has closed the channel. One of the unconfirmed messages is the reason (an exchange
  // that is not there, a message that is too large), and would close the next channel again. So
  // what would be sent again is sent one by one, and a message that is alone when the channel is
  // closed is refused. With OnLost::report, receipts have the code and the text.
  void closed(std::uint16_t code, std::string_view text);
  // Settles what has waited until its deadline.
  void expire(Time now);
  // Call expire() then; Time::max() if nothing has a deadline. It may be too early.
  Time deadline() const { return deadline_; }
  // Gives up all messages.
  void abandon();

  // The receipts, in the order of settling. Take them all after each input.
  std::optional<Receipt> next_receipt();

  // Messages that have a place: unsent, unconfirmed, or without a confirm for an expired one.
  std::size_t count() const { return count_; }
  std::size_t bytes() const { return bytes_; }
  // How much of them is kept in memory here.
  std::size_t kept_bytes() const { return kept_bytes_; }
  std::size_t unsent_count() const { return unsent_.size(); }
  // Throws std::logic_error if something is not as it must be.
  void check_invariants() const;

  // How many numbers may be open on a channel for each message of the limit.
  static constexpr std::size_t numbers_max = 64;

 private:
  // What a number of the channel stands for. A number is `settled` until those before it are.
  enum class State : std::uint8_t { waiting, returned, told, settled };
  struct Entry {
    std::uint64_t id = 0;
    Time deadline{};
    std::size_t size_bytes = 0;
    // The exchange, the routing key, the properties and the body; empty if they are not kept.
    std::string bytes;
    std::size_t exchange_size = 0;
    std::size_t routing_key_size = 0;
    std::size_t properties_size = 0;
    unsigned attempts = 0;
    State state = State::waiting;
    bool mandatory = false;
    std::uint16_t reply_code = 0;
    std::string reply_text;
  };

  void begin(Entry& entry, const OutboxMessage& message, std::string bytes, Time deadline);
  static OutboxMessage view(const Entry& entry);
  bool is_kept_when_sent(bool mandatory) const { return mandatory || on_lost_ == OnLost::resend; }
  void drop_bytes(Entry& entry);
  bool waits_for_suspect() const { return !sent_.empty() && sent_[0].id <= last_suspect_; }
  std::size_t find_returned(const OutboxMessage& content) const;
  void tell(Entry& entry, Receipt::Outcome outcome);
  void settle(Entry& entry, Receipt::Outcome outcome);
  void settle_sent(bool is_sent_again);
  bool expire(Entry& entry, Time now);

  const Limits limits_;
  const OnLost on_lost_;
  std::uint64_t last_id_ = 0;
  Fifo<Entry> sent_;  // a number of the channel each; the first one is not settled
  Fifo<Entry> unsent_;
  std::uint64_t first_number_ = 1;  // of sent_[0]
  std::uint64_t next_return_ = 1;   // numbers before it were matched, or passed over
  std::uint64_t last_suspect_ = 0;  // messages up to this id are sent one by one
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  std::size_t kept_bytes_ = 0;
  Time deadline_ = Time::max();  // no later than the first one
  Fifo<Receipt> receipts_;
};

}  // namespace haypile
