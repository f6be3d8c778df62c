"""Deadlines: they go on by the wall clock while no broker runs, they come in time, and nothing
wakes up for them before."""
import concurrent.futures
import os
import re
import statistics
import threading
import time
import unittest

import pika
from harness import Broker, BrokerTest, wait_for
from pika import BasicProperties
from pika.exceptions import ChannelClosedByBroker
from raw import RawConnection, barrier

HOUR = 3600 * 1000
# How late a deadline may come on a busy machine. A broker that begins to count anew when it starts
# would be later: by the time in which it was down.
SLACK_S = 1.2
DOWN_S = 2


def sleep_until(moment):
    time.sleep(max(0, moment - time.time()))


class AcrossARestart(BrokerTest):
    def declare(self, channel, name, arguments, dead=None):
        arguments = dict(arguments)
        if dead:
            arguments["x-dead-letter-exchange"] = ""
            arguments["x-dead-letter-routing-key"] = dead
        channel.queue_declare(name, durable=True, arguments=arguments)

    def publish(self, channel, queue, body, **properties):
        """When it came, at the earliest and at the latest."""
        before = time.time()
        channel.basic_publish("", queue, body, BasicProperties(delivery_mode=2, **properties))
        return before, time.time()

    def start(self, directory):
        broker = Broker(os.path.join(self.directory, directory), "--log-level", "off")
        self.programs.append(broker.program)
        return broker

    def restart(self, broker, how):
        """A new broker, some time later; when the old one began to end, and the new one to
        start."""
        ended = time.time()
        if how == "kill":
            broker.kill()
        else:
            self.assertEqual(broker.stop(), 0)
        sleep_until(time.time() + DOWN_S)
        began = time.time()
        return self.start(broker.directory), ended, began

    def test_messages_and_unused_queues(self):
        """After a kill and after a stop; all at a time, since most of it is waiting."""
        checks = [(check, how) for check in (self.check_messages, self.check_queues)
                  for how in ("kill", "stop")]  # fmt: skip
        with concurrent.futures.ThreadPoolExecutor(len(checks)) as pool:
            results = [pool.submit(check, how) for check, how in checks]
        for (check, how), result in zip(checks, results):
            with self.subTest(check=check.__name__, how=how):
                result.result()

    def check_messages(self, how):
        broker = self.start(f"messages {how}")
        with broker.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            names = [f"{how} {word}" for word in ("graves", "queue", "message", "both", "none")]
            graves, by_queue, by_message, both, none = names
            self.declare(channel, graves, {})
            self.declare(channel, by_queue, {"x-message-ttl": 6000}, graves)
            self.declare(channel, by_message, {}, graves)
            self.declare(channel, both, {"x-message-ttl": 1000}, graves)
            self.declare(channel, none, {"x-message-ttl": 1000})
            due = {
                b"queue": self.publish(channel, by_queue, "queue"),
                b"message": self.publish(channel, by_message, "message", expiration="5000"),
            }
            self.publish(channel, both, "first", expiration=str(HOUR))
            self.publish(channel, none, "x")
            # Behind one that stays: its deadline goes on as well.
            self.publish(channel, by_queue, "sooner", expiration="1000")
        broker, _, began = self.restart(broker, how)
        with broker.connect() as connection:
            channel = connection.channel()
            self.assertEqual(channel.basic_get(none), (None, None, None))
            self.assertEqual(channel.basic_get(both), (None, None, None))
            _, properties, body = channel.basic_get(graves, auto_ack=True)
            self.assertEqual(body, b"first")
            self.assertEqual(properties.headers["x-death"][0]["reason"], "expired")
            arrived = {}

            def on_message(channel, method, properties, body):
                arrived[body] = time.time()

            channel.basic_consume(graves, on_message, auto_ack=True)
            while len(arrived) < 3:
                connection.process_data_events(1)
        for (before, after), body, ttl in (
            (due[b"queue"], b"queue", 6), (due[b"message"], b"message", 5),
        ):  # fmt: skip
            self.assertGreater(arrived[body], before + ttl - 0.01)
            # If the start alone took longer than it had left, then at once.
            self.assertLess(arrived[body], max(after + ttl, time_ready(began)) + SLACK_S)
        broker.stop()

    def check_queues(self, how):
        broker = self.start(f"queues {how}")
        connection = broker.connect()
        channel = connection.channel()
        unused, left, used, past = [f"{how} {word}" for word in ("unused", "left", "used", "past")]
        self.declare(channel, past, {"x-expires": 1000})
        self.declare(channel, used, {"x-expires": 2000})
        self.declare(channel, left, {"x-expires": 5500})
        for name in (used, left):
            channel.basic_consume(name, lambda *_: None, consumer_tag=name)
        before = {unused: time.time()}
        self.declare(channel, unused, {"x-expires": 5000})
        after = {unused: time.time()}
        before[left] = time.time()
        channel.basic_cancel(left)
        barrier(channel)
        after[left] = time.time()
        # The consumer is there until the end.
        threading.Thread(target=self.drain, args=(connection,)).start()
        broker, ended, began = self.restart(broker, how)
        gone = {}
        with broker.connect() as connection:
            channels = {}

            def look(name):
                """Declaring would be a use, binding is not."""
                channel = channels.get(name)
                if channel is None or not channel.is_open:
                    channel = channels[name] = connection.channel()
                try:
                    channel.queue_bind(name, "amq.direct", "never sent")
                except ChannelClosedByBroker as closed:
                    self.assertEqual(closed.reply_code, 404)
                    gone[name] = time.time()

            look(past)
            self.assertIn(past, gone)
            while len(gone) < 4:
                for name in (unused, left, used):
                    if name not in gone:
                        look(name)
                connection.process_data_events(0.02)
        for name, lease in ((unused, 5), (left, 5.5)):
            self.assertGreater(gone[name], before[name] + lease - 0.01)
            self.assertLess(gone[name], max(after[name] + lease, time_ready(began)) + SLACK_S)
        # That one was in use up to a kill, and begins anew; a clean stop takes the consumer away.
        self.assertGreater(gone[used], (began if how == "kill" else ended) + 2 - 0.01)
        broker.stop()

    @staticmethod
    def drain(connection):
        try:
            while True:
                connection.process_data_events(0.1)
        except pika.exceptions.AMQPError:
            pass


def time_ready(began):
    """A broker that begins then is at its work by now."""
    return began + 1


class InTime(BrokerTest):
    def test_deadlines_come_in_time(self):
        """40 messages expire one by one; how late they are with a consumer of the dead letters."""
        broker = self.start_broker("--log-level", "off")
        with RawConnection(broker) as connection, broker.connect() as other:
            graves = connection.channel()
            graves.queue("graves", durable=True)
            graves.consume("graves", no_ack=True)
            channel = other.channel()
            channel.confirm_delivery()
            due = {}
            for number in range(40):
                ttl = 300 + number * 53 % 1700
                name = f"q{number}"  # one each: only the head of a queue expires
                arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}
                if not number % 2:
                    arguments["x-message-ttl"] = ttl
                channel.queue_declare(name, durable=True, arguments=arguments)
                expiration = str(ttl) if number % 2 else None
                before = time.time()
                channel.basic_publish("", name, str(number), BasicProperties(
                    delivery_mode=2, expiration=expiration))  # fmt: skip
                due[number] = before + ttl / 1000, time.time() + ttl / 1000
            late = []
            while due:
                item = graves.next()
                arrived = time.time()
                earliest, latest = due.pop(int(item.body))
                self.assertGreater(arrived, earliest - 0.005)
                late.append((arrived - latest) * 1000)
        late.sort()
        p50, p90 = statistics.median(late), late[len(late) * 9 // 10]
        print(f"lateness in ms: p50 {p50:.1f}, p90 {p90:.1f}, max {late[-1]:.1f}")
        self.assertLess(p50, 50)
        self.assertLess(p90, 500)

    def test_nothing_wakes_up_before(self):
        broker = self.start_broker("--log-level", "off")
        with RawConnection(broker) as connection:
            channel = connection.channel()
            channel.do("confirm.select")
            for number in range(20):
                channel.queue(f"q{number}", {"x-message-ttl": HOUR, "x-expires": 2 * HOUR},
                              durable=True)  # fmt: skip
                channel.publish("", f"q{number}", "x", delivery_mode=2, expiration=str(HOUR))
            channel.confirms(20)
            channel.queue("idle", {"x-expires": HOUR}, durable=True)
            channel.consume("idle")
            with RawConnection(broker) as idle:
                idle.channel()
                wait_for(lambda: self.wakeups(broker, 0.3) == 0, "a broker that rests", 10)
                count = self.wakeups(broker, 2)
                print(f"wake-ups of an idle broker in 2 s: {count}")
                self.assertLessEqual(count, 4)

    @staticmethod
    def wakeups(broker, seconds):
        """The voluntary context switches of all its threads in that time."""

        def count():
            total = 0
            for task in os.listdir(f"/proc/{broker.pid}/task"):
                with open(f"/proc/{broker.pid}/task/{task}/status") as status:
                    total += int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)",
                                           status.read()).group(1))  # fmt: skip
            return total

        before = count()
        time.sleep(seconds)
        return count() - before


if __name__ == "__main__":
    unittest.main()
