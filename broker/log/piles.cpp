#include "log/piles.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "log/bytes.hpp"

namespace haypile::log {

namespace {

// About what a message takes in a pile besides its strings.
constexpr std::uint64_t record_overhead = 8;
// No message takes less than this, whatever its strings are.
constexpr std::uint64_t record_size_min = 4;

// 0 stands for nothing; every other value is one higher.
void put_optional(std::string& out, std::optional<std::uint64_t> value) {
  put_varint(out, value ? *value + 1 : 0);
}

std::optional<std::uint64_t> read_optional(Reader& in) {
  const std::uint64_t value = in.varint();
  return value == 0 ? std::nullopt : std::optional(value - 1);
}

// `end` is where the indices of the extent before end.
void append_extent(std::string& out, std::uint32_t end, const Extent& extent) {
  put_varint(out, extent.queue);
  out += static_cast<char>(extent.priority);
  out += static_cast<char>(extent.is_timed);
  put_varint(out, extent.first - end);
  put_varint(out, extent.count);
  put_varint(out, extent.stored);
  put_varint(out, extent.size);
  put_varint(out, extent.body_bytes);
  put_varint(out, extent.last_place);
  put_varint(out, extent.last_place - extent.first_place);
  put_varint(out, extent.shared);
  put_varint(out, extent.homes);
  put_varint(out, extent.home_bytes);
}

// `end` and `offset` are where the extent before ends. Before version 4 no pile was thinned.
Extent read_extent(Reader& in, std::uint32_t version, std::uint32_t end, std::uint64_t offset) {
  Extent extent{.first = end, .offset = offset};
  extent.queue = in.varint();
  extent.priority = in.byte();
  extent.is_timed = in.boolean();
  const std::uint64_t gap = version < 4 ? 0 : in.varint();
  if (gap > std::numeric_limits<std::uint32_t>::max() - end) in.fail();
  extent.first += static_cast<std::uint32_t>(gap);
  extent.count = in.varint_32();
  extent.stored = version < 4 ? extent.count : in.varint_32();
  extent.size = in.varint();
  extent.body_bytes = in.varint();
  extent.last_place = in.varint();
  if (version < 5) return extent;
  const std::uint64_t span = in.varint();
  extent.first_place = extent.last_place - std::min(span, extent.last_place);
  extent.shared = in.varint_32();
  extent.homes = in.varint_32();
  extent.home_bytes = in.varint();
  if (span > extent.last_place || extent.homes > extent.shared || extent.shared > extent.stored ||
      extent.home_bytes > extent.size) {
    in.fail();
  }
  return extent;
}

}  // namespace

std::uint32_t IndexSet::count(std::uint32_t first, std::uint32_t end) const {
  std::uint32_t count = 0;
  for (std::uint64_t index = first; index < end;) {
    const std::uint64_t word = index / 64;
    if (word < full_) {
      const std::uint64_t next = std::min<std::uint64_t>(full_ * 64, end);
      count += static_cast<std::uint32_t>(next - index);
      index = next;
      continue;
    }
    if (word - full_ >= words_.size()) break;
    const std::uint64_t next = std::min<std::uint64_t>((word + 1) * 64, end);
    const std::uint64_t bits = words_[word - full_] >> (index % 64);
    const std::uint64_t mask = ~std::uint64_t{0} >> (64 - (next - index));
    count += static_cast<std::uint32_t>(std::popcount(bits & mask));
    index = next;
  }
  return count;
}

std::uint64_t IndexSet::full() const {
  const auto first = std::ranges::find_if(words_, [](std::uint64_t word) { return ~word != 0; });
  return full_ + static_cast<std::uint64_t>(first - words_.begin());
}

IndexSet IndexSet::up_to(std::uint32_t end) const {
  const std::uint64_t full = this->full();
  const std::span<const std::uint64_t> words = others();
  if (end / 64 < full) return {full, {}};
  const std::size_t last = static_cast<std::size_t>(end / 64 - full);
  if (words.size() <= last) return {full, {words.begin(), words.end()}};
  IndexSet set(full, {words.begin(), words.begin() + static_cast<std::ptrdiff_t>(last) + 1});
  set.words_.back() &= (std::uint64_t{1} << (end % 64)) - 1;
  return set;
}

// Shared messages are in the file once. The extent that has the most of them left needs at least
// that many, and mostly all queues have the same ones.
std::uint64_t Pile::live_bytes() const {
  std::uint64_t sum = 0;
  std::uint64_t homes = 0;
  std::uint64_t home_bytes = 0;
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    sum += left[i].bytes;
    homes += extents[i].homes;
    home_bytes += extents[i].home_bytes;
    most = std::max(most, std::uint64_t{extents[i].shared} * left[i].count / extents[i].stored);
  }
  return homes == 0 ? sum : sum + home_bytes / homes * std::min(homes, most);
}

std::optional<std::size_t> Pile::extent_of(std::uint32_t index) const {
  const auto behind = std::ranges::upper_bound(extents, index, {}, &Extent::first);
  if (behind == extents.begin()) return std::nullopt;
  return static_cast<std::size_t>(behind - extents.begin()) - 1;
}

Pile::Left* Pile::left_of(std::uint32_t index) {
  const auto extent = extent_of(index);
  return extent ? &left[*extent] : nullptr;
}

// `left` is exact in its counts but not in its bytes: nothing records how many bytes each message
// takes. A caller that has the message knows its size; otherwise the average of the extent counts.
// The last message of an extent takes the rest with it, so that errors do not add up.
std::uint64_t Pile::drop(std::uint32_t index, std::size_t message_size) {
  if (index >= count || gone.contains(index)) return 0;
  gone.insert(index);
  ++gone_count;
  delivery_counts.erase(index);
  Left* its = left_of(index);
  if (!its || its->count == 0) return 0;
  const Extent& extent = extents[static_cast<std::size_t>(its - left.data())];
  const bool is_known = message_size != 0 && extent.shared == 0;
  const std::uint64_t about = is_known ? message_size + record_overhead : its->bytes / its->count;
  const bool is_last = --its->count == 0;
  const std::uint64_t freed = is_last ? its->bytes : std::min(its->bytes, about);
  its->bytes -= freed;
  if (is_last) its->bodies = 0;
  return freed;
}

void Pile::lose_bodies(std::uint32_t index, std::optional<std::uint64_t> bytes) {
  Left* its = left_of(index);
  if (!its || its->count == 0) return;
  if (!bytes || !its->bodies) {
    its->bodies.reset();
  } else {
    *its->bodies -= std::min(*its->bodies, *bytes);
  }
}

Pile::Left Pile::all_of(const Extent& extent) {
  return {extent.stored, extent.size - std::min(extent.size, extent.home_bytes), extent.body_bytes};
}

void Pile::grow(const std::vector<Extent>& all, std::uint32_t indices) {
  if (!extents.empty()) {
    const std::size_t last = extents.size() - 1;
    const Left before = all_of(extents[last]);
    const Left after = all_of(all[last]);
    left[last].count += after.count - before.count;
    left[last].bytes += after.bytes - before.bytes;
    if (left[last].bodies) *left[last].bodies += *after.bodies - *before.bodies;
    extents[last] = all[last];
  }
  for (std::size_t i = extents.size(); i < all.size(); ++i) {
    extents.push_back(all[i]);
    left.push_back(all_of(all[i]));
  }
  count = indices;
}

// An extent of which nothing was left is not in the new file, and two extents may have become one.
void Pile::replace_extents(const std::vector<Extent>& with) {
  block_places.clear();
  const std::vector<Extent> before = std::exchange(extents, with);
  const std::vector<Left> left_before = left;
  gone = gone.up_to(count);
  gone_count = gone.count(0, count);
  count_what_is_left();
  std::size_t old = 0;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    std::optional<std::uint64_t> bodies = 0;
    for (; old < before.size() && before[old].first < extents[i].first + extents[i].count; ++old) {
      const auto& more = left_before[old].bodies;
      bodies = bodies && more ? std::optional(*bodies + *more) : std::nullopt;
    }
    if (bodies) bodies = std::min(*bodies, extents[i].body_bytes);
    left[i].bodies = bodies;
  }
}

void Pile::count_what_is_left() {
  left.clear();
  for (const Extent& extent : extents) {
    const std::uint32_t live = extent.count - gone.count(extent.first, extent.first + extent.count);
    Left its = all_of(extent);
    if (live != its.count) {
      its.bytes = its.bytes * live / extent.stored;
      its.bodies = live == 0 ? std::optional<std::uint64_t>(0) : std::nullopt;
      its.count = live;
    }
    left.push_back(its);
  }
}

const char* Pile::broken_invariant() const {
  if (gone_count != gone.count(0, count)) return "count of what has gone of a pile";
  if (left.size() != extents.size()) return "extents of a pile";
  std::uint32_t end = 0;
  std::uint32_t live = 0;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const Extent& extent = extents[i];
    if (extent.first < end || extent.count > count - extent.first) return "order of extents";
    end = extent.first + extent.count;
    if (left[i].count != extent.count - gone.count(extent.first, end)) return "rest of an extent";
    if (left[i].count == 0 && left[i].bytes != 0) return "bytes of an extent";
    live += left[i].count;
  }
  return live == live_count() ? nullptr : "rest of a pile";
}

void append_pile(std::string& out, const Pile& pile) {
  out += static_cast<char>(RecordType::pile);
  put_varint(out, pile.number);
  put_varint(out, pile.file - pile.number);
  put_varint(out, pile.size);
  out += static_cast<char>(pile.redelivered);
  put_varint(out, pile.count);
  put_varint(out, pile.extents.size());
  std::uint32_t end = 0;
  for (const Extent& extent : pile.extents) {
    append_extent(out, end, extent);
    end = extent.first + extent.count;
  }
  for (const Pile::Left& left : pile.left)
    put_optional(out, left.bodies);
  put_varint(out, pile.delivery_counts.size());
  for (const auto& [index, count] : pile.delivery_counts) {
    put_varint(out, index);
    put_varint(out, count);
  }
  put_varint(out, pile.gone.full());
  put_varint(out, pile.gone.others().size());
  for (const std::uint64_t word : pile.gone.others())
    put_u64(out, word);
}

namespace {

void read_extents(Reader& in, std::uint32_t version, Pile& pile) {
  std::uint64_t offset = pile_header_size;
  std::uint64_t end = 0;
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    const Extent extent = read_extent(in, version, static_cast<std::uint32_t>(end), offset);
    if (extent.stored == 0 || extent.stored > extent.count) in.fail();
    if (extent.stored > extent.size / record_size_min) in.fail();
    if (extent.size > pile.size - offset) in.fail();
    end = std::uint64_t{extent.first} + extent.count;
    if (end > pile.count && version >= 4) in.fail();
    if (end > std::numeric_limits<std::uint32_t>::max()) in.fail();
    offset += extent.size;
    pile.extents.push_back(extent);
  }
  if (offset != pile.size) in.fail();
  if (version < 4) pile.count = static_cast<std::uint32_t>(end);
}

// Whether no extent has more messages left than the file has, and indices outside of extents have
// gone.
bool is_consistent(const Pile& pile) {
  std::uint64_t live = 0;
  for (const Extent& extent : pile.extents) {
    const std::uint32_t live_in_it =
        extent.count - pile.gone.count(extent.first, extent.first + extent.count);
    if (live_in_it > extent.stored) return false;
    live += live_in_it;
  }
  return live == pile.live_count();
}

}  // namespace

bool read_pile(Reader& in, std::uint32_t version, Pile& pile) {
  pile.number = in.varint();
  pile.file = pile.number + (version < 4 ? 0 : in.varint());
  pile.size = in.varint();
  if (pile.size < pile_header_size) in.fail();
  pile.redelivered = in.boolean();
  if (version >= 4) pile.count = in.varint_32();
  read_extents(in, version, pile);
  std::vector<std::optional<std::uint64_t>> bodies;
  for (std::size_t i = 0; i < pile.extents.size() && version >= 5 && in.ok(); ++i)
    bodies.push_back(read_optional(in));
  const std::uint64_t count = pile.count;
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    const std::uint32_t index = in.varint_32();
    pile.delivery_counts[index] = in.varint_32();
  }
  const std::uint64_t full = in.varint();
  const std::uint64_t others = in.varint();
  if (!in.ok() || full > count / 64 || others > count / 64 + 1 - full) return false;
  std::vector<std::uint64_t> words;
  for (std::uint64_t left = others; left > 0 && in.ok(); --left)
    words.push_back(in.u64());
  if (full + words.size() > count / 64 && !words.empty() && words.back() >> (count % 64) != 0) {
    return false;
  }
  pile.gone = IndexSet(full, std::move(words));
  pile.gone_count = pile.gone.count(0, pile.count);
  if (!in.ok() || !is_consistent(pile)) return false;
  pile.count_what_is_left();
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    if (bodies[i] > std::optional(pile.extents[i].body_bytes)) return false;
    pile.left[i].bodies = bodies[i];
  }
  return true;
}

void Pile::complete(std::uint32_t index, engine::StoredMessage& message) const {
  const auto found = delivery_counts.find(index);
  message.redelivered = message.redelivered || redelivered || found != delivery_counts.end();
  if (found != delivery_counts.end() && found->second != 0) message.delivery_count = found->second;
}

Pile* Piles::find(LogPosition number) {
  if (last_found_ && last_found_->number == number) return last_found_;
  const auto found = std::ranges::find_if(
      piles_, [&](const auto& pile) { return pile && pile->number == number; });
  return found == piles_.end() ? nullptr : last_found_ = found->get();
}

}  // namespace haypile::log
