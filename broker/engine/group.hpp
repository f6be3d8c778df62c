// Several changes that become durable together.
#pragma once

#include "engine/queue_context.hpp"

namespace haypile::engine {

// As long as it lives, what is published and settled becomes durable together. Groups may be
// nested: the outermost one counts. The context outlives it, and no other calls to the engine come
// in between.
class Group {
 public:
  explicit Group(QueueContext& context) : context_(context) {
    if (context_.group_depth++ == 0) context_.journal.begin_group();
  }
  ~Group() {
    if (--context_.group_depth == 0) context_.journal.end_group();
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

 private:
  QueueContext& context_;
};

}  // namespace haypile::engine
