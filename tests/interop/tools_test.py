"""Other clients: amqp-tools (rabbitmq-c), and Haypile's own command line tool."""
import os
import re
import signal
import subprocess
import unittest

from harness import BIN, PATIENCE, BrokerTest, wait_for

HAYPILE = f"{BIN}/haypile"


class AmqpTools(BrokerTest):
    def tool(self, broker, name, *arguments, stdin=b""):
        return subprocess.run(
            [name, "--url", broker.url, *arguments], input=stdin, capture_output=True, timeout=60
        )

    def test_declare_publish_get_consume_delete(self):
        broker = self.start_broker()
        result = self.tool(broker, "amqp-declare-queue", "-q", "q", "-d")
        self.assertEqual((result.returncode, result.stdout), (0, b"q\n"))
        for body in ("one", "two"):
            result = self.tool(broker, "amqp-publish", "-r", "q", "-p", "-b", body)
            self.assertEqual(result.returncode, 0, result.stderr)
        result = self.tool(broker, "amqp-get", "-q", "q")
        self.assertEqual((result.returncode, result.stdout), (0, b"one"))
        result = self.tool(broker, "amqp-consume", "-q", "q", "-c", "1", "cat")
        self.assertEqual((result.returncode, result.stdout), (0, b"two"))
        self.assertEqual(self.tool(broker, "amqp-get", "-q", "q").returncode, 2)  # empty
        self.assertEqual(self.tool(broker, "amqp-delete-queue", "-q", "q").returncode, 0)
        result = self.tool(broker, "amqp-get", "-q", "q")
        self.assertIn(b"404", result.stderr)


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
            f'until test -e {self.directory}/job1 -a -e {self.directory}/job2; do sleep 0.01; done; '
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
                lambda: channel.queue_declare("task_queue", passive=True).method.message_count > 3000,
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
