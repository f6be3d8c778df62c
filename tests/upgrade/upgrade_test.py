"""Data directories that version 0.1.0 wrote are read, to the last message. README.md says what they
have in them."""
import glob
import json
import os
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

import pika  # noqa: E402
from dump import from_text, to_text  # noqa: E402
from harness import BIN, BrokerTest  # noqa: E402

NAMES = sorted(os.path.basename(path)[:-4] for path in glob.glob(f"{HERE}/directories/*.txt"))


def short(body):
    """As make.py wrote it down."""
    return body if len(body) < 1000 else [body[:10], len(body), body[-4:]]


def messages_of(channel, queue):
    found = []
    while True:
        method, _, body = channel.basic_get(queue)
        if method is None:
            return found
        found.append([short(body.decode()), method.redelivered])


class Upgrade(BrokerTest):
    def load(self, name):
        """Into an empty directory. What must come out of it: [body, whether it was delivered] by
        queue, and null where a queue must be gone."""
        shutil.rmtree(self.directory)
        with open(f"{HERE}/directories/{name}.txt") as file:
            self.text = file.read()
        from_text(self.text, self.directory)
        with open(f"{HERE}/directories/{name}.json") as file:
            return json.load(file)

    def check(self):
        done = subprocess.run([f"{BIN}/haypiled", "--check", self.directory], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertTrue(done.stdout.endswith("no damage\n"), done.stdout)

    def verify(self, broker, wanted, all_delivered=False):
        connection = broker.connect()
        for queue, messages in wanted.items():
            channel = connection.channel()
            if messages is None:
                with self.assertRaises(pika.exceptions.ChannelClosedByBroker):
                    channel.queue_declare(queue, passive=True)
                continue
            messages = [[body, delivered or all_delivered] for body, delivered in messages]
            found = messages_of(channel, queue)
            if queue == "dead":  # it has an order for each queue that they came from
                found.sort(key=lambda message: message[0].split()[0], reverse=True)
            self.assertEqual(found, messages, queue)
        connection.close()

    def test_the_text_is_the_directory(self):
        for name in NAMES:
            with self.subTest(name):
                self.load(name)
                self.assertEqual(to_text(self.directory), self.text)

    def test_a_first_start_has_all(self):
        """And after a kill so has the second one."""
        for name in NAMES:
            with self.subTest(name):
                wanted = self.load(name)
                self.check()
                broker = self.start_broker("--log-level", "warning")
                self.verify(broker, wanted)
                broker.kill()
                self.check()
                broker = self.start_broker("--log-level", "warning")
                self.verify(broker, wanted, all_delivered=True)
                broker.stop()
                self.check()

    def test_a_second_start_has_all(self):
        """Nobody has taken anything in the first one."""
        for name in NAMES:
            with self.subTest(name):
                wanted = self.load(name)
                self.assertEqual(self.start_broker("--log-level", "warning").stop(), 0)
                self.check()
                broker = self.start_broker("--log-level", "warning")
                self.verify(broker, wanted)
                broker.stop()


if __name__ == "__main__":
    unittest.main()
