#include "log/records.hpp"

#include <utility>

namespace haypile::log {

std::string Records::read(std::string_view records, LogPosition position, const Visit& visit) {
  const std::size_t size = records.size();
  const LogPosition first = position;
  time_ = 0;
  while (!records.empty()) {
    position = first + (size - records.size());
    Record record;
    if (!decode_record(records, position, record) || !complete(record)) {
      return "a malformed record at position " + std::to_string(position);
    }
    ++count_;
    if (const auto* fragment = std::get_if<FragmentRecord>(&record)) {
      const LogPosition begun =
          fragment->type == RecordType::first_fragment ? position : fragments_position_;
      if (!add_fragment(position, *fragment, visit)) {
        return "malformed fragments at position " + std::to_string(begun);
      }
      continue;
    }
    if (const auto* mark = std::get_if<MarkRecord>(&record)) {
      if (mark->type == RecordType::seal) sealed_ = true;
      if (mark->type == RecordType::start) fragments_position_ = 0;
    }
    if (const auto* time = std::get_if<TimeRecord>(&record)) time_ = time->time;
    visit(position, record);
  }
  return "";
}

bool Records::complete(Record& record) const {
  auto* publish = std::get_if<PublishRecord>(&record);
  if (!publish || !publish->is_relative) return true;
  publish->message.published_at += time_;
  return time_ != 0;
}

// A fragment without a first one began in a segment that has been given up, so nobody needs it.
bool Records::add_fragment(LogPosition position, const FragmentRecord& fragment,
                           const Visit& visit) {
  if (fragment.type == RecordType::first_fragment) {
    fragments_position_ = position;
    fragments_.clear();
  }
  if (fragments_position_ == 0) return true;
  fragments_ += fragment.bytes;
  if (fragment.type != RecordType::last_fragment) return true;
  std::string_view whole = fragments_;
  Record record;
  const LogPosition begun = std::exchange(fragments_position_, 0);
  if (!decode_record(whole, position, record) || !whole.empty()) return false;
  if (const auto* publish = std::get_if<PublishRecord>(&record); publish && publish->is_relative) {
    return false;  // it is unknown which batch's time it counts from
  }
  visit(begun, record);
  return true;
}

}  // namespace haypile::log
