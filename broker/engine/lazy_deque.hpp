// A deque that takes no memory before it is used.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

namespace haypile::engine {

// Has a part of std::deque's interface. A std::deque takes half a kilobyte as soon as it is made,
// and a queue has three of them: a hundred thousand queues that never hold a message would take
// more than a hundred megabytes.
template <class T>
class LazyDeque {
 public:
  using iterator = typename std::deque<T>::iterator;
  using const_iterator = typename std::deque<T>::const_iterator;

  bool empty() const { return !elements_ || elements_->empty(); }
  std::size_t size() const { return elements_ ? elements_->size() : 0; }
  T& front() { return elements_->front(); }
  const T& front() const { return elements_->front(); }
  T& back() { return elements_->back(); }
  void push_back(T&& element) {
    if (!elements_) elements_ = std::make_unique<std::deque<T>>();
    elements_->push_back(std::move(element));
  }
  void pop_front() { elements_->pop_front(); }
  void pop_back() { elements_->pop_back(); }
  // Gives all memory back.
  void clear() { elements_.reset(); }

  iterator begin() { return elements_ ? elements_->begin() : iterator(); }
  iterator end() { return elements_ ? elements_->end() : iterator(); }
  const_iterator begin() const {
    return elements_ ? std::as_const(*elements_).begin() : const_iterator();
  }
  const_iterator end() const {
    return elements_ ? std::as_const(*elements_).end() : const_iterator();
  }

 private:
  std::unique_ptr<std::deque<T>> elements_;
};

}  // namespace haypile::engine
