// A participant of a virtual host's turns that does what the test wants, and records it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "vhost/participant.hpp"

namespace haypile::test {

class TestParticipant final : public vhost::Participant {
 public:
  using Story = std::vector<std::string>;

  TestParticipant(std::string name, Story& story) : name_(std::move(name)), story_(story) {}

  std::function<void()> on_read;
  std::function<bool()> on_go_on;
  bool is_gone = false;

  void read() override { tell("reads", on_read); }
  bool try_to_resume() override {
    tell("goes on", {});
    return !on_go_on || on_go_on();
  }
  void tell_alarm(std::string_view text) override { tell("hears: " + std::string(text), {}); }
  void check_peer() override { tell("is looked after", {}); }
  void log_advanced() override { tell("hears of the log", {}); }
  bool has_gone() const override { return is_gone; }

 private:
  void tell(const std::string& what, const std::function<void()>& action) {
    story_.push_back(name_ + " " + what);
    if (action) action();
  }

  const std::string name_;
  Story& story_;
};

}  // namespace haypile::test
