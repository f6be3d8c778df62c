#include "log/salvage.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/canary.hpp"
#include "log/checkpoint.hpp"
#include "log/log.hpp"
#include "log/newest.hpp"

namespace haypile::log {

namespace {

constexpr std::size_t chunk_size = 1u << 20;
// The most that is kept before it is given to the writer.
constexpr std::uint64_t pending_max_bytes = 4u << 20;

// Ignores what the new log recovers, which is known already.
class Ignored final : public engine::Recovery {
 public:
  void exchange(const engine::ExchangeDefinition&) override {}
  void queue(const engine::QueueDefinition&, engine::TimeMs) override {}
  void binding(const engine::BindingDefinition&) override {}
  void backlog(engine::QueueId, std::uint8_t, engine::Backlog&) override {}
  void message(LogPosition, const engine::MessageView&,
               std::span<const engine::RecoveredRef>) override {}
};

class Salvage {
 public:
  Salvage(LogInspector& inspector, FileSystem& files, const std::string& from,
          const std::string& to, const DirectoryId& id, std::uint32_t segment_size_if_unknown)
      : inspector_(inspector),
        files_(files),
        from_(from),
        to_(to),
        id_(id),
        segment_size_(inspector.segment_size()) {
    if (segment_size_ < segment_size_min || segment_size_ > UINT32_MAX) {
      segment_size_ = segment_size_if_unknown;
    }
  }

  // Piles come first, then the checkpoint that names them, beside a first segment without batches.
  // After that the new log is opened like any other and gets the messages of the old segments by
  // publish(). So the new log needs no code of its own to write records. If a crash or an error
  // comes in between, the new directory is worthless; the old one is unchanged.
  void run() {
    inspector_.piles().each([this](Piles::Slot, const Pile& pile) {
      if (pile.live_count() == 0) return;
      if (inspector_.is_damaged(pile) && !HAYPILE_CANARY(salvage_copies_damage)) {
        rewrite(pile);
      } else {
        copy(pile);
      }
    });
    write_head();
    write_messages();
  }

 private:
  void copy(const Pile& pile) {
    const std::string name = "/" + pile_name(pile.file);
    const auto source = files_.open(from_ + name);
    const auto target = files_.create(to_ + name);
    std::string bytes;
    for (std::uint64_t offset = 0; offset < pile.size; offset += bytes.size()) {
      source->read(offset, chunk_size, bytes);
      if (bytes.empty()) throw IoError("'" + from_ + name + "' has become shorter");
      target->write(offset, bytes);
    }
    target->sync();
    add(pile);
  }

  void add(Pile pile) {
    pile.redelivered = true;
    piles_.add(std::move(pile));
  }

  // Keeps the pile's numbers. The indices change, but there is no log yet that has them.
  void rewrite(const Pile& pile) {
    PileBuilder builder(pile.number, pile.file, id_);
    inspector_.each_stored(pile, [&](engine::QueueId queue, std::uint8_t priority,
                                     const engine::StoredMessage& stored) {
      builder.add({.queue = queue,
                   .position = stored.position,
                   .priority = priority,
                   .place = stored.place,
                   .delivery_count = stored.delivery_count,
                   .redelivered = true,
                   .is_timed = stored.is_timed,
                   .is_shared = stored.is_shared,
                   .message = stored.message});
    });
    if (builder.count() == 0) return;
    const std::string bytes = builder.take();
    const auto file = files_.create(to_ + "/" + pile_name(pile.file));
    file->write(0, bytes);
    file->sync();
    Pile rewritten;
    rewritten.number = pile.number;
    rewritten.file = pile.file;
    rewritten.size = bytes.size();
    rewritten.extents = builder.extents();
    rewritten.count = builder.count();
    add(std::move(rewritten));
  }

  // The first segment number that is behind everything that has a position in the old log. Segments
  // may have names with numbers that no log reaches, and the size of segments may not be known; in
  // these cases only the numbers of piles count.
  std::uint64_t first_free_segment() {
    std::uint64_t number = 1;
    if (HAYPILE_CANARY(salvage_repeats_positions)) return number;
    if (inspector_.last_segment() < position_max / segment_size_ / 2) {
      number = inspector_.last_segment() + 1;
    }
    piles_.each([&](Piles::Slot, const Pile& pile) {
      number = std::max(number, pile.file / segment_size_ + 1);
    });
    return number;
  }

  void write_head() {
    const std::uint64_t number = first_free_segment();
    const auto segment = files_.create(to_ + "/" + segment_name(number));
    std::string bytes = encode(
        SegmentHeader{.number = number, .segment_size = static_cast<std::uint32_t>(segment_size_)},
        id_);
    bytes.resize(segment_size_, '\0');
    segment->write(0, bytes);
    segment->sync();
    Newest(files_, to_, id_).create(number);
    const LogPosition begin = number * segment_size_;
    replace_file(files_, to_, checkpoint_name,
                 encode_checkpoint({.first_segment = number, .position = begin, .moved = begin},
                                   inspector_.catalog(), piles_, id_));
  }

  void write_messages() {
    std::string failure;
    LogOptions options;
    options.segment_size = static_cast<std::uint32_t>(segment_size_);
    options.reserve_size = segment_size_min;
    options.threaded = false;
    options.on_failure = [&failure](const std::string& line) { failure = line; };
    Log log(files_, to_, id_, options);
    Ignored ignored;
    log.recover(ignored);
    const auto write = [&] {
      log.flush();
      log.step();
      if (!failure.empty()) throw IoError(failure);
    };
    inspector_.each_logged([&](LogPosition, const engine::MessageView& message,
                               std::span<const engine::RecoveredRef> refs) {
      std::vector<engine::QueueId> queues;
      for (const engine::RecoveredRef& ref : refs)
        queues.push_back(ref.queue);
      const LogPosition position = log.publish(message, queues);
      for (const engine::RecoveredRef& ref : refs) {
        if (ref.delivery_count == 0) continue;
        log.set_delivery_count({.queue = ref.queue, .message = position}, ref.delivery_count);
      }
      if (log.pending_bytes() > pending_max_bytes) write();
    });
    write();
  }

  LogInspector& inspector_;
  FileSystem& files_;
  const std::string from_;
  const std::string to_;
  const DirectoryId id_;
  std::uint64_t segment_size_;
  Piles piles_;
};

}  // namespace

void write_salvaged(LogInspector& inspector, FileSystem& files, const std::string& from,
                    const std::string& to, const DirectoryId& id,
                    std::uint32_t segment_size_if_unknown) {
  Salvage(inspector, files, from, to, id, segment_size_if_unknown).run();
}

}  // namespace haypile::log
