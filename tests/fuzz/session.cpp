// A session, and what a client may do to it. Whatever comes, the session sends only frames, not
// more than it may, and the same ones however the bytes are cut; the journal gets no senseless
// calls, and the next client is served.
//
// Input: flags, a seed for pieces and events, what the client sends.
#include <string>
#include <string_view>

#include "fuzz/session_world.hpp"

namespace {

using namespace haypile;
using fuzz::Client;
using fuzz::expect;
using fuzz::World;

enum Flag : std::uint8_t {
  logged_in = 1,   // the handshake is done, and channel 1 is open
  events = 2,      // time passes, the disk is slow, the output is not read
  confirming = 4,  // also needs logged_in: channel 1 confirms, channel 2 is open and consumes
  disconnected = 8,
  shut_down = 16,
};

// A client that must not notice what other clients do.
class Witness {
 public:
  explicit Witness(World& world) : client_(world) {
    static const std::string conversation = fuzz::login() + fuzz::topology();
    client_.send_bytes(conversation);
    client_.send(1, amqp::queue::Declare{.queue = "witness", .exclusive = true});
  }
  void expect_service() {
    client_.read();
    for (const char* body : {"one", "two"}) {
      std::string bytes;
      amqp::append_message(bytes, 1, amqp::basic::Publish{.routing_key = "witness"},
                           std::string_view("\0\0", 2), body, 4096);
      client_.send_bytes(bytes);
      client_.send(1, amqp::basic::Get{.queue = "witness", .no_ack = true});
      client_.read();
      expect(client_.last_body() == body, "others are served");
    }
  }

 private:
  Client client_;
};

void begin(Client& client, std::uint8_t flags) {
  if ((flags & logged_in) == 0) return;
  static const std::string conversation = fuzz::login();
  client.send_bytes(conversation);
  if ((flags & confirming) == 0) return;
  client.send(1, amqp::confirm::Select{});
  client.send(2, amqp::channel::Open{});
  client.send(2, amqp::basic::Qos{.prefetch_count = 3});
  client.send(2, amqp::basic::Consume{.queue = "a", .consumer_tag = "c"});
  client.send(2, amqp::basic::Consume{.queue = "levels", .consumer_tag = "d", .no_ack = true});
}

void happen(World& world, Client& client, fuzz::Random& random) {
  switch (random.below(12)) {
    case 0:
      world.journal.hold();
      break;
    case 1:
      world.journal.release();
      client.session().log_advanced();
      break;
    case 2:
      world.pass(random.below(3) == 0 ? 5000 : random.below(30));
      client.session().tick(world.now);
      break;
    case 3:
      world.publishers_must_wait = true;
      client.session().tell_blocked("memory");
      break;
    case 4:
      world.publishers_must_wait = false;
      client.go_on();
      break;
    default:
      if (random.below(3) != 0) client.read();
      break;
  }
}

std::string run(std::string_view bytes, std::uint8_t flags, std::uint8_t seed) {
  World world;
  Witness witness(world);
  std::string said;
  {
    Client client(world);
    begin(client, flags);
    fuzz::Random random(seed);
    for (fuzz::Pieces pieces(bytes, seed); !pieces.empty();) {
      if ((flags & events) != 0) happen(world, client, random);
      client.send_bytes(pieces.next());
      if ((flags & events) == 0) client.read();
    }
    world.journal.release();
    client.session().log_advanced();
    client.read();
    world.publishers_must_wait = false;
    client.go_on();
    client.read();
    if ((flags & disconnected) != 0) client.session().disconnected();
    if ((flags & shut_down) != 0) client.session().shut_down(world.now);
    client.read();
    said = client.said();
  }
  world.pass(1000);
  witness.expect_service();
  return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t flags = input.byte();
  const std::uint8_t seed = input.byte();
  const std::string pieces = run(input.rest(), flags, seed);
  // If the seed does not decide what happens, it must not change the answers.
  if ((flags & events) != 0 || seed == 0 || pieces.size() > World::comparable_max_bytes) return 0;
  expect(run(input.rest(), flags, 0) == pieces, "the same answers, however the input is cut");
  return 0;
}
