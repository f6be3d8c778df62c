"""Dead-lettering and transactions while the broker is killed at random moments: what moves is in
one place or the other, never in both and never in none."""
import collections
import glob
import os
import random
import shutil
import threading
import time
import unittest

from harness import BIN, SANITIZED, BrokerTest, Program
from raw import RawConnection, barrier, peer, publish_bytes, wire

CYCLES = int(os.environ.get("CYCLES", "9" if SANITIZED else "24"))
CUTS = CYCLES // 2
SEED = int(os.environ.get("SEED", "20260917"))


class KillsTest(BrokerTest):
    """Cycles of a workload in threads, a kill in the middle of it, and a look at what is left."""

    def setUp(self):
        super().setUp()
        self.dice = random.Random(SEED)

    def restarted(self):
        """A broker; each third time after one that was killed before it was ready, perhaps."""
        if self.dice.randrange(3) == 0:
            program = Program([f"{BIN}/haypiled", "--data-dir", self.directory, "--port", "0"])
            time.sleep(self.dice.uniform(0, 0.1))
            program.kill()
        return self.start_broker("--log-level", "off")

    def run_until_killed(self, broker, *workers):
        """Each worker is a generator that goes on for ever, but for its connection."""
        failures = []

        def work(worker):
            try:
                for _ in worker:
                    pass
            except peer.Stop:
                pass  # the connection ended
            except Exception as failure:
                failures.append(failure)

        for worker in workers:
            next(worker)  # connected, and about to begin
        threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
        for thread in threads:
            thread.start()
        time.sleep(self.dice.uniform(0, 0.25))
        broker.kill()
        self.programs.clear()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def log_end(self):
        """The last segment, and where what is written in it ends."""
        path = max(glob.glob(f"{glob.escape(self.directory)}/vhosts/%2F/*.seg"))
        with open(path, "rb") as file:
            return path, len(file.read().rstrip(b"\0"))

    def cut_logs(self, begin):
        """Brokers that find the log cut off at some place behind `begin`, as if the power had gone
        just then: as long as it was written up to there, it is one they could find."""
        path, end = self.log_end()
        first = begin[1] if begin[0] == path else 64
        saved = f"{self.directory}/saved"
        shutil.copyfile(path, saved)
        others = set(glob.glob(f"{glob.escape(self.directory)}/vhosts/%2F/*.seg"))
        for _ in range(CUTS):
            offset = self.dice.randint(first, end)
            shutil.copyfile(saved, path)
            with open(path, "r+b") as file:
                file.seek(offset)
                file.write(bytes(end - offset))
            broker = self.start_broker("--log-level", "off")
            yield broker, offset
            broker.kill()
            self.programs.clear()
            for new in set(glob.glob(f"{glob.escape(self.directory)}/vhosts/%2F/*.seg")) - others:
                os.remove(new)

    def take_all(self, channel, queue):
        """All that is ready, with properties; taken out."""
        request = wire.pack_method("basic.get", queue=queue, no_ack=True)
        items = []
        while True:
            channel.connection.send_bytes(wire.frame(wire.METHOD, channel.number, request) * 100)
            answers = [channel.next() for _ in range(100)]
            items += [item for item in answers if item.name == "basic.get-ok"]
            if len(items) % 100 or answers[0].name != "basic.get-ok":
                return items


class DeadLetters(KillsTest):
    SOURCES = {
        "rejected": {},
        "expired": {"x-message-ttl": 20},
        "maxlen": {"x-max-length": 5},
        "delivery_limit": {"x-delivery-limit": 2},
    }

    def setUp(self):
        super().setUp()
        self.queue_of, self.confirmed, self.ack_sent, self.gone = {}, set(), set(), set()
        self.tally = collections.Counter()

    def test_wherever_the_log_ends(self):
        broker = self.start_broker()
        self.declare(broker)
        self.run_until_killed(broker, self.publisher(broker))
        begin, confirmed = self.log_end(), set(self.confirmed)
        broker = self.start_broker("--log-level", "off")
        self.run_until_killed(broker, self.publisher(broker), self.consumer(broker))
        for broker, offset in self.cut_logs(begin):
            self.confirmed, self.gone = set(confirmed), set()
            with self.subTest(seed=SEED, offset=offset):
                self.check(broker)
        print(f"dead letters, {CUTS} cuts: {dict(self.tally)}")

    def test_a_dead_letter_is_in_one_queue(self):
        broker = self.start_broker()
        self.declare(broker)
        for cycle in range(CYCLES):
            self.run_until_killed(broker, self.publisher(broker), self.consumer(broker))
            broker = self.restarted()
            with self.subTest(seed=SEED, cycle=cycle):
                self.check(broker)
        print(f"dead letters, {CYCLES} kills: {dict(self.tally)}")

    def declare(self, broker):
        with RawConnection(broker) as connection:
            channel = connection.channel()
            channel.exchange("dead", durable=True)
            for name, arguments in self.SOURCES.items():
                channel.queue(name, {"x-dead-letter-exchange": "dead", **arguments}, durable=True)
                channel.queue(f"dead {name}", durable=True)
                channel.bind(f"dead {name}", "dead", name)

    def publisher(self, broker):
        channel = RawConnection(broker).channel()
        channel.do("confirm.select")
        yield
        numbers, first_open = [None], 1
        while channel.connection.closed is None:
            frames = b""
            for name in [*self.SOURCES] * 5:
                number = len(self.queue_of)
                self.queue_of[number] = name
                numbers.append(number)
                body = b"%d " % number + b"x" * (number % 500)
                frames += publish_bytes(channel, "", name, body, delivery_mode=2)
            channel.connection.send_bytes(frames)
            # Up to 300 are outstanding.
            while len(numbers) - first_open > 300 and channel.connection.closed is None:
                channel.connection.pump(time.monotonic() + 60)
            for item in channel.inbox:
                if item.name == "basic.ack":
                    tag = item.values["delivery_tag"]
                    first = first_open if item.values["multiple"] else tag
                    self.confirmed.update(numbers[first:tag + 1])
                    first_open = max(first_open, tag + 1)
                elif item.name != "socket closed":
                    raise AssertionError(item.name)
            channel.inbox.clear()

    def consumer(self, broker):
        """Acks, rejects and returns; now and then what was acknowledged is so for sure."""
        dice = random.Random(self.dice.random())
        channel = RawConnection(broker).channel()
        channel.do("basic.qos", prefetch_count=30)
        for name in ("rejected", "delivery_limit"):
            channel.consume(name, name)
        yield
        acked = []
        for turn in range(1 << 30):
            item = channel.next(lambda item: item.name == "basic.deliver")
            if item.name != "basic.deliver":
                return
            tag, number = item.values["delivery_tag"], int(item.body.split()[0])
            fate = dice.random()
            if fate < 0.2:
                self.ack_sent.add(number)
                channel.settle("ack", tag)
                acked.append(number)
            elif item.values["tag"] == "rejected" and fate < 0.8:
                channel.settle("reject", tag)
            else:
                channel.settle("nack", tag, requeue=True)
            if turn % 100 == 99:
                barrier(channel)
                self.gone.update(acked)
                acked.clear()

    def check(self, broker):
        with RawConnection(broker) as connection:
            channel = connection.channel()
            found = collections.Counter()
            for queue in [*self.SOURCES, *(f"dead {name}" for name in self.SOURCES)]:
                for item in self.take_all(channel, queue):
                    number = int(item.body.split()[0])
                    found[number] += 1
                    self.check_one(queue, number, item)
                    self.tally[queue] += 1
            barrier(channel)
        self.assertEqual([n for n, count in found.items() if count > 1], [], "more than once")
        lost = self.confirmed - self.gone - self.ack_sent - set(found)
        self.assertEqual([(n, self.queue_of[n]) for n in sorted(lost)], [], "confirmed and lost")
        self.assertEqual(sorted(self.gone & set(found)), [], "there again")
        self.gone.update(found, self.ack_sent)
        self.tally["confirmed"] = len(self.confirmed)
        self.tally["acknowledged"] = len(self.ack_sent)

    def check_one(self, queue, number, item):
        name = self.queue_of[number]
        self.assertEqual(item.body, b"%d " % number + b"x" * (number % 500))
        deaths = item.properties.get("headers", {}).get("x-death", [])
        if queue == name:
            self.assertEqual(deaths, [])
            self.assertTrue(item.values["redelivered"])
        else:
            self.assertEqual(queue, f"dead {name}")
            (death,) = deaths
            self.assertEqual((death["queue"], death["reason"], death["count"]),
                             (name, name, wire.As("l", 1)))  # fmt: skip


class Transactions(KillsTest):
    """Each takes three messages, and puts each into three queues, with two publishes."""

    TARGETS = ("left", "right", "aside")

    def setUp(self):
        super().setUp()
        self.sent = 0
        self.waiting, self.done = set(), set()
        self.tally = collections.Counter()

    def test_wherever_the_log_ends(self):
        broker = self.start_broker()
        self.declare(broker)
        self.fill(broker)
        begin, waiting = self.log_end(), self.waiting
        self.groups, self.committed = [], 0
        self.run_until_killed(broker, self.worker(broker))
        for broker, offset in self.cut_logs(begin):
            self.waiting, self.done, self.committed = waiting, set(), 0
            with self.subTest(seed=SEED, offset=offset):
                self.check(broker)
        print(f"transactions, {CUTS} cuts: {dict(self.tally)}")

    def test_all_or_nothing(self):
        broker = self.start_broker()
        self.declare(broker)
        for cycle in range(CYCLES):
            self.fill(broker)
            self.groups = []  # in order, as they were sent to be committed
            self.committed = 0  # of these
            self.run_until_killed(broker, self.worker(broker))
            broker = self.restarted()
            with self.subTest(seed=SEED, cycle=cycle):
                self.check(broker)
        print(f"transactions, {CYCLES} kills: {dict(self.tally)}")

    def declare(self, broker):
        with RawConnection(broker) as connection:
            channel = connection.channel()
            channel.exchange("both", "fanout", durable=True)
            for name in ("in", "void", *self.TARGETS):
                channel.queue(name, durable=True)
            channel.bind("left", "both")
            channel.bind("right", "both")

    def fill(self, broker):
        """200 messages are waiting."""
        with RawConnection(broker) as connection:
            channel = connection.channel()
            channel.do("confirm.select")
            new = range(self.sent, self.sent + 200 - len(self.waiting))
            connection.send_bytes(b"".join(
                publish_bytes(channel, "", "in", b"%d" % n, delivery_mode=2) for n in new
            ))  # fmt: skip
            channel.confirms(len(new))
            self.waiting.update(new)
            self.sent += len(new)

    @staticmethod
    def body(number):
        return b"%d " % number + b"x" * (150_000 if number % 20 == 0 else number % 300)

    def worker(self, broker):
        """Up to four commits are under way at a time; some transactions are taken back first."""
        dice = random.Random(self.dice.random())
        channel = RawConnection(broker).channel()
        channel.do("tx.select")
        channel.do("basic.qos", prefetch_count=15)
        channel.consume("in")
        yield
        taken = []
        while True:
            item = channel.next()
            if item.name == "tx.commit-ok":
                self.committed += 1
            elif item.name == "basic.deliver":
                taken.append((item.values["delivery_tag"], int(item.body)))
            else:
                return
            if len(taken) < 3 or len(self.groups) - self.committed >= 4:
                continue
            group, taken = taken[:3], taken[3:]
            if dice.random() < 0.2:
                self.send_transaction(channel, group, ("", "void"))
                if channel.answer("tx.rollback").name != "tx.rollback-ok":
                    return
            self.groups.append([number for _, number in group])
            self.send_transaction(channel, group)
            channel.send("tx.commit")

    def send_transaction(self, channel, group, *more):
        frames = b""
        for _, number in group:
            for exchange, key in (("both", ""), ("", "aside"), *more):
                body = self.body(number)
                frames += publish_bytes(channel, exchange, key, body, delivery_mode=2)
        for tag, _ in group:
            ack = wire.pack_method("basic.ack", delivery_tag=tag)
            frames += wire.frame(wire.METHOD, channel.number, ack)
        channel.connection.send_bytes(frames)

    def check(self, broker):
        with RawConnection(broker) as connection:
            channel = connection.channel()
            moved = [self.numbers(self.take_all(channel, queue)) for queue in self.TARGETS]
            self.assertEqual(self.take_all(channel, "void"), [])
            barrier(channel)
            left = self.numbers(self.all_in(channel))
        self.assertEqual(moved[1:], moved[:1] * 2)
        self.assertFalse(self.done & moved[0], "there again")
        self.assertEqual(left | moved[0], self.waiting, "lost, or made up")
        self.assertFalse(left & moved[0], "in both")
        whole = [group for group in self.groups if moved[0].issuperset(group)]
        self.assertEqual(moved[0], {number for group in whole for number in group}, "in part")
        self.assertEqual(whole, self.groups[:len(whole)], "out of order")
        self.assertGreaterEqual(len(whole), self.committed, "commit-ok, but lost")
        self.waiting = left
        self.done |= moved[0]
        self.tally["committed"] += self.committed
        self.tally["there, without commit-ok"] += len(whole) - self.committed
        self.tally["not there"] += len(self.groups) - len(whole)

    def all_in(self, channel):
        """All that is ready in the queue "in"; it goes back there with the connection."""
        items = []
        while True:
            item = channel.do("basic.get", queue="in")
            if item.name == "basic.get-empty":
                return items
            items.append(item)

    def numbers(self, items):
        numbers = [int(item.body.split()[0]) for item in items]
        for number, item in zip(numbers, items):
            self.assertIn(item.body, (b"%d" % number, self.body(number)))
        self.assertEqual(len(set(numbers)), len(numbers), "more than once")
        return set(numbers)


if __name__ == "__main__":
    unittest.main()
