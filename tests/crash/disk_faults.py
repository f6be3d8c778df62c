"""A disk that fails, or is full, under a whole daemon."""
import os
import random
import shutil
import subprocess
import threading
import time
import unittest

import load
from crash_loop import CrashLoop
from ledger import make_body
from link import Link, LinkClosed, publish_method
from load import QUEUES
from paths import BIN, SANITIZED, BrokerTest, wait_for
from raw import RawConnection, publish_bytes

FAULTY = (f"{BIN}/haypiled_faulty",)
# Segments are left behind soon.
LARGE = [(1, 1_000, 100_000)]


class DiskTest(BrokerTest):
    def start_faulty(self, faults):
        return self.start_broker(command=FAULTY, env={"HAYPILE_FAULTS": faults})

    def begin_anew(self):
        for program in self.programs:
            program.kill()
        self.programs.clear()
        shutil.rmtree(self.directory)
        os.mkdir(self.directory)

    def ended_with(self, broker, *words):
        """It ended by itself, and said why in one line."""
        self.assertEqual(broker.program.wait(), 1)
        last = broker.program.errors[-1]
        self.assertTrue(last.startswith("haypiled: cannot "), broker.program.errors)
        for word in words:
            self.assertIn(word, last)

    def publish_one_by_one(self, broker, size):
        """Until the connection ends: how many were sent, and how many of them confirmed."""
        sent, confirmed = 0, []
        try:
            link = Link(broker.port)
            link.on_confirm = lambda tag, _: confirmed.append(tag)
            link.call("queue.declare", queue="q", durable=True)
            link.call("confirm.select")
            while True:
                sent += 1
                link.publish(publish_method("", "q"), make_body(sent, 0, size))
                link.wait(lambda: len(confirmed) == sent)
        except LinkClosed:
            return sent, len(confirmed)

    def there(self, broker):
        with broker.connect() as connection:
            channel = connection.channel()
            bodies = []
            while (answer := channel.basic_get("q"))[0] is not None:
                bodies.append(answer[2])
            return bodies


class InputOutputErrors(DiskTest):
    """EIO, once: whoever tries again would succeed, and must not."""

    def test_nothing_is_confirmed_after_one(self):
        # The first operations of each kind belong to the start, which is another test.
        for fault, word in (
            ("eio:write:.seg:20", "write"),
            ("eio:sync:.seg:20", "sync"),
            ("eio:create:spare:2", "create"),
            ("eio:write:spare:20", "write"),
            ("eio:rename:.seg:2", "rename"),
            ("eio:sync_directory:%2F:8", "sync_directory"),
        ):
            with self.subTest(fault):
                self.begin_anew()
                broker = self.start_faulty(fault)
                sent, confirmed = self.publish_one_by_one(broker, 100_000)
                self.ended_with(broker, word, "Input/output error")
                self.assertEqual(confirmed, sent - 1)
                broker = self.start_broker()
                bodies = self.there(broker)
                expected = [make_body(number, 0, 100_000) for number in range(1, sent + 1)]
                self.assertGreaterEqual(len(bodies), confirmed)
                self.assertEqual(bodies, expected[:len(bodies)])
                broker.kill()

    def test_under_load(self):
        """Checkpoints are written when segments become empty: with consumers that keep up."""
        self.addCleanup(setattr, load, "SIZES", load.SIZES)
        load.SIZES = LARGE
        for fault in (
            "eio:write:.seg:60",
            "eio:sync:.seg:60",
            "eio:write:checkpoint:2",
            "eio:sync:checkpoint:2",
            "eio:rename:checkpoint:2",
            "eio:sync_directory:%2F:8",
        )[::3 if SANITIZED else 1]:
            with self.subTest(fault):
                self.begin_anew()
                loop = CrashLoop(self.directory, 0, 20260917, canary=False)
                broker = self.start_faulty(fault)
                load.declare(broker.port)
                loop.load.connect(broker.port, QUEUES, only_acks=True)
                until = time.monotonic() + 60
                with self.assertRaises(LinkClosed):
                    loop.load.run(lambda: time.monotonic() > until)
                self.ended_with(broker)
                loop.load.take_last_words()
                loop.ledger.ended("kill")
                broker = self.start_broker()
                loop.look(broker.port, all_of_it=True)
                broker.kill()

    def test_at_the_start(self):
        broker = self.start_broker()
        with broker.connect() as connection:
            connection.channel().queue_declare("kept", durable=True)
        broker.kill()
        for fault in ("eio:read:.seg:1", "eio:open:.seg:1", "eio:sync:.seg:1", "eio:write:.seg:1",
                      "eio:sync_directory:%2F:1", "eio:read:id:1"):  # fmt: skip
            with self.subTest(fault):
                with self.assertRaises(AssertionError) as refused:
                    self.start_faulty(fault)
                self.assertIn("ended with 1 before", str(refused.exception))
                self.assertIn("Input/output error", str(refused.exception))
        self.assertEqual(self.message_count(self.start_broker(), "kept"), 0)

    def test_before_there_is_anything(self):
        for fault in ("eio:create:id:1", "eio:rename:id:1", "torn:write:id:1", "kill:sync:id:1",
                      "kill_after:rename:id:1", "kill:create:spare:1", "torn:write:spare:3",
                      "kill:rename:.seg:1", "kill_after:sync_directory:%2F:1"):  # fmt: skip
            with self.subTest(fault):
                self.begin_anew()
                with self.assertRaises(AssertionError) as refused:
                    self.start_faulty(fault)
                self.assertRegex(str(refused.exception), "ended with (1|-9) before")
                self.start_broker().kill()


class SmallDisk:
    """A tmpfs that only those see who are started with `command`."""

    def __init__(self, directory, size):
        self.directory = directory
        self.holder = subprocess.Popen(
            ["unshare", "-m", "sh", "-c",
             f'mount -t tmpfs -o size={size} none "$0" && echo mounted && exec cat', directory],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if self.holder.stdout.readline() != "mounted\n":
            _, why = self.holder.communicate()
            raise unittest.SkipTest(f"a file system of its own is not permitted here: {why}")
        self.enter = ("nsenter", "-m", "-t", str(self.holder.pid))
        self.command = (*self.enter, f"{BIN}/haypiled")

    def resize(self, size):
        mount = ["mount", "-o", f"remount,size={size}", self.directory]
        subprocess.run([*self.enter, *mount], check=True)

    def end(self):
        self.holder.communicate()


class FullDiskTest(DiskTest):
    def setUp(self):
        super().setUp()
        self.disk = SmallDisk(self.directory, "40m")
        self.addCleanup(self.disk.end)

    def start(self):
        return self.start_broker(
            "--log-size", "8MiB", "--disk-free-limit", "4MiB", command=self.disk.command
        )


class FullDisk(FullDiskTest):
    BODY = random.Random(1).randbytes(50_000)

    def setUp(self):
        super().setUp()
        self.broker = self.start()
        with self.broker.connect() as connection:
            connection.channel().queue_declare("q", durable=True)

    @staticmethod
    def said(connection, name):
        return [item for item in connection.zero.inbox if item.name == name]

    def flood(self, connection):
        """Publishes until the broker says that it is enough; returns the channel and how many."""
        channel = connection.channel()
        channel.do("confirm.select")
        frames = publish_bytes(channel, "", "q", self.BODY, delivery_mode=2) * 10
        for sent in range(10, 10_000, 10):
            connection.send_bytes(frames)
            connection.pump(time.monotonic() + 0.02)
            if self.said(connection, "connection.blocked"):
                return channel, sent
        raise AssertionError("never blocked")

    def pump_in_thread(self, connection):
        done = threading.Event()

        def pump():
            while not done.is_set() and connection.closed is None:
                connection.pump(time.monotonic() + 0.02)

        thread = threading.Thread(target=pump)
        thread.start()
        self.addCleanup(lambda: (done.set(), thread.join()))

    def drain(self, broker, until):
        count = 0
        with broker.connect() as connection:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=10)
            for method, _, body in channel.consume("q", inactivity_timeout=0.05):
                if method is not None:
                    self.assertEqual(body, self.BODY)
                    channel.basic_ack(method.delivery_tag)
                    count += 1
                if until(count):
                    break
            channel.cancel()
        return count

    def test_publishers_wait_and_go_on_by_themselves(self):
        with RawConnection(self.broker) as connection:
            channel, sent = self.flood(connection)
            self.assertIn("disk", self.said(connection, "connection.blocked")[0].values["reason"])
            self.pump_in_thread(connection)
            count = self.drain(
                self.broker, lambda _: self.said(connection, "connection.unblocked")
            )  # fmt: skip
            self.assertGreater(count, 0)
            count += self.drain(self.broker, lambda more: count + more == sent)
            wait_for(lambda: sum(
                1 for item in list(channel.inbox) if item.name == "basic.ack"
            ) > 0, "confirms")  # fmt: skip
            self.assertIsNone(connection.closed)
        self.assertEqual(self.message_count(self.broker, "q"), 0)
        self.assertEqual(self.broker.stop(), 0)
        self.assertEqual(self.message_count(self.start(), "q"), 0)

    def test_room_by_other_means_is_found(self):
        with RawConnection(self.broker) as connection:
            self.flood(connection)
            self.disk.resize("200m")
            self.pump_in_thread(connection)
            wait_for(lambda: self.said(connection, "connection.unblocked"), "connection.unblocked")

    def test_a_full_disk_survives_a_kill(self):
        with RawConnection(self.broker) as connection:
            self.flood(connection)
            count = self.message_count(self.broker, "q")
            self.broker.kill()
        broker = self.start()
        left = self.message_count(broker, "q")
        self.assertLessEqual(left, count)
        self.assertGreater(left, count // 2)
        self.assertEqual(self.drain(broker, lambda n: n == left), left)


if __name__ == "__main__":
    unittest.main()
