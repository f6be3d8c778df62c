// A broker and its clients, from one seed: what they do, when the network moves what they say, when
// the disk is written, and when it all comes to an end; then the next start, and the model.
//
// The faults, all at moments chosen by the seed:
// - loss of power: at a call to the file system, at a rename, between two events, or right after a
//   client was told that something is durable. What was not synced is lost, torn at 512 bytes,
//   reordered; what was done to directories is undone from some point on. Also during recovery.
// - kill -9 at the same moments: what was written is there.
// - a file system call fails, that one alone or all from then on.
// - a disk that is too small for what is published: publishers wait, all else goes on.
// - a clean stop, which the power may not let come to its end.
// - clients that end without a word, in the middle of a frame; that say nothing and are found out
//   by their missing heartbeats; that do not read; bytes that come in pieces, and late.
//
// The checks, by name:
//   lost, settled-is-back, not-a-prefix, twice, order, wrong-queue, in-two-queues, unknown-message,
//   altered, transient-survived, refused-is-there, expired-early, definition-lost,
//   definition-is-back, not-marked-redelivered, marked-redelivered: what a start has found
//   refused, clean-not-clean, unclean-clean, durable-after-failure, stopped: how it was stopped and
//   started two-holders, settled-again, tried-too-often, prefetch, no-consumer, tag-twice,
//   wrong-answer, confirm-order, nack, not-returned, wrong-return, connection-closed, malformed:
//   what clients are told memory-left: when nothing is left at the end
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace haypile::simulation {

struct Plan {
  unsigned seed = 1;
  // A short script that ends at exactly that call to the file system; its only fault.
  bool is_script = false;
  std::uint64_t power_loss_at_call = 0;  // 0: never
  std::size_t events_max = 30;           // that are told of a failure
};

struct Outcome {
  std::string failure;  // "check: detail"; empty if all is well
  std::string events;   // the last ones before it
  std::uint64_t hash = 0;
  std::uint64_t file_system_calls = 0;  // of a script, until it was audited
};

Outcome run(const Plan& plan);

// The name of the check that has failed and what it found; empty if all is well.
std::string run_seed(unsigned seed);

}  // namespace haypile::simulation
