// A virtual host: its exchanges, queues and bindings, and what can be done with them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/channel.hpp"
#include "engine/definitions.hpp"
#include "engine/error.hpp"
#include "engine/exchange.hpp"
#include "engine/journal.hpp"
#include "engine/queue.hpp"
#include "engine/router.hpp"
#include "engine/table_reader.hpp"

namespace haypile::engine {

struct PublishRequest {
  MessageView message;
  bool persistent = false;
  std::string_view headers;  // the message's encoded header table; empty if it has none
};

struct PublishResult {
  Error error;
  std::size_t queue_count = 0;  // 0: unroutable
};

// Reads no clock, no random number and no file: everything comes in through its calls, so that the
// same calls give the same state. Belongs to one thread. What it tells the journal, a client may
// be told only when the journal is durable that far (Journal::end() after the call).
class Engine {
 public:
  // Journal and reader outlive the engine. `vhost` is for the texts of errors.
  Engine(std::string vhost, Journal& journal, const TableReader& reader);
  // All channels are gone before.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const std::string& vhost() const { return vhost_; }
  Journal& journal() { return journal_; }

  // An exchange that is there already must be the same in all that matters.
  Error declare_exchange(const ExchangeDefinition& definition);
  Error check_exchange(std::string_view name) const;
  // Deleting what is not there is no error.
  Error delete_exchange(std::string_view name, bool if_unused);

  // `owner` other than 0: exclusive to that connection. `requester` is the connection that asks.
  // The id of the definition is ignored. `queue` is valid until it is deleted.
  Error declare_queue(const QueueDefinition& definition, OwnerId owner, OwnerId requester,
                      Queue*& queue);
  Error find_queue(std::string_view name, OwnerId requester, Queue*& queue) const;
  // `message_count`: how many were ready in it; 0 when there is no such queue.
  Error delete_queue(std::string_view name, OwnerId requester, bool if_unused, bool if_empty,
                     std::size_t& message_count);
  Error purge_queue(std::string_view name, OwnerId requester, std::size_t& message_count);

  Error bind(const BindingDefinition& binding, OwnerId requester);
  // Unbinding what is not bound is no error.
  Error unbind(const BindingDefinition& binding, OwnerId requester);

  PublishResult publish(const PublishRequest& request);

  // Deletes the connection's exclusive queues. Its channels are closed already.
  void connection_closed(OwnerId owner);
  // At a clean stop, after all channels are closed.
  void mark_delivered();

  std::size_t queue_count() const { return queues_.size(); }

 private:
  friend class Channel;
  friend class Restore;

  // Calls back from channels.
  void consumer_left(Queue& queue);  // may delete it
  void reap(Queue& queue);           // frees a deleted one when nothing of it is unacked

  void create_predeclared();
  Exchange* find_exchange(std::string_view name) const;
  Error missing_exchange(std::string_view name) const;
  Error missing_queue(std::string_view name) const;
  Error inequivalent(const std::string& kind, const std::string& name, const char* argument,
                     const std::string& received, const std::string& current) const;
  Error check_same(const Queue& queue, const QueueDefinition& wanted, OwnerId owner) const;
  Error resolve(const BindingDefinition& definition, OwnerId requester, Binding& binding,
                Exchange*& source) const;
  void remove_queue(Queue& queue);
  // Deletes those of the named that delete themselves and have no binding left, and so on.
  void sweep(std::vector<std::string> exchanges);
  std::vector<std::string> remove_exchange(Exchange& exchange);
  std::string queue_type(const std::string& arguments) const;

  std::string vhost_;
  Journal& journal_;
  const TableReader& reader_;
  Router router_;
  StringMap<std::unique_ptr<Queue>> queues_;
  StringMap<std::unique_ptr<Exchange>> exchanges_;  // the default exchange is not among them
  std::vector<std::unique_ptr<Queue>> deleted_;     // queues with messages still unacked
  std::vector<Queue*> targets_;                     // of the message at hand
  std::vector<QueueId> durable_targets_;
};

}  // namespace haypile::engine
