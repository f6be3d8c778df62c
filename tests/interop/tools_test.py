"""Other clients: amqp-tools (rabbitmq-c), and Haypile's own command line tool.

Needs: amqp-tools. AmqpTools can run against the broker at HAYPILE_TEST_URI; all of it passes on
RabbitMQ 3.10.
"""
import os
import re
import signal
import subprocess
import unittest

import pika

from client_program import ClientProgramTest
from harness import BIN, PATIENCE, BrokerTest, wait_for

HAYPILE = f"{BIN}/haypile"


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


class CommandLine(BrokerTest):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker()

    def failed(self, *arguments):
        program = self.start(self.broker, HAYPILE, *arguments)
        self.assertEqual(program.wait(), 1)
        self.assertEqual(len(program.errors), 1, program.errors)
        return program.errors[0]

    def test_words_become_one_message_lines_one_each(self):
        self.run_to_end(self.broker, HAYPILE, "send", "one", "message")
        self.run_to_end(self.broker, HAYPILE, "send", "-", stdin=b"first line\nsecond line\n")
        self.run_to_end(self.broker, HAYPILE, "send")
        worker = self.start(self.broker, HAYPILE, "work")
        worker.wait_for_line("Hello World!")
        worker.signal(signal.SIGINT)
        self.assertEqual(worker.wait(), 0)
        self.assertEqual(
            worker.lines, ["one message", "first line", "second line", "Hello World!"]
        )
        self.assertEqual(self.message_count(self.broker, "task_queue"), 0)

    def test_what_was_sent_survives_a_kill(self):
        lines = b"".join(b"%d\n" % number for number in range(20_000))
        self.run_to_end(self.broker, HAYPILE, "send", "-q", "lines", "-", stdin=lines)
        self.broker.kill()
        self.broker = self.start_broker()
        worker = self.start(self.broker, HAYPILE, "work", "-q", "lines", "--prefetch", "500")
        worker.wait_for_line("19999")
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(), 0)
        self.assertEqual(worker.lines, [str(number) for number in range(20_000)])

    def test_a_command_for_each_message(self):
        self.run_to_end(self.broker, HAYPILE, "send", "-", stdin=b"a\nb\nc\n")
        worker = self.start(self.broker, HAYPILE, "work", "--", "sh", "-c", 'echo "did $(cat)"')
        worker.wait_for_line("did c")
        worker.signal(signal.SIGINT)
        self.assertEqual(worker.wait(), 0)
        self.assertEqual(worker.lines, ["did a", "did b", "did c"])

    def test_a_failed_command_gives_its_message_back(self):
        self.run_to_end(self.broker, HAYPILE, "send", "bad")
        once = os.path.join(self.directory, "once")
        script = f'test -e {once} && echo "good now" || {{ touch {once}; exit 3; }}'
        worker = self.start(self.broker, HAYPILE, "work", "--", "sh", "-c", script)
        worker.wait_for_line("good now")
        self.assertIn("exit code 3", worker.errors[-1])
        worker.signal(signal.SIGINT)
        self.assertEqual(worker.wait(), 0)
        self.assertEqual(self.message_count(self.broker, "task_queue"), 0)

    def test_or_drops_it(self):
        self.run_to_end(self.broker, HAYPILE, "send", "bad")
        worker = self.start(self.broker, HAYPILE, "work", "--on-failure", "drop", "--", "false")
        wait_for(lambda: worker.errors, "the failure")
        worker.signal(signal.SIGINT)
        self.assertEqual(worker.wait(), 0)
        self.assertEqual(self.message_count(self.broker, "task_queue"), 0)

    def test_jobs_run_side_by_side(self):
        """Each of two jobs waits for the other to be there."""
        self.run_to_end(self.broker, HAYPILE, "send", "-", stdin=b"1\n2\n")
        script = (
            f'read me; touch {self.directory}/job$me; '
            f'until test -e {self.directory}/job1 -a -e {self.directory}/job2; '
            'do sleep 0.01; done; '
            "echo met"
        )
        worker = self.start(self.broker, HAYPILE, "work", "--jobs", "2", "--", "sh", "-c", script)
        wait_for(lambda: worker.lines == ["met", "met"], "both jobs")

    def test_first_interrupt_finishes_second_gives_back(self):
        self.run_to_end(self.broker, HAYPILE, "send", "-", stdin=b"1\n2\n")
        worker = self.start(
            self.broker, HAYPILE, "work", "--prefetch", "2", "--", "sh", "-c",
            "echo started; sleep 100",
        )
        worker.wait_for_line("started")
        worker.signal(signal.SIGINT)
        # The second message, not started yet, goes back at once.
        wait_for(lambda: self.message_count(self.broker, "task_queue") == 1, "one message back")
        worker.signal(signal.SIGINT)
        self.assertEqual(worker.wait(), 130)
        self.assertEqual(worker.lines, ["started"])
        wait_for(lambda: self.message_count(self.broker, "task_queue") == 2, "both messages back")

    def test_errors_are_one_line_that_helps(self):
        with self.broker.connect() as connection:
            connection.channel().queue_declare("transient")
        self.assertIn("--passive", self.failed("send", "-q", "transient", "x"))
        self.assertIn("without --passive", self.failed("send", "--passive", "-q", "absent", "x"))
        self.assertIn("Connection refused", self.failed("send", "-u", "amqp://127.0.0.1:1", "x"))
        self.assertIn("amqp://", self.failed("send", "-u", "http://localhost", "x"))
        self.assertIn("--help", self.failed("bogus"))
        self.assertIn("cannot run 'no-such-command'", self.fails_with_a_message())

    def fails_with_a_message(self):
        self.run_to_end(self.broker, HAYPILE, "send", "x")
        error = self.failed("work", "--", "no-such-command")
        # The message was not lost over it.
        wait_for(lambda: self.message_count(self.broker, "task_queue") == 1, "the message back")
        return error

    def test_a_lost_broker_is_an_error(self):
        worker = self.start(self.broker, HAYPILE, "work")
        self.run_to_end(self.broker, HAYPILE, "send", "x")
        worker.wait_for_line("x")
        self.broker.kill()
        self.assertEqual(worker.wait(), 1)
        self.assertIn("connection lost", worker.errors[-1])

    def test_who_sends_lines_hears_how_many_are_safe(self):
        sender = subprocess.Popen(
            [HAYPILE, "send", "-u", self.broker.url, "-"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(sender.kill)
        sender.stdin.write(b"line\n" * 5000)
        sender.stdin.flush()
        with self.broker.connect() as connection:
            channel = connection.channel()
            channel.queue_declare("task_queue", durable=True)
            wait_for(
                lambda: channel.queue_declare(
                    "task_queue", passive=True).method.message_count > 3000,
                "most of the lines",
            )
        self.broker.kill()
        _, errors = sender.communicate(b"too late\n", timeout=PATIENCE)
        self.assertEqual(sender.returncode, 1)
        confirmed = re.search(r"at least (\d+) messages are confirmed", errors.decode())
        self.assertTrue(confirmed, errors)
        self.assertGreaterEqual(int(confirmed.group(1)), 1000)
        self.assertLessEqual(int(confirmed.group(1)), 5000)


if __name__ == "__main__":
    unittest.main()
