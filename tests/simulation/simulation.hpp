// Runs a broker and its clients from one seed: what the clients do, when the network moves their
// bytes, when the disk is written, and when everything ends; then the next start and the comparison
// with the model.
//
// The faults, all at moments that follow from the seed:
// - Loss of power: at a call to the file system, at a rename, between two events, right after a
//   client was told that something is durable, or during recovery. What was not synced is lost,
//   torn at 512 bytes, or reordered; changes of directories are undone from some point on.
// - kill -9 at the same moments: what was written is there.
// - A file system call fails, only that one or all from then on.
// - A disk that is too small for what is published: publishers wait, everything else continues.
// - A clean stop, during which the power may be lost.
// - Clients that end without notice in the middle of a frame; that say nothing and are noticed by
//   their missing heartbeats; that do not read; bytes that come in pieces, and late.
//
// The checks, by name:
// - what a start has found: lost, settled-is-back, not-a-prefix, twice, order, wrong-queue,
//   in-two-queues, unknown-message, altered, transient-survived, refused-is-there, expired-early,
//   definition-lost, definition-is-back, not-marked-redelivered, marked-redelivered
// - how the broker was stopped and started: refused, clean-not-clean, unclean-clean,
//   durable-after-failure, stopped
// - what clients are told: two-holders, settled-again, tried-too-often, prefetch, no-consumer,
//   tag-twice, wrong-answer, confirm-order, nack, not-returned, wrong-return, connection-closed,
//   malformed
// - when nothing is left at the end: memory-left
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace haypile::simulation {

struct Plan {
  unsigned seed = 1;
  // A short script that ends at one certain call to the file system, which is its only fault.
  bool is_script = false;
  std::uint64_t power_loss_at_call = 0;  // 0: never
  std::size_t events_max = 30;           // the number of events that are kept for a failure
};

struct Outcome {
  std::string failure;  // "check: detail"; empty if all is well
  std::string events;   // the last events before it
  std::uint64_t hash = 0;
  std::uint64_t file_system_calls = 0;  // those of a script, until its audit
};

Outcome run(const Plan& plan);

// Returns the name of the check that has failed and what it found; empty if all is well.
std::string run_seed(unsigned seed);

}  // namespace haypile::simulation
