"""What survives the end of the broker, and what does not pretend to."""
import os
import random
import signal
import threading
import unittest

import pika
from harness import PRODUCERS, SANITIZED, WORKERS, BrokerTest

PERSISTENT = pika.BasicProperties(delivery_mode=2)


def get_all(channel, queue):
    """Takes all that is ready, and acknowledges nothing."""
    messages = []
    while True:
        method, _, body = channel.basic_get(queue)
        if method is None:
            return messages
        messages.append((body.decode(), method.redelivered))


class Durability(BrokerTest):
    def restart(self, broker, how):
        if how == "kill":
            broker.kill()
        else:
            self.assertEqual(broker.stop(), 0)
        return self.start_broker()

    def test_durable_things_survive_and_transient_ones_do_not(self):
        for how in ("stop", "kill"):
            with self.subTest(how=how):
                broker = self.start_broker()
                with broker.connect() as connection:
                    channel = connection.channel()
                    channel.confirm_delivery()
                    channel.exchange_declare("logs", "topic", durable=True)
                    channel.exchange_declare("passing", "topic")
                    channel.queue_declare("kept", durable=True)
                    channel.queue_declare("lost")
                    channel.queue_bind("kept", "logs", "a.#")
                    channel.basic_publish("logs", "a.b", "persistent", PERSISTENT)
                    channel.basic_publish("", "kept", "transient")
                    channel.basic_publish("", "lost", "persistent", PERSISTENT)
                    channel.basic_publish("", "kept", "last", PERSISTENT)
                broker = self.restart(broker, how)
                with broker.connect() as connection:
                    channel = connection.channel()
                    expected = [(body, how == "kill") for body in ("persistent", "last")]
                    self.assertEqual(get_all(channel, "kept"), expected)
                    # The binding is there too.
                    channel.basic_publish("logs", "a.c", "routed")
                    self.assertEqual(get_all(channel, "kept"), [("routed", False)])
                    channel.queue_delete("kept")
                    for kind in ("queue", "exchange"):
                        with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as gone:
                            if kind == "queue":
                                connection.channel().queue_declare("lost", passive=True)
                            else:
                                connection.channel().exchange_declare("passing", passive=True)
                        self.assertEqual(gone.exception.reply_code, 404)
                broker.stop()

    def test_after_a_clean_stop_only_what_was_delivered_is_marked(self):
        broker = self.start_broker()
        with broker.connect() as connection:
            channel = connection.channel()
            channel.queue_declare("q", durable=True)
            channel.confirm_delivery()
            for body in ("delivered", "acked", "untouched"):
                channel.basic_publish("", "q", body, PERSISTENT)
            channel.basic_get("q")
            method, _, _ = channel.basic_get("q")
            channel.basic_ack(method.delivery_tag)
        broker = self.restart(broker, "stop")
        with broker.connect() as connection:
            self.assertEqual(
                get_all(connection.channel(), "q"), [("delivered", True), ("untouched", False)]
            )

    def test_worker_and_broker_killed_in_mid_task(self):
        """Both Python and C++ programs: the task is there again, for any other worker."""
        for name, (worker, env) in WORKERS.items():
            with self.subTest(worker=name):
                broker = self.start_broker()
                for producer in PRODUCERS.values():
                    self.run_to_end(broker, *producer, "task....................")
                victim = self.start(broker, *worker, env=env)
                victim.wait_for_line("[x] Received task")
                broker.kill()
                victim.kill()
                broker = self.start_broker()
                with broker.connect() as connection:
                    messages = get_all(connection.channel(), "task_queue")
                    self.assertEqual(messages, [("task....................", True)] * 2)
                    connection.channel().queue_purge("task_queue")
                with broker.connect() as connection:
                    connection.channel().queue_delete("task_queue")
                broker.stop()

    def test_kills(self):
        """Publish and confirm, kill -9 at a random moment, start again: nothing confirmed is lost,
        nothing is there twice, the order is kept, and what was acknowledged for sure stays gone.
        With pika; tests/crash has more load."""
        seed = int(os.environ.get("SEED", "20260917"))
        dice = random.Random(seed)
        sent = 0
        confirmed = []  # in order, not yet taken out
        gone = set()
        for cycle in range(20 if SANITIZED else 40):
            broker = self.start_broker("--log-level", "off")
            connection = broker.connect()
            channel = connection.channel()
            channel.queue_declare("q", durable=True)
            channel.confirm_delivery()
            killer = threading.Timer(dice.uniform(0, 0.05), os.kill, (broker.pid, signal.SIGKILL))
            killer.start()
            try:
                while True:
                    sent += 1
                    channel.basic_publish("", "q", str(sent), PERSISTENT)
                    confirmed.append(sent)
            except (pika.exceptions.AMQPError, ConnectionError):
                pass
            killer.join()
            broker.program.wait()
            self.programs.clear()
            broker = self.start_broker("--log-level", "off")
            with broker.connect() as connection:
                channel = connection.channel()
                there = [int(body) for body, _ in self.take(channel, dice, cycle)]
            # What was not confirmed may be there as well: the last one sent in each cycle.
            self.assertEqual(there, sorted(set(there)), f"seed {seed}, cycle {cycle}")
            self.assertLessEqual(set(confirmed), set(there), f"seed {seed}, cycle {cycle}")
            self.assertFalse(gone & set(there), f"seed {seed}, cycle {cycle}")
            gone.update(there[: self.acked])
            confirmed = there[self.acked:]
            broker.kill()
            self.programs.clear()

    def take(self, channel, dice, cycle):
        """All messages in order; some at the head are acknowledged, and known to be by a clean
        answer that comes after them in the log."""
        messages, tags = [], []
        while True:
            method, _, body = channel.basic_get("q")
            if method is None:
                break
            messages.append((body.decode(), method.redelivered))
            tags.append(method.delivery_tag)
        self.acked = dice.randint(0, len(messages)) if cycle % 3 == 2 else 0
        if self.acked:
            channel.basic_ack(tags[self.acked - 1], multiple=True)
            # The answer about a durable queue comes when all before it is on disk.
            channel.queue_declare("barrier", durable=True)
            channel.queue_delete("barrier")
        return messages

    def test_a_torn_end_is_reported_and_cut_off(self):
        broker = self.start_broker()
        with broker.connect() as connection:
            channel = connection.channel()
            channel.queue_declare("q", durable=True)
            channel.confirm_delivery()
            for number in range(10):
                channel.basic_publish("", "q", str(number), PERSISTENT)
        broker.kill()
        segment = os.path.join(self.directory, "vhosts", "%2F", "0000000000000001.seg")
        with open(segment, "r+b") as file:
            data = file.read()
            last = data.rindex(b"9")
            file.seek(last)
            file.write(b"X")
        broker = self.start_broker()
        self.assertTrue(any('"torn_bytes":' in line and '"torn_bytes":0' not in line
                            for line in broker.program.errors), broker.program.errors)
        with broker.connect() as connection:
            bodies = [body for body, _ in get_all(connection.channel(), "q")]
            self.assertEqual(bodies, [str(number) for number in range(9)])

    def test_damage_in_the_middle_refuses_the_start(self):
        broker = self.start_broker()
        with broker.connect() as connection:
            channel = connection.channel()
            channel.queue_declare("q", durable=True)
            channel.confirm_delivery()
            for number in range(10):
                channel.basic_publish("", "q", f"message {number}", PERSISTENT)
        broker.stop()
        segment = os.path.join(self.directory, "vhosts", "%2F", "0000000000000001.seg")
        with open(segment, "r+b") as file:
            file.seek(file.read().index(b"message 4"))
            file.write(b"M")
        with self.assertRaises(AssertionError) as refused:
            self.start_broker()
        self.assertIn("0000000000000001.seg' is damaged at offset", str(refused.exception))
        self.assertIn(f"'haypiled --check {self.directory}' lists all", str(refused.exception))

    def test_a_queue_that_is_kept_short_does_not_grow_the_log(self):
        broker = self.start_broker()
        body = b"x" * 100_000
        with broker.connect() as connection:
            channel = connection.channel()
            channel.queue_declare("q", durable=True)
            channel.confirm_delivery()
            for _ in range(600):  # 60 MB through segments of 16
                channel.basic_publish("", "q", body, PERSISTENT)
                method, _, _ = channel.basic_get("q")
                channel.basic_ack(method.delivery_tag)
            # An ack waits for nothing, but this does, and what came before is on disk with it.
            channel.queue_declare("last", durable=True)
        log = os.path.join(self.directory, "vhosts", "%2F")
        segments = [name for name in os.listdir(log) if name.endswith(".seg")]
        self.assertLessEqual(len(segments), 2)
        self.assertNotIn("0000000000000001.seg", segments)
        broker.kill()
        broker = self.start_broker()
        self.assertEqual(self.message_count(broker, "q"), 0)


if __name__ == "__main__":
    unittest.main()
