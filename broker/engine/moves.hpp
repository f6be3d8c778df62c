// The lists of queues that a move to disk has to examine.
#pragma once

#include "engine/definitions.hpp"

namespace haypile::engine {

// A possible item of a MoveList. Leaves its list when it is destroyed.
class MoveListItem {
 public:
  MoveListItem() = default;
  ~MoveListItem() { unlink(); }
  MoveListItem(const MoveListItem&) = delete;
  MoveListItem& operator=(const MoveListItem&) = delete;

  bool is_listed() const { return behind_ != nullptr; }
  void unlink() {
    if (!is_listed()) return;
    before_->behind_ = behind_;
    behind_->before_ = before_;
    before_ = behind_ = nullptr;
  }

 private:
  friend class MoveList;
  MoveListItem* before_ = nullptr;
  MoveListItem* behind_ = nullptr;
};

// A list of items, linked as a ring through the list itself. It does not own its items; each can
// leave at any time.
class MoveList {
 public:
  MoveList() { ends_.before_ = ends_.behind_ = &ends_; }
  ~MoveList() {
    while (!empty())
      ends_.behind_->unlink();
    ends_.before_ = ends_.behind_ = nullptr;
  }
  MoveList(const MoveList&) = delete;
  MoveList& operator=(const MoveList&) = delete;

  bool empty() const { return ends_.behind_ == &ends_; }
  MoveListItem& front() const { return *ends_.behind_; }
  // Adds an item at the end. If it is in another list, it leaves that one.
  void add(MoveListItem& item) {
    item.unlink();
    item.before_ = ends_.before_;
    item.behind_ = &ends_;
    item.before_->behind_ = &item;
    ends_.before_ = &item;
  }
  // Appends all items of the other list, which becomes empty.
  void take(MoveList& other) {
    if (other.empty()) return;
    other.ends_.behind_->before_ = ends_.before_;
    other.ends_.before_->behind_ = &ends_;
    ends_.before_->behind_ = other.ends_.behind_;
    ends_.before_ = other.ends_.before_;
    other.ends_.before_ = other.ends_.behind_ = &other.ends_;
  }

 private:
  MoveListItem ends_;
};

// The move in progress, and the queues that have messages to move.
struct Moves {
  LogPosition boundary = 0;  // messages before it leave the log; 0: nothing moves now
  MoveList due{};            // queues that may have messages in memory before the boundary
  MoveList later{};          // queues that have others that could be moved

  void begin(LogPosition at) {
    boundary = at;
    due.take(later);
  }
  void end() { boundary = 0; }
  // Notes that the queue has a message in memory that could be moved. `message` is its position.
  void note(MoveListItem& queue, LogPosition message) {
    if (message < boundary) {
      due.add(queue);
    } else if (!queue.is_listed()) {
      later.add(queue);
    }
  }
};

}  // namespace haypile::engine
