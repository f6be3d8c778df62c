"""Other clients: amqp-tools (rabbitmq-c). Haypile's own tool is in the files called haypile_....

Needs: amqp-tools. Can run against the broker at HAYPILE_TEST_URI; all of it passes on RabbitMQ
3.10.
"""
import os
import re
import subprocess
import unittest

import pika

from client_program import ClientProgramTest
from harness import PATIENCE, wait_for


class AmqpTools(ClientProgramTest):
    def setUp(self):
        super().setUp()
        self.broker = self.any_broker()

    def queue(self, name="q"):
        """A new queue, which nobody else has."""
        name = f"tools-{os.getpid()}-{name}"
        with self.broker.connect() as connection:
            channel = connection.channel()
            channel.queue_delete(name)
            channel.queue_declare(name)
        self.addCleanup(self.delete, name)
        return name

    def delete(self, name):
        with self.broker.connect() as connection:
            connection.channel().queue_delete(name)

    def tool(self, name, *arguments, stdin=b""):
        """What it says, and how it ends."""
        return subprocess.run(
            [name, "--url", self.broker.url, *arguments], input=stdin, capture_output=True,
            timeout=PATIENCE,
        )

    def works(self, name, *arguments, stdin=b""):
        result = self.tool(name, *arguments, stdin=stdin)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def refused(self, code, *arguments):
        result = self.tool(*arguments)
        self.assertEqual(result.returncode, 1, result)
        self.assertIn(code, result.stderr)

    def publish(self, queue, *bodies):
        for body in bodies:
            self.works("amqp-publish", "-r", queue, "-b", body)

    def wait_for_messages(self, queue, count):
        wait_for(lambda: self.message_count(self.broker, queue) == count, f"{count} messages")

    def consume(self, *arguments):
        return self.start(self.broker, "amqp-consume", "--url", self.broker.url, *arguments)

    def waiting_command(self):
        """A command for amqp-consume, and the file that ends it."""
        file = os.path.join(self.directory, "go-on")
        script = f"cat; echo; until test -e {file}; do sleep 0.02; done"
        return ["--", "sh", "-c", script], file

    def test_declare_publish_get_consume_delete(self):
        queue = self.queue()
        self.delete(queue)
        declared = self.works("amqp-declare-queue", "-q", queue, "-d")
        self.assertEqual(declared.decode(), queue + "\n")
        for body in ("one", "two"):
            self.works("amqp-publish", "-r", queue, "-p", "-b", body)
        self.assertEqual(self.works("amqp-get", "-q", queue), b"one")
        self.assertEqual(self.works("amqp-consume", "-q", queue, "-c", "1", "cat"), b"two")
        self.assertEqual(self.tool("amqp-get", "-q", queue).returncode, 2)  # empty
        self.works("amqp-delete-queue", "-q", queue)
        self.refused(b"404", "amqp-get", "-q", queue)

    def test_what_is_missing_is_404(self):
        self.refused(b"404", "amqp-consume", "-q", "no-such-queue", "cat")
        self.refused(b"404", "amqp-publish", "-e", "no-such-exchange", "-r", "x", "-b", "x")
        self.refused(b"404", "amqp-consume", "-e", "no-such-exchange", "-r", "x", "-x", "cat")

    def test_properties_of_a_message(self):
        queue = self.queue()
        self.works(
            "amqp-publish", "-r", queue, "-p", "-C", "text/plain", "-E", "utf-8", "-t", "answers",
            "-H", "one: 1", "-H", "two: a b", stdin=b"from standard input",
        )
        self.publish(queue, "plain")
        with self.broker.connect() as connection:
            channel = connection.channel()
            _, properties, body = channel.basic_get(queue, auto_ack=True)
            _, plain, _ = channel.basic_get(queue, auto_ack=True)
        self.assertEqual(body, b"from standard input")
        self.assertEqual(properties.content_type, "text/plain")
        self.assertEqual(properties.content_encoding, "utf-8")
        self.assertEqual(properties.reply_to, "answers")
        self.assertEqual(properties.delivery_mode, 2)
        self.assertEqual(properties.headers, {"one": "1", "two": "a b"})
        self.assertNotEqual(plain.delivery_mode, 2)

    def test_an_exclusive_queue_bound_to_an_exchange(self):
        key = f"tools.{os.getpid()}"
        consumer = self.consume("-e", "amq.topic", "-r", f"{key}.*", "-x", "-c", "3", "cat")
        said = wait_for(lambda: list(consumer.errors), "the queue's name")[0]
        name = re.fullmatch(r"Server provided queue name: (amq\.gen-.+)", said).group(1)
        self.refused(b"405", "amqp-get", "-q", name)
        publish = ["amqp-publish", "-e", "amq.topic"]
        # It is bound only after its name was said.
        self.wait_for_binding(f"{key}.probe")
        self.works(*publish, "-r", f"{key}.a", "-b", "one\n")
        self.works(*publish, "-r", key, "-b", "not bound\n")
        self.works(*publish, "-r", f"{key}.b", "-b", "two\n")
        self.assertEqual(consumer.wait(), 0)
        self.assertEqual("".join(consumer.lines), "probeonetwo")
        self.refused(b"404", "amqp-get", "-q", name)

    def wait_for_binding(self, key):
        """Publishes one message to amq.topic as soon as it finds a queue."""
        with self.broker.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()

            def routed():
                try:
                    channel.basic_publish("amq.topic", key, b"probe", mandatory=True)
                    return True
                except pika.exceptions.UnroutableError:
                    return False

            wait_for(routed, "the binding")

    def test_a_queue_that_the_broker_names(self):
        name = self.works("amqp-declare-queue", "-q", "").decode().strip()
        self.addCleanup(self.delete, name)
        self.assertRegex(name, r"^amq\.gen-")
        self.publish(name, "x")
        self.assertEqual(self.works("amqp-get", "-q", name), b"x")

    def test_each_line_is_a_message(self):
        queue = self.queue()
        self.works("amqp-publish", "-r", queue, "-l", stdin=b"first\nsecond\n")
        self.assertEqual(self.works("amqp-get", "-q", queue).strip(), b"first")
        self.assertEqual(self.works("amqp-get", "-q", queue).strip(), b"second")

    def test_delete_only_if_unused_only_if_empty(self):
        queue = self.queue()
        self.publish(queue, "x", "y")
        self.refused(b"406", "amqp-delete-queue", "-q", queue, "--if-empty")
        command, go_on = self.waiting_command()
        consumer = self.consume("-q", queue, "-c", "2", *command)
        consumer.wait_for_line("x")
        self.refused(b"406", "amqp-delete-queue", "-q", queue, "--if-unused")
        open(go_on, "w").close()
        self.assertEqual(consumer.wait(), 0)
        self.works("amqp-delete-queue", "-q", queue, "--if-empty", "--if-unused")
        self.refused(b"404", "amqp-get", "-q", queue)

    def test_prefetch_leaves_the_rest_to_others(self):
        queue = self.queue()
        self.publish(queue, "1", "2", "3", "4", "5")
        command, go_on = self.waiting_command()
        consumer = self.consume("-q", queue, "-p", "2", "-c", "4", *command)
        consumer.wait_for_line("1")
        self.wait_for_messages(queue, 3)
        self.assertEqual(self.works("amqp-get", "-q", queue), b"3")
        open(go_on, "w").close()
        self.assertEqual(consumer.wait(), 0)
        self.assertEqual(consumer.lines, ["1", "2", "4", "5"])
        self.assertEqual(self.message_count(self.broker, queue), 0)

    def test_unacknowledged_messages_come_back_and_no_ack_ones_do_not(self):
        queue = self.queue()
        self.publish(queue, "1", "2")
        for options, left in ([], 2), (["-A"], 0):
            command, go_on = self.waiting_command()
            consumer = self.consume("-q", queue, *options, *command)
            consumer.wait_for_line("1")
            self.wait_for_messages(queue, 0)
            consumer.process.kill()
            open(go_on, "w").close()  # for the command, which outlives it
            consumer.wait()
            os.unlink(go_on)
            self.wait_for_consumers(self.broker, 0, queue)
            self.wait_for_messages(queue, left)


if __name__ == "__main__":
    unittest.main()
