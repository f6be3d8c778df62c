"""haypiled --check and --salvage, as an operator meets them."""
import glob
import json
import os
import subprocess
import unittest

import pika
from harness import BIN, BrokerTest

PERSISTENT = pika.BasicProperties(delivery_mode=2)
COUNT = 1000
BODY = "x" * 20_000


class Check(BrokerTest):
    def haypiled(self, code, *arguments):
        result = subprocess.run(
            [f"{BIN}/haypiled", *arguments], capture_output=True, text=True, timeout=60
        )
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stderr if code == 2 else result.stdout

    def contents(self):
        found = {}
        for path in glob.glob(f"{self.directory}/**", recursive=True):
            if os.path.isfile(path) and os.path.basename(path) != "reserve":
                with open(path, "rb") as file:
                    found[os.path.relpath(path, self.directory)] = file.read()
        return found

    def fill_and_kill(self):
        broker = self.start_broker("--log-size", "8MiB", "--queue-memory", "1MiB")
        with broker.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.queue_declare("q", durable=True)
            for number in range(COUNT):
                channel.basic_publish("", "q", f"{number} {BODY}", PERSISTENT)
            self.assertIn("is in use", self.haypiled(2, "--check", self.directory))
        broker.kill()

    def flip_a_bit_in_a_pile(self):
        path = sorted(glob.glob(f"{self.directory}/vhosts/%2F/*.pile"))[0]
        with open(path, "r+b") as file:
            file.seek(100_000)
            byte = file.read(1)[0]
            file.seek(100_000)
            file.write(bytes([byte ^ 1]))
        return path

    def numbers(self):
        """What the queue has, in order; fewer if the broker ends while it is read."""
        found = []
        broker = self.start_broker()
        try:
            with broker.connect() as connection:
                channel = connection.channel()
                for method, _, body in channel.consume("q", inactivity_timeout=2):
                    if method is None:
                        break
                    self.assertTrue(method.redelivered)
                    found.append(int(body.split()[0]))
        except pika.exceptions.AMQPError:
            pass
        broker.kill()
        return found

    def test_what_is_not_there_cannot_be_read(self):
        self.assertIn("there is no directory", self.haypiled(2, "--check", "/nowhere"))
        self.assertIn("not a data directory", self.haypiled(2, "--check", self.directory))
        self.assertEqual(os.listdir(self.directory), [])

    def test_a_healthy_directory_is_left_as_it_is(self):
        self.fill_and_kill()
        before = self.contents()
        text = self.haypiled(0, "--check", self.directory)
        self.assertIn(f"queue q: {COUNT} messages", text)
        self.assertTrue(text.endswith("no damage\n"), text)
        vhost = json.loads(self.haypiled(0, "--check", self.directory, "--json"))["vhosts"][0]
        self.assertEqual(vhost["damages"], [])
        self.assertGreater(vhost["queues"]["q"]["in_piles"], 0)
        self.assertEqual(sum(vhost["queues"]["q"].values()), COUNT)
        self.assertEqual(self.contents(), before)

    def test_damage_is_found(self):
        self.fill_and_kill()
        path = self.flip_a_bit_in_a_pile()
        self.assertIn(f"DAMAGE '{path}' at offset", self.haypiled(1, "--check", self.directory))
        self.assertLess(len(self.numbers()), COUNT)

    def refusal(self):
        command = [f"{BIN}/haypiled", "--data-dir", self.directory, "--port", "0"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertNotEqual(result.returncode, 0)
        return result.stdout + result.stderr

    def test_a_damaged_id_costs_nothing(self):
        self.fill_and_kill()
        path = f"{self.directory}/id"
        with open(path, "r+b") as file:
            file.seek(20)
            byte = file.read(1)[0]
            file.seek(20)
            file.write(bytes([byte ^ 1]))
        self.assertIn(f"'{path}'", self.refusal())
        self.assertIn(f"DAMAGE '{path}'", self.haypiled(1, "--check", self.directory))
        self.haypiled(0, "--salvage", self.directory, "--yes")
        self.haypiled(0, "--check", self.directory)
        self.assertEqual(self.numbers(), list(range(COUNT)))

    def test_what_is_missing_is_named(self):
        self.fill_and_kill()
        vhost = f"{self.directory}/vhosts/%2F"
        newest = max(glob.glob(f"{vhost}/*.seg"))
        files = (newest, f"{vhost}/checkpoint", f"{vhost}/newest")
        for path in (*files, vhost, f"{self.directory}/vhosts"):
            os.rename(path, f"{self.directory}/away")
            named = vhost if path.endswith("vhosts") else path
            self.assertIn(f"'{named}' is missing", self.refusal())
            self.assertIn(f"'{named}'", self.haypiled(1, "--check", self.directory))
            os.rename(f"{self.directory}/away", path)
        self.assertEqual(len(self.numbers()), COUNT)

    def test_a_salvage_keeps_what_can_be_read(self):
        self.fill_and_kill()
        path = self.flip_a_bit_in_a_pile()
        damaged = self.contents()
        self.assertIn("would drop", self.haypiled(1, "--salvage", self.directory))
        self.assertEqual(self.contents(), damaged)
        self.haypiled(0, "--salvage", self.directory, "--yes")
        kept = glob.glob(f"{self.directory}/salvage-*/vhosts/%2F/{os.path.basename(path)}")
        with open(kept[0], "rb") as file:
            self.assertEqual(file.read(), damaged[os.path.relpath(path, self.directory)])
        self.haypiled(0, "--check", self.directory)
        found = self.numbers()
        self.assertEqual(found, sorted(found))
        self.assertGreater(len(found), COUNT - 10)
        self.assertLess(len(found), COUNT)


if __name__ == "__main__":
    unittest.main()
