#include "simulation/canaries.hpp"

namespace haypile::simulation {

namespace {

constexpr Canary all[] = {
    {"confirm_before_sync", "the durable position rises before the sync"},
    {"sync_skipped", "batches are written and never synced"},
    {"full_segment_not_synced", "a segment is left without syncing its end"},
    {"directory_not_synced", "a new segment's name is not synced"},
    {"error_not_final", "after a failed write or sync the log goes on"},
    {"epoch_not_raised", "a start keeps the epoch of the run before"},
    {"epoch_not_checked", "batches of an earlier epoch count"},
    {"stale_batch_accepted", "a batch counts wherever it stands, not at its position alone"},
    {"group_not_marked", "no marks around groups"},
    {"checkpoint_ahead_of_log", "a checkpoint does not wait for the log"},
    {"checkpoint_not_synced", "a checkpoint gets its name before it is synced"},
    {"live_segment_recycled", "a segment is recycled with messages in it"},
    {"segment_given_up_early", "a segment is used again before the checkpoint that allows it"},
    {"pile_not_synced", "a pile is not synced before the checkpoint that names it"},
    {"pile_removed_early", "a pile is removed before the checkpoint that forgets it"},
    {"thinned_marks_lost", "messages of a thinned pile are not marked redelivered any more"},
    {"old_file_removed_early", "a thinned pile's old file goes before a checkpoint names the new"},
    {"extents_stay_counted", "the memory of a pile that is gone is counted on"},
    {"one_copy_counted", "a message in many queues keeps its segment for one of them"},
    {"old_offset_kept", "a queue goes on in a thinned pile where it was in the old file"},
    {"young_ack_left_out", "no ack in the log for a message whose pile no checkpoint has"},
    {"moved_ignored", "recovery takes from segments what is in piles"},
    {"in_hand_not_moved", "what consumers have in hand does not go to the pile"},
    {"dropped_next_one", "recovery drops the neighbour of a message that left its pile"},
    {"wrong_home", "in a pile a second queue refers to the wrong message"},
    {"home_goes_with_first", "shared messages of a pile go with the queue that they stand with"},
    {"portion_written_early", "a portion of a move is looked for in its file before it is there"},
    {"portion_leaves_log", "a portion of a move leaves the log before the pile is whole"},
    {"purge_forgets_backlog", "a purge leaves on disk what was not read back"},
    {"pile_mark_forgotten", "messages of piles are not marked redelivered at an unclean start"},
    {"delivery_count_lost", "a message that moves loses how often it came back"},
    {"read_ahead_first", "what was returned waits for what was read ahead"},
    {"requeue_to_tail", "what is returned goes to the end of its queue"},
    {"prefetch_ignored", "consumers are given more than their prefetch"},
    {"limit_stays", "who had enough in hand when memory was low gets nothing any more"},
    {"reserve_ignored", "a full disk is final although there is a reserve"},
    {"transient_logged", "transient messages are logged as well"},
    {"missing_pile_not_listed", "a check does not list a pile that is missing", "check"},
    {"short_log_not_listed", "a check does not see that a log ends before its checkpoint", "check"},
    {"lost_home_not_listed", "a check does not list what stood in another block", "salvage"},
    {"open_pile_taken_for_whole", "a pile is taken for whole that was still written", "salvage"},
    {"open_pile_taken_twice", "what is in such a pile is taken from the log as well", "salvage"},
    {"inspector_ends_at_damage", "behind damage in a segment nothing more is read of it",
     "salvage"},
    {"inspector_loses_next_block", "behind a damaged block of a pile the next is left out",
     "salvage"},
    {"salvage_repeats_positions", "a salvaged log begins at positions that were used", "salvage"},
    {"salvage_copies_damage", "a salvage takes over piles with what is damaged in them", "salvage"},
};

}  // namespace

std::span<const Canary> canaries() {
  return all;
}

}  // namespace haypile::simulation
