// Several changes that become durable together.
#pragma once

#include "engine/queue_context.hpp"

namespace haypile::engine {

// Groups changes in the journal: everything that is published and settled while the object exists
// becomes durable together. Groups may be nested; then the outermost one counts. The context must
// outlive the group, and no other calls to the engine may come in between.
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
