#include "engine/message_pool.hpp"

namespace haypile::engine {

MessagePool::~MessagePool() {
  for (Free* first : free_) {
    while (first)
      ::operator delete(std::exchange(first, first->next));
  }
}

}  // namespace haypile::engine
