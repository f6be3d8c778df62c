// haypile status, purge and delete: one look at a queue, or one change.
#pragma once

#include "common.hpp"

namespace haypile::cli {

// Prints how many messages and consumers the queue has. All of these throw Error, also if there is
// no such queue.
int status(const CommonOptions& options, bool is_json);

// Drops the ready messages of the queue, and prints how many they were.
int purge(const CommonOptions& options);

// Deletes the queue with its messages, and prints how many they were.
int delete_queue(const CommonOptions& options, bool if_unused, bool if_empty);

}  // namespace haypile::cli
