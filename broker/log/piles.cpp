#include "log/piles.hpp"

#include <algorithm>
#include <bit>

#include "log/bytes.hpp"

namespace haypile::log {

namespace {

void append_extent(std::string& out, const Extent& extent) {
  put_varint(out, extent.queue);
  out += static_cast<char>(extent.priority);
  out += static_cast<char>(extent.is_timed);
  put_varint(out, extent.count);
  put_varint(out, extent.size);
  put_varint(out, extent.body_bytes);
  put_varint(out, extent.last_place);
}

// `first` and `offset` follow from the extents before.
Extent read_extent(Reader& in, std::uint32_t first, std::uint64_t offset) {
  Extent extent{.first = first, .offset = offset};
  extent.queue = in.varint();
  extent.priority = in.byte();
  extent.is_timed = in.boolean();
  extent.count = in.varint_32();
  extent.size = in.varint();
  extent.body_bytes = in.varint();
  extent.last_place = in.varint();
  return extent;
}

}  // namespace

std::uint32_t Pile::live_count_in(const Extent& extent) const {
  if (gone_count == 0) return extent.count;
  std::uint32_t live = 0;
  for (std::uint32_t index = extent.first; index < extent.first + extent.count; ++index)
    live += gone.contains(index) ? 0 : 1;
  return live;
}

void append_pile(std::string& out, const Pile& pile) {
  out += static_cast<char>(RecordType::pile);
  put_varint(out, pile.number);
  put_varint(out, pile.size);
  out += static_cast<char>(pile.redelivered);
  put_varint(out, pile.extents.size());
  for (const Extent& extent : pile.extents)
    append_extent(out, extent);
  put_varint(out, pile.delivery_counts.size());
  for (const auto& [index, count] : pile.delivery_counts) {
    put_varint(out, index);
    put_varint(out, count);
  }
  // Mostly all up to some index have gone, and few behind it.
  const std::vector<std::uint64_t>& words = pile.gone.words();
  const auto first = std::ranges::find_if(words, [](std::uint64_t word) { return ~word != 0; });
  put_varint(out, static_cast<std::uint64_t>(first - words.begin()));
  put_varint(out, static_cast<std::uint64_t>(words.end() - first));
  for (auto word = first; word != words.end(); ++word)
    put_u64(out, *word);
}

bool read_pile(Reader& in, Pile& pile) {
  pile.number = in.varint();
  pile.size = in.varint();
  pile.redelivered = in.boolean();
  std::uint64_t offset = pile_header_size;
  std::uint64_t count = 0;
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    const Extent extent = read_extent(in, static_cast<std::uint32_t>(count), offset);
    if (extent.count == 0 || extent.size > pile.size - offset) in.fail();
    count += extent.count;
    if (count > std::numeric_limits<std::uint32_t>::max()) in.fail();
    offset += extent.size;
    pile.extents.push_back(extent);
  }
  if (offset != pile.size) in.fail();
  pile.count = static_cast<std::uint32_t>(count);
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    const std::uint32_t index = in.varint_32();
    pile.delivery_counts[index] = in.varint_32();
  }
  const std::uint64_t full = in.varint();
  const std::uint64_t others = in.varint();
  if (!in.ok() || full > count / 64 || others > count / 64 + 1 - full) return false;
  std::vector<std::uint64_t> words(full, ~std::uint64_t{0});
  for (std::uint64_t i = 0; i < others; ++i)
    words.push_back(in.u64());
  if (words.size() > count / 64 && words.back() >> (count % 64) != 0) return false;
  for (const std::uint64_t word : words)
    pile.gone_count += static_cast<std::uint32_t>(std::popcount(word));
  pile.gone = IndexSet(std::move(words));
  return in.ok();
}

Pile* Piles::find(LogPosition number) {
  if (last_found_ && last_found_->number == number) return last_found_;
  const auto found = std::ranges::find_if(
      piles_, [&](const auto& pile) { return pile && pile->number == number; });
  return found == piles_.end() ? nullptr : last_found_ = found->get();
}

}  // namespace haypile::log
