"""More in memory than --memory-limit allows: publishers wait, all others go on."""
import threading
import time
import unittest

from harness import BrokerTest, wait_for
from raw import RawConnection, publish_bytes, wire

LIMIT = 4 << 20
BODY = bytes(20_000)
BATCH = 50


class Blocked(BrokerTest):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker("--memory-limit", str(LIMIT), "--log-level", "off")

    def queue(self, **options):
        with self.broker.connect() as connection:
            connection.channel().queue_declare("q", **options)

    def flood(self, connection, publishes=1000):
        """Publishes until the broker says that it is enough; returns how much was sent."""
        channel = connection.channel()
        channel.do("confirm.select")
        frames = publish_bytes(channel, "", "q", BODY, delivery_mode=2) * BATCH
        for sent in range(1, publishes):
            connection.send_bytes(frames)
            connection.pump(time.monotonic() + 0.02)
            if self.said(connection, "connection.blocked"):
                return channel, sent * BATCH
        raise AssertionError("never blocked")

    @staticmethod
    def said(connection, name):
        return [item for item in connection.zero.inbox if item.name == name]

    def hear(self, connection, name):
        def heard():
            connection.pump(time.monotonic() + 0.05)
            self.assertIsNone(connection.closed)
            return self.said(connection, name)

        return wait_for(heard, name)[0]

    def drain(self, *, until):
        """Consumes and acknowledges, on a connection that is never told that it is blocked."""
        told = []
        connection = self.broker.connect()
        connection.add_on_connection_blocked_callback(lambda *_: told.append("blocked"))
        channel = connection.channel()
        channel.basic_qos(prefetch_count=10)
        count = 0
        for method, _, body in channel.consume("q", inactivity_timeout=0.05):
            if method is not None:
                self.assertEqual(body, BODY)
                channel.basic_ack(method.delivery_tag)
                count += 1
            if until(count):
                break
        channel.cancel()
        self.assertEqual(channel.queue_declare("q", passive=True).method.consumer_count, 0)
        connection.close()
        self.assertEqual(told, [])
        return count

    def pump_in_thread(self, connection):
        """Takes in what comes on a connection, until it is done."""
        done = threading.Event()

        def pump():
            while not done.is_set() and connection.closed is None:
                connection.pump(time.monotonic() + 0.02)

        thread = threading.Thread(target=pump)
        thread.start()
        return lambda: (done.set(), thread.join())

    def test_consumers_go_on_and_the_publisher_after_them(self):
        self.queue(durable=True)
        with RawConnection(self.broker) as connection:
            channel, sent = self.flood(connection)
            self.assertIn("memory", self.said(connection, "connection.blocked")[0].values["reason"])
            stop = self.pump_in_thread(connection)
            count = self.drain(until=lambda _: self.said(connection, "connection.unblocked"))
            self.assertGreater(count, 0)
            # All that was sent is there in the end, and confirmed; it may be blocked again.
            count += self.drain(until=lambda n: n + count == sent)
            stop()
            while channel.confirmed_up_to < sent:
                channel.confirms(1)
            self.assertEqual({channel.fates[n] for n in range(1, sent + 1)}, {"ack"})
            self.assertEqual(self.message_count(self.broker, "q"), 0)

    def test_a_client_without_the_capability_is_not_told(self):
        self.queue()
        with RawConnection(self.broker, capabilities={}) as silent:
            with RawConnection(self.broker) as connection:
                self.flood(connection)
            channel = silent.channel()  # not closed, not told
            channel.publish("", "q", "x")
            with RawConnection(self.broker) as other:
                other.channel().do("queue.purge", queue="q")
            channel.do("channel.flow", active=True)
            self.assertEqual(self.said(silent, "connection.blocked"), [])
            wait_for(lambda: self.message_count(self.broker, "q") > 0, "what waited")

    def test_one_that_is_blocked_is_not_closed(self):
        """With heartbeats every second, for 5 s: one publisher keeps quiet but for its heartbeats,
        the other one goes on sending until nothing goes any more, so that none of it is read."""
        self.queue()
        beating = {"channel_max": 2047, "frame_max": 131072, "heartbeat": 1}
        with RawConnection(self.broker, tune=beating) as quiet:
            with RawConnection(self.broker, tune=beating) as stuck:
                self.flood(quiet)
                channel = stuck.channel()
                frames = publish_bytes(channel, "", "q", BODY) * BATCH
                before = quiet.heartbeats, stuck.heartbeats
                until = time.monotonic() + 5
                while time.monotonic() < until:
                    quiet.send_frame(wire.HEARTBEAT, 0, b"")
                    if not stuck.unsent:
                        stuck.send_bytes(frames)
                    for each in (quiet, stuck):
                        each.pump(time.monotonic() + 0.1)
                        self.assertIsNone(each.closed)
                self.assertTrue(stuck.unsent and self.said(stuck, "connection.blocked"))
                self.assertGreaterEqual(quiet.heartbeats - before[0], 3)
                self.assertGreaterEqual(stuck.heartbeats - before[1], 3)
                # Room again: the rest comes in.
                channel.send("queue.declare", queue="after all")
                purger = RawConnection(self.broker).channel()

                def answered():
                    purger.do("queue.purge", queue="q")
                    for each in (quiet, stuck):
                        each.send_frame(wire.HEARTBEAT, 0, b"")
                        each.pump(time.monotonic() + 0.01)
                        self.assertIsNone(each.closed)
                    return any(item.name == "queue.declare-ok" for item in channel.inbox)

                wait_for(answered, "what was sent last")
                self.assertTrue(self.said(stuck, "connection.unblocked"))
                self.hear(quiet, "connection.unblocked")

    def test_what_was_there_before_the_start_counts(self):
        self.queue(durable=True)
        with RawConnection(self.broker) as connection:
            channel, _ = self.flood(connection)
            # The kill loses what waits for the disk, which can be most of what there is.
            enough = LIMIT // 2 // len(BODY) + 1
            connection.send_bytes(publish_bytes(channel, "", "q", BODY, delivery_mode=2) * enough)
            channel.confirms(enough)
            self.broker.kill()
        self.broker = self.start_broker("--memory-limit", str(LIMIT), "--log-level", "off")
        # What waited for the disk counted as well, so that it may be less than the limit.
        self.assertGreater(self.message_count(self.broker, "q") * len(BODY), LIMIT // 2)
        with RawConnection(self.broker) as connection:
            channel, _ = self.flood(connection)
            stop = self.pump_in_thread(connection)
            self.drain(until=lambda _: self.said(connection, "connection.unblocked"))
            stop()


if __name__ == "__main__":
    unittest.main()
