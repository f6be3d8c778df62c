#include "daemon/check_command.hpp"

#include <iostream>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/damage_text.hpp"
#include "daemon/shown.hpp"
#include "log/data_directory.hpp"
#include "log/log_inspector.hpp"

namespace haypile {

namespace {

struct CheckedVhost {
  std::string name;
  log::InspectionReport report;
};

nlohmann::ordered_json to_json(const log::Damage& damage) {
  nlohmann::ordered_json json{{"file", damage.file},
                              {"offset", damage.offset},
                              {"what", damage.what},
                              {"bytes", damage.bytes},
                              {"messages", nullptr}};
  if (damage.message_count) json["messages"] = *damage.message_count;
  return json;
}

nlohmann::ordered_json to_json(const CheckedVhost& vhost) {
  const log::InspectionReport& report = vhost.report;
  nlohmann::ordered_json json{{"name", vhost.name},
                              {"clean", report.clean},
                              {"records", report.record_count},
                              {"live_bytes", report.live_bytes},
                              {"dead_bytes", report.dead_bytes},
                              {"torn_bytes", report.torn_bytes}};
  if (!report.torn_reason.empty()) json["torn_reason"] = report.torn_reason;
  for (const char* list : {"segments", "piles", "damages"})
    json[list] = nlohmann::ordered_json::array();
  json["queues"] = nlohmann::ordered_json::object();
  for (const auto& segment : report.segments) {
    json["segments"].push_back({{"number", segment.number},
                                {"used_bytes", segment.used_bytes},
                                {"version", segment.version}});
  }
  for (const auto& pile : report.piles) {
    json["piles"].push_back({{"name", log::pile_name(pile.file)},
                             {"bytes", pile.bytes},
                             {"messages", pile.count},
                             {"live_messages", pile.live_count},
                             {"damaged", pile.is_damaged}});
  }
  for (const auto& [name, counts] : report.queues)
    json["queues"][name] = {{"in_log", counts.in_log}, {"in_piles", counts.in_piles}};
  for (const log::Damage& damage : report.damages)
    json["damages"].push_back(to_json(damage));
  return json;
}

void print_json(const log::ExistingDirectory& directory, const std::vector<CheckedVhost>& vhosts,
                bool is_damaged) {
  nlohmann::ordered_json json{{"directory", directory.path()},
                              {"damaged", is_damaged},
                              {"damages", nlohmann::ordered_json::array()},
                              {"vhosts", nlohmann::ordered_json::array()}};
  for (const log::Damage& damage : directory.damages())
    json["damages"].push_back(to_json(damage));
  for (const CheckedVhost& vhost : vhosts)
    json["vhosts"].push_back(to_json(vhost));
  std::cout << json.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) << '\n';
}

void print_files(const log::InspectionReport& report) {
  std::uint64_t used = 0;
  std::set<std::uint32_t> versions;
  for (const auto& segment : report.segments) {
    used += segment.used_bytes;
    if (segment.version != 0) versions.insert(segment.version);
  }
  std::cout << "  " << number_of(report.segments.size(), "segment");
  if (!report.segments.empty()) {
    std::cout << " (" << report.segments.front().number << " to " << report.segments.back().number
              << ", " << used << " bytes used, format version";
    for (const std::uint32_t version : versions)
      std::cout << ' ' << version;
    std::cout << ')';
  }
  std::cout << ", " << number_of(report.record_count, "record") << '\n';
  for (const auto& pile : report.piles) {
    std::cout << "  pile " << log::pile_name(pile.file) << ": " << pile.live_count << " of "
              << number_of(pile.count, "message") << " left, " << pile.bytes << " bytes"
              << (pile.is_damaged ? ", damaged" : "") << '\n';
  }
  std::cout << "  " << report.live_bytes << " bytes live, " << report.dead_bytes << " dead\n";
}

void print_damage(const log::Damage& damage, const char* indent) {
  std::cout << indent << "DAMAGE " << damage_text(damage) << '\n';
}

void print_text(const CheckedVhost& vhost) {
  const log::InspectionReport& report = vhost.report;
  std::cout << "vhost " << shown(vhost.name) << ": " << (report.clean ? "clean" : "not closed")
            << '\n';
  print_files(report);
  for (const auto& [name, counts] : report.queues) {
    std::cout << "  queue " << shown(name) << ": "
              << number_of(counts.in_log + counts.in_piles, "message") << " (" << counts.in_log
              << " in the log, " << counts.in_piles << " in piles)\n";
  }
  if (!report.torn_reason.empty()) {
    std::cout << "  torn tail, which is no damage: " << shown(report.torn_reason) << " ("
              << number_of(report.torn_bytes, "byte") << ")\n";
  }
  for (const log::Damage& damage : report.damages)
    print_damage(damage, "  ");
}

}  // namespace

int check(const std::filesystem::path& directory, bool as_json) {
  try {
    log::ReadOnlyFileSystem files;
    const log::ExistingDirectory existing(directory.string(), files,
                                          log::ExistingDirectory::Use::look);
    std::vector<CheckedVhost> vhosts;
    std::size_t damage_count = existing.damages().size();
    for (const auto& vhost : existing.vhosts()) {
      log::LogInspector inspector(files, vhost.path, existing.id());
      inspector.run();
      vhosts.push_back({vhost.name, inspector.report()});
      damage_count += inspector.report().damages.size();
    }
    if (as_json) {
      print_json(existing, vhosts, damage_count != 0);
    } else {
      for (const log::Damage& damage : existing.damages())
        print_damage(damage, "");
      for (const CheckedVhost& vhost : vhosts)
        print_text(vhost);
      std::cout << (damage_count == 0 ? "no damage" : number_of(damage_count, "damaged place"))
                << '\n';
    }
    return damage_count == 0 ? exit_fine : exit_damaged;
  } catch (const log::IoError& error) {
    std::cerr << "haypiled: " << shown(error.what()) << '\n';
    return exit_unreadable;
  }
}

}  // namespace haypile
