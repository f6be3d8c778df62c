"""What a new haypiled finds on the directory of one that was killed or stopped: definitions,
limits, orders, counts and headers. Deadlines are in deadlines_test.py, kills at random in
kills_test.py."""
import unittest

from harness import BrokerTest
from pika import BasicProperties
from pika.exceptions import ChannelClosedByBroker, NackError
from raw import RawConnection, barrier, wire

DAY = 24 * 3600 * 1000
# The options that differ from a plain durable direct exchange.
EXCHANGES = {
    "direct": {},
    "fanout": {"exchange_type": "fanout"},
    "topic": {"exchange_type": "topic"},
    "headers": {"exchange_type": "headers"},
    "internal": {"internal": True},
    "passing": {"auto_delete": True},
    "alternate": {"arguments": {"alternate-exchange": "fanout", "meaningless": [1, "two"]}},
}
QUORUM = {"x-queue-type": "quorum"}
DEAD = {"x-dead-letter-exchange": "direct"}
# Arguments and others that are not equal to them.
QUEUES = {
    "plain": ({}, {"x-max-length": 5}),
    "message-ttl": ({"x-message-ttl": DAY}, {"x-message-ttl": DAY + 1}),
    "expires": ({"x-expires": DAY}, {"x-expires": DAY - 1}),
    "length": ({"x-max-length": 7}, {"x-max-length": 8}),
    "bytes": ({"x-max-length-bytes": 7000}, {"x-max-length-bytes": 7001}),
    "reject": ({"x-overflow": "reject-publish"}, {"x-overflow": "drop-head"}),
    "reject-dlx": ({"x-overflow": "reject-publish-dlx"}, {"x-overflow": "reject-publish"}),
    "dead": (DEAD, {"x-dead-letter-exchange": "topic"}),
    "dead-key": (
        {**DEAD, "x-dead-letter-routing-key": "k"}, {**DEAD, "x-dead-letter-routing-key": "l"},
    ),
    "priority": ({"x-max-priority": 9}, {"x-max-priority": 8}),
    "single": ({"x-single-active-consumer": True}, {"x-single-active-consumer": False}),
    "limit": ({"x-delivery-limit": 3}, {"x-delivery-limit": 4}),
    "lazy": ({"x-queue-mode": "lazy"}, {"x-queue-mode": "default"}),
    "quorum": (QUORUM, {"x-queue-type": "classic"}),
    "strategy": (
        {**QUORUM, **DEAD, "x-dead-letter-strategy": "at-least-once"},
        {**QUORUM, **DEAD, "x-dead-letter-strategy": "at-most-once"},
    ),
    "all": (
        {"x-message-ttl": DAY, "x-expires": DAY, "x-max-length": 7, "x-max-length-bytes": 7000,
         "x-overflow": "reject-publish", **DEAD, "x-dead-letter-routing-key": "k",
         "x-max-priority": 9, "x-single-active-consumer": True, "x-delivery-limit": 3},
        {"x-message-ttl": DAY},
    ),
}  # fmt: skip
HOWS = ("kill", "stop", "kill")


class RestartTest(BrokerTest):
    def setUp(self):
        super().setUp()
        self.open = []

    def end(self, broker, how):
        if how == "kill":
            broker.kill()
        else:
            for connection in self.open:
                connection.close()
            self.assertEqual(broker.stop(), 0)
        self.open = []

    def restart(self, broker, how="kill"):
        self.end(broker, how)
        return self.start_broker("--log-level", "off")

    def channel(self, broker):
        """Of a connection of its own, which is there until the restart."""
        self.open.append(broker.connect())
        channel = self.open[-1].channel()
        channel.confirm_delivery()
        return channel

    def take(self, channel, queue):
        """All bodies that are ready."""
        bodies = []
        while True:
            method, _, body = channel.basic_get(queue, auto_ack=True)
            if method is None:
                return bodies
            bodies.append(body.decode())

    def assert_refused(self, code, broker, call):
        with broker.connect() as connection:
            with self.assertRaises(ChannelClosedByBroker) as refused:
                call(connection.channel())
            self.assertEqual(refused.exception.reply_code, code)


class Definitions(RestartTest):
    def declare_all(self, channel):
        for name, options in EXCHANGES.items():
            channel.exchange_declare(name, durable=True, **options)
        for name, (arguments, _) in QUEUES.items():
            channel.queue_declare(name, durable=True, arguments=arguments)

    def test_what_was_declared_and_what_differs(self):
        broker = self.start_broker()
        with broker.connect() as connection:
            self.declare_all(connection.channel())
            connection.channel().queue_declare("mine", durable=True, exclusive=True)
        for how in HOWS:
            with self.subTest(how=how):
                broker = self.restart(broker, how)
                with broker.connect() as connection:
                    channel = connection.channel()
                    for name in EXCHANGES:
                        channel.exchange_declare(name, passive=True)
                    for name in QUEUES:
                        channel.queue_declare(name, passive=True)
                    self.declare_all(channel)
                self.check_differing(broker)
                self.assert_refused(404, broker, lambda ch: ch.queue_declare("mine", passive=True))

    def check_differing(self, broker):
        for name, (_, others) in QUEUES.items():
            for options in ({"durable": True}, {"durable": True, "auto_delete": True}, {}):
                arguments = others if options == {"durable": True} else QUEUES[name][0]
                with self.subTest(queue=name, options=options):
                    self.assert_refused(406, broker, lambda ch: ch.queue_declare(
                        name, arguments=arguments, **options))  # fmt: skip
        for name, options in EXCHANGES.items():
            kind = "topic" if options.get("exchange_type") != "topic" else "direct"
            for other in (
                {"exchange_type": kind},
                {"durable": False},
                {"auto_delete": not options.get("auto_delete", False)},
                {"internal": not options.get("internal", False)},
                {"arguments": {"alternate-exchange": "topic"}},
            ):
                with self.subTest(exchange=name, other=other):
                    different = {"durable": True, **options, **other}
                    self.assert_refused(
                        406, broker, lambda ch: ch.exchange_declare(name, **different)
                    )

    def bind_all(self, channel):
        channel.queue_bind("plain", "direct", "key")
        channel.queue_bind("plain", "direct", "other key")
        channel.queue_bind("length", "topic", "a.*.#")
        channel.queue_bind("bytes", "fanout")
        channel.queue_bind("dead", "internal", "key")
        channel.exchange_bind("internal", "direct", "key")
        channel.exchange_bind("topic", "headers", "", {"x-match": "any", "t": True})
        channel.queue_bind("lazy", "headers", "", {"x-match": "all", "n": 1, "s": "x"})
        channel.queue_bind("limit", "headers", "", {"x-match": "any", "n": 1, "s": "x"})
        channel.queue_bind("single", "headers", "", {"x-match": "all", "n": 2})
        # What is not to be there.
        channel.queue_bind("quorum", "direct", "key")
        channel.queue_unbind("quorum", "direct", "key")
        channel.queue_bind("quorum", "headers", "", {"n": 1})
        channel.queue_unbind("quorum", "headers", "", {"n": 1})
        channel.exchange_bind("fanout", "direct", "key")
        channel.exchange_unbind("fanout", "direct", "key")
        channel.queue_declare("gone", durable=True)
        channel.queue_bind("gone", "direct", "key")
        channel.basic_publish("", "gone", "old", BasicProperties(delivery_mode=2))
        channel.queue_delete("gone")
        channel.exchange_declare("gone", "fanout", durable=True)
        channel.queue_bind("quorum", "gone")
        channel.exchange_delete("gone")
        # Of a queue that came back under its name nothing of the old one is there.
        channel.queue_declare("again", durable=True, arguments={"x-max-length": 1})
        channel.queue_bind("again", "direct", "key")
        channel.basic_publish("", "again", "old", BasicProperties(delivery_mode=2))
        channel.queue_delete("again")
        channel.queue_declare("again", durable=True)
        channel.exchange_declare("again", "fanout", durable=True)
        channel.queue_bind("quorum", "again")
        channel.exchange_delete("again")
        channel.exchange_declare("again", "fanout", durable=True)

    def check_routes(self, channel):
        for exchange, key, headers, queues in (
            ("direct", "key", {}, "dead plain"),
            ("direct", "other key", {}, "plain"),
            ("direct", "no key", {}, ""),
            ("topic", "a.b.c", {}, "length"),
            ("topic", "b", {}, ""),
            ("fanout", "", {}, "bytes"),
            ("alternate", "nowhere", {}, "bytes"),
            ("headers", "", {"n": 1, "s": "x"}, "lazy limit"),
            ("headers", "", {"n": 2, "s": "x"}, "limit single"),
            ("headers", "a.b", {"t": True}, "length"),
            ("again", "", {}, ""),
            ("", "again", {}, "again"),
        ):
            with self.subTest(exchange=exchange, key=key, headers=headers):
                channel.basic_publish(exchange, key, "x", BasicProperties(headers=headers))
                got = [name for name in [*QUEUES, "again"] for _ in self.take(channel, name)]
                self.assertEqual(sorted(got), queues.split())

    def test_bindings(self):
        broker = self.start_broker()
        channel = self.channel(broker)
        self.declare_all(channel)
        self.bind_all(channel)
        for how in HOWS:
            broker = self.restart(broker, how)
            channel = self.channel(broker)
            self.check_routes(channel)
            for kind in ("queue", "exchange"):
                self.assert_refused(
                    404, broker, lambda ch: getattr(ch, f"{kind}_declare")("gone", passive=True)
                )
            self.assert_refused(403, broker, lambda ch: (
                ch.confirm_delivery(), ch.basic_publish("internal", "key", "x")))  # fmt: skip
            if how == "kill":  # the first segments go, what stood there is in the checkpoint then
                for _ in range(40):
                    channel.basic_publish("", "plain", bytes(500_000), BasicProperties(
                        delivery_mode=2))  # fmt: skip
                    channel.basic_get("plain", auto_ack=True)
        # An exchange that goes with its last binding still does.
        channel.queue_bind("plain", "passing", "key")
        broker = self.restart(broker)
        self.channel(broker).queue_unbind("plain", "passing", "key")
        self.assert_refused(404, broker, lambda ch: ch.exchange_declare("passing", passive=True))
        broker = self.restart(broker)
        self.assert_refused(404, broker, lambda ch: ch.exchange_declare("passing", passive=True))


class Orders(RestartTest):
    def test_priorities(self):
        broker = self.start_broker()
        channel = self.channel(broker)
        channel.queue_declare("q", durable=True, arguments={"x-max-priority": 5})

        def publish(*messages):
            for body, priority in messages:
                channel.basic_publish(
                    "", "q", body, BasicProperties(priority=priority, delivery_mode=2)
                )

        publish(("a0", None), ("b3", 3), ("c5", 5), ("d9", 9), ("e3", 3), ("f0", 0))
        for how in HOWS:
            broker = self.restart(broker, how)
            with broker.connect() as connection:
                for _ in range(2):  # goes back to its place
                    connection.channel().basic_get("q")
            channel = self.channel(broker)
        publish(("g5", 5), ("h1", 1))
        broker = self.restart(broker)
        self.assertEqual(
            self.take(self.channel(broker), "q"),
            ["c5", "d9", "g5", "b3", "e3", "h1", "a0", "f0"],
        )

    def test_limits_hold(self):
        def full(queue, body="x"):
            try:
                channel.basic_publish("", queue, body, BasicProperties(delivery_mode=2))
            except NackError:
                return True
            return False

        broker = self.start_broker()
        channel = self.channel(broker)
        rejecting = {"x-overflow": "reject-publish"}
        for name, arguments in (
            ("count", {"x-max-length": 3, **rejecting}),
            ("bytes", {"x-max-length-bytes": 30, **rejecting}),
            ("both", {"x-max-length": 2, "x-overflow": "reject-publish-dlx",
                      "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}),
            ("head", {"x-max-length": 2}), ("graves", {}),
        ):  # fmt: skip
            channel.queue_declare(name, durable=True, arguments=arguments)
        self.assertEqual([full("count", str(n)) for n in range(5)], [False] * 3 + [True] * 2)
        self.assertEqual([full("bytes", "ten bytes!") for n in range(4)], [False] * 3 + [True])
        self.assertEqual([full("both", str(n)) for n in range(3)], [False] * 2 + [True])
        self.assertEqual([full("head", str(n)) for n in range(3)], [False] * 3)
        for how in HOWS:
            with self.subTest(how=how):
                broker = self.restart(broker, how)
                channel = self.channel(broker)
                self.assertTrue(full("count") and full("bytes") and full("both"))
                _, _, body = channel.basic_get("count", auto_ack=True)
                self.assertEqual([full("count", body), full("count")], [False, True])
                # What was refused after the queue was full is not there.
                self.assertFalse(full("head", "new"))
        self.assertEqual(self.take(channel, "count"), ["0", "1", "2"])
        self.assertEqual(self.take(channel, "both"), ["0", "1"])
        self.assertEqual(self.take(channel, "graves"), ["2", "x", "x", "x"])
        self.assertEqual(self.take(channel, "head"), ["new", "new"])

    def test_a_confirmed_message_is_durable_where_it_was_dead_lettered_to(self):
        """Each of the queues passes on at once what it is sent."""
        broker = self.start_broker("--log-level", "off")
        dead = {"x-dead-letter-exchange": "dead"}
        channel = self.channel(broker)
        channel.exchange_declare("dead", "fanout", durable=True)
        channel.queue_declare("graves", durable=True)
        channel.queue_declare("more graves", durable=True)
        for queue in ("graves", "more graves"):
            channel.queue_bind(queue, "dead")
        channel.queue_declare("none", durable=True, arguments={"x-max-length": 0, **dead})
        channel.queue_declare("never", durable=True, arguments={"x-message-ttl": 0, **dead})
        channel.queue_declare("twice", durable=True, arguments={
            "x-max-length": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "none"
        })  # fmt: skip
        for queue in ("none", "never", "twice") * 2:
            channel.basic_publish("", queue, queue, BasicProperties(delivery_mode=2))
            broker = self.restart(broker)
            channel = self.channel(broker)
            self.assertEqual(self.take(channel, "graves"), [queue])
            self.assertEqual(self.take(channel, "more graves"), [queue])
            self.assertEqual([self.take(channel, name) for name in ("none", "never")], [[], []])


class Headers(RestartTest):
    def test_delivery_count(self):
        """A message that came back twice has come back twice after a restart, too."""
        kinds = ("classic", "quorum")

        def returned(expected):
            """Each queue gives its first message, with that count, and gets it back."""
            channel = self.channel(broker)
            for kind in kinds:
                method, properties, body = channel.basic_get(kind)
                self.assertEqual((body, method.redelivered), (b"a", expected is not None))
                self.assertEqual((properties.headers or {}).get("x-delivery-count"), expected)
                channel.basic_reject(method.delivery_tag, requeue=True)
            barrier(channel)

        broker = self.start_broker()
        channel = self.channel(broker)
        channel.queue_declare("graves", durable=True)
        for kind in kinds:
            channel.queue_declare(kind, durable=True, arguments={
                "x-queue-type": kind, "x-delivery-limit": 3, "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "graves",
            })  # fmt: skip
            for body in "ab":
                channel.basic_publish("", kind, body, BasicProperties(delivery_mode=2))
        returned(None)
        returned(1)
        for count, how in ((2, "kill"), (3, "stop")):
            broker = self.restart(broker, how)
            returned(count)
        for how in ("kill", "stop"):
            self.assertEqual(self.message_count(broker, "graves"), len(kinds))
            broker = self.restart(broker, how)
        channel = self.channel(broker)
        for kind in kinds:
            _, properties, body = channel.basic_get("graves", auto_ack=True)
            death = properties.headers["x-death"][0]
            self.assertEqual((body, death["reason"], death["count"], death["queue"]),
                             (b"a", "delivery_limit", 1, kind))  # fmt: skip
            _, properties, body = channel.basic_get(kind, auto_ack=True)
            self.assertEqual((body, properties.headers), (b"b", None))

    def test_every_byte_of_the_headers(self):
        """All types of table values, then with x-death, as the first broker sent them."""
        broker = self.start_broker()
        every = {
            "b": wire.As("b", -5), "B": wire.As("B", 250), "s": wire.As("s", -300),
            "u": wire.As("u", 65000), "I": -70000, "i": wire.As("i", 4_000_000_000),
            "l": -(1 << 62), "f": wire.As("f", 0.5), "nan": wire.As("d", b"\x7f\xf8" + bytes(6)),
            "d": -0.0, "D": wire.As("D", (200, 4_294_967_295)), "T": wire.As("T", 1 << 40),
            "S": "Hü\0", "not utf-8": wire.As("S", b"\xff\0\xfe"),
            "x": wire.As("x", bytes(range(256))),
            "V": None, "yes": True, "no": False, "t": wire.As("t", b"\x02"), "": "no name",
            "A": [1, [], [None, [True]], {"F": {}}], "F": {"F": {"F": {"A": [wire.As("b", 1)]}}},
        }  # fmt: skip
        table = wire.pack_table(every)[4:]
        table += wire.short("twice") + b"I\0\0\0\1" + wire.short("twice") + b"I\0\0\0\2"
        properties = wire.pack_header(0, {
            "content_type": "a/b", "content_encoding": "", "headers": table, "delivery_mode": 2,
            "priority": 255, "correlation_id": b"\xff\0", "reply_to": "r", "message_id": "i",
            "timestamp": 2**64 - 1, "type": "t", "user_id": "guest", "app_id": "p",
            "cluster_id": "c"})[12:]  # fmt: skip
        with RawConnection(broker) as connection:
            channel = connection.channel()
            channel.queue("dead", durable=True)
            channel.queue("q", {"x-dead-letter-exchange": "",
                                "x-dead-letter-routing-key": "dead"}, durable=True)  # fmt: skip
            channel.do("confirm.select")
            for _ in range(2):
                channel.send("basic.publish", routing_key="q")
                channel.header(0, properties)
            channel.confirms(2)
            tag = self.get_raw(channel, "q", properties).values["delivery_tag"]
            channel.settle("reject", tag)
            barrier(channel)
            died = self.get_raw(channel, "dead")
            with_death = connection.headers[-1]
            self.check_death(died, every)
            for key, value in every.items():
                self.assertIn(wire.short(key) + wire.pack_value(value), with_death)
        for how in HOWS:
            broker = self.restart(broker, how)
            with RawConnection(broker) as connection:
                channel = connection.channel()
                self.get_raw(channel, "q", properties)
                self.get_raw(channel, "dead", with_death)

    def get_raw(self, channel, queue, expected=None):
        item = channel.do_get(queue, no_ack=False)
        self.assertEqual(item.name, "basic.get-ok")
        if expected is not None:
            self.assertEqual(channel.connection.headers[-1], expected)
        return item

    def check_death(self, item, others):
        headers = item.properties["headers"]
        self.assertEqual([headers[f"x-first-death-{word}"] for word in ("queue", "reason")],
                         ["q", "rejected"])  # fmt: skip
        (death,) = headers["x-death"]
        self.assertEqual((death["count"], death["queue"]), (wire.As("l", 1), "q"))
        self.assertLessEqual(set(others), set(headers))

    def test_deaths_are_counted_on(self):
        broker = self.start_broker()
        channel = self.channel(broker)
        for name, target in (("work", "wait"), ("wait", "work")):
            channel.queue_declare(name, durable=True, arguments={
                "x-dead-letter-exchange": "", "x-dead-letter-routing-key": target})  # fmt: skip
        channel.basic_publish("", "work", "task", BasicProperties(
            delivery_mode=2, headers={"tries": [1, "two"]}))  # fmt: skip
        for attempt in range(1, 4):
            for queue in ("work", "wait"):
                method, _, _ = channel.basic_get(queue)
                channel.basic_reject(method.delivery_tag, requeue=False)
                barrier(channel)
            broker = self.restart(broker, HOWS[attempt - 1])
            with broker.connect() as connection:
                _, properties, body = connection.channel().basic_get("work")
            self.assertEqual((body, properties.headers["tries"]), (b"task", [1, "two"]))
            self.assertEqual(properties.headers["x-first-death-queue"], "work")
            deaths = [(d["queue"], d["count"]) for d in properties.headers["x-death"]]
            self.assertEqual(deaths, [("wait", attempt), ("work", attempt)])
            channel = self.channel(broker)


if __name__ == "__main__":
    unittest.main()
