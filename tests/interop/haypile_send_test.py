"""haypile send, and the commands that look at a queue or change it."""
import fcntl
import json
import re
import signal
import struct
import subprocess
import termios
import unittest

from haypile_support import HAYPILE, ToolTest
from harness import PATIENCE, wait_for


def unread(pipe):
    """How many bytes nobody has read yet."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"0000"))[0]


class Send(ToolTest):
    def sender(self, *arguments):
        """A running `send` whose standard input the test writes."""
        process = subprocess.Popen(
            [HAYPILE, "send", "-u", self.broker.url, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.communicate()

    def write(self, process, data):
        process.stdin.write(data)
        process.stdin.flush()

    def declare(self, queue="task_queue"):
        with self.broker.connect() as connection:
            connection.channel().queue_declare(queue, durable=True)

    def test_words_become_one_message_lines_one_each(self):
        self.works("send", "one", "message")
        self.works("send", "-", stdin=b"first line\n\nthird line")
        self.works("send")
        bodies = [self.get()[1] for _ in range(5)]
        self.assertEqual(bodies, [b"one message", b"first line", b"", b"third line",
                                  b"Hello World!"])

    def test_what_was_sent_survives_a_kill(self):
        lines = b"".join(b"%d\n" % number for number in range(20_000))
        self.works("send", "-q", "lines", "-", stdin=lines)
        self.broker.kill()
        self.broker = self.start_broker()
        worker = self.tool("work", "-q", "lines", "--prefetch", "500")
        worker.wait_for_line("19999")
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(), 0)
        self.assertEqual(worker.lines, [str(number) for number in range(20_000)])

    def test_a_file_or_all_of_standard_input_is_one_message(self):
        content = b"line\nline\0" + bytes(range(256)) * 1000
        with open(self.path("content"), "wb") as file:
            file.write(content)
        self.works("send", "--file", self.path("content"))
        self.works("send", "--file", "-", stdin=content)
        self.assertEqual(self.get()[1], content)
        self.assertEqual(self.get()[1], content)
        self.assertIn("No such file", self.failed("send", "--file", "/nowhere"))
        self.assertIn("not both", self.failed("send", "--file", "-", "word"))

    def test_messages_that_end_with_a_nul(self):
        self.works("send", "--null", "-", stdin=b"one\nmessage\0second\0rest")
        self.assertEqual([self.get()[1] for _ in range(3)], [b"one\nmessage", b"second", b"rest"])
        self.assertIn("standard input", self.failed("send", "--null", "x"))

    def test_headers_and_properties(self):
        self.works("send", "--header", "kind=cat", "--header", "width:=640", "--property",
                   "content-type=text/plain", "--property", "priority=5", "x")
        properties, _ = self.get()
        self.assertEqual(properties.headers, {"kind": "cat", "width": 640})
        self.assertEqual(properties.content_type, "text/plain")
        self.assertEqual(properties.priority, 5)
        self.assertEqual(properties.delivery_mode, 2)
        self.assertIn("colour", self.failed("send", "--property", "colour=red", "x"))
        self.assertIn("not JSON", self.failed("send", "--header", "n:=five", "x"))

    def test_a_message_without_a_queue_is_an_error(self):
        sender = self.sender("--json", "-")
        self.write(sender, b"first\n")
        self.wait_for_ready(1)
        with self.broker.connect() as connection:
            connection.channel().queue_delete("task_queue")
        output, errors = sender.communicate(b"nowhere\n", timeout=PATIENCE)
        self.assertEqual(sender.returncode, 1)
        self.assertIn(b"1 message was taken by no queue", errors)
        self.assertIn(b"at least 1 messages are confirmed", errors)
        summary = json.loads(output)
        self.assertEqual((summary["sent"], summary["confirmed"], summary["returned"]), (2, 1, 1))

    def test_the_queue_has_a_name(self):
        for command in ("send", "work", "status", "purge", "delete"):
            self.assertIn("empty", self.failed(command, "-q", ""))

    def test_a_message_does_not_wait_for_the_next_one_to_be_safe(self):
        self.declare()
        sender = self.sender("--json", "-")
        self.write(sender, b"line\n")
        self.wait_for_ready(1)
        self.broker.kill()
        output, errors = sender.communicate(b"too late\n", timeout=PATIENCE)
        self.assertEqual(sender.returncode, 1)
        self.assertIn(b"at least 1 messages are confirmed", errors)
        self.assertEqual(json.loads(output)["confirmed"], 1)

    def test_who_sends_lines_hears_how_many_are_safe(self):
        self.declare()
        sender = self.sender("-")
        self.write(sender, b"line\n" * 5000)
        wait_for(lambda: self.ready() > 3000, "most of the lines")
        self.broker.kill()
        _, errors = sender.communicate(b"too late\n", timeout=PATIENCE)
        self.assertEqual(sender.returncode, 1)
        confirmed = re.search(r"at least (\d+) messages are confirmed", errors.decode())
        self.assertTrue(confirmed, errors)
        self.assertGreaterEqual(int(confirmed.group(1)), 1000)
        self.assertLessEqual(int(confirmed.group(1)), 5000)

    def test_an_interrupt_says_how_many_are_confirmed(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self.declare()
            sender = self.sender("--json", "-")
            self.write(sender, b"one\ntwo\nthree\nnot all of")
            self.wait_for_ready(3)
            sender.send_signal(number)
            output, errors = sender.stdout.read(), sender.stderr.read()
            self.assertEqual(sender.wait(PATIENCE), 130)
            self.assertEqual(errors, b"haypile: interrupted; 3 messages are confirmed\n")
            summary = json.loads(output)
            self.assertEqual((summary["confirmed"], summary["interrupted"]), (3, True))
            self.assertEqual(self.works("purge", "task_queue"), ["task_queue: 3 messages dropped"])

    def test_an_interrupt_ends_it_although_the_broker_does_not_answer(self):
        self.declare()
        sender = self.sender("-")
        self.write(sender, b"one\n")
        self.wait_for_ready(1)
        self.broker.program.signal(signal.SIGSTOP)
        try:
            self.write(sender, b"two\n")
            wait_for(lambda: unread(sender.stdin) == 0, "the line to be read")
            sender.send_signal(signal.SIGINT)
            errors = sender.stderr.read()
            self.assertEqual(sender.wait(PATIENCE), 130)
        finally:
            self.broker.program.signal(signal.SIGCONT)
        self.assertRegex(errors, b"interrupted; at least [01] messages are confirmed")

    def test_a_summary_as_json(self):
        lines = self.works("send", "--json", "-", stdin=b"1\n2\n")
        self.assertEqual(json.loads(lines[0]), {
            "queue": "task_queue", "sent": 2, "confirmed": 2, "returned": 0, "interrupted": False})

    def test_several_brokers_are_tried_in_turn(self):
        nobody = "amqp://127.0.0.1:1"
        self.works("send", "-u", f"{nobody},{self.broker.url}", "x")
        self.works("send", "-u", nobody, "-u", self.broker.url, "x")
        self.works("send", "x", env={"AMQP_URL": f"{nobody},{self.broker.url}"})
        self.assertEqual(self.ready(), 3)
        self.assertIn("no broker lets us in", self.failed("send", "-u", f"{nobody},{nobody}", "x"))

    def test_a_quorum_queue(self):
        self.works("send", "--quorum", "-q", "safe", "x")
        self.assertIn("--passive", self.failed("send", "-q", "safe", "x"))

    def test_errors_are_one_line_that_helps(self):
        with self.broker.connect() as connection:
            connection.channel().queue_declare("transient")
        self.assertIn("--passive", self.failed("send", "-q", "transient", "x"))
        self.assertIn("without --passive", self.failed("send", "--passive", "-q", "absent", "x"))
        self.assertIn("Connection refused", self.failed("send", "-u", "amqp://127.0.0.1:1", "x"))
        self.assertIn("amqp://", self.failed("send", "-u", "http://localhost", "x"))
        self.assertIn("- stands alone", self.failed("send", "-", "extra"))


class QueueCommands(ToolTest):
    def test_status(self):
        self.works("send", "-q", "jobs", "-", stdin=b"1\n2\n")
        for arguments in (["jobs"], ["-q", "jobs"]):
            self.assertEqual(self.works("status", *arguments), ["jobs: 2 ready, 0 consumers"])
        said = json.loads(self.works("status", "--json", "jobs")[0])
        self.assertEqual(said, {"queue": "jobs", "ready": 2, "consumers": 0})
        self.assertIn("task_queue", self.failed("status"))

    def test_purge(self):
        self.works("send", "-q", "jobs", "-", stdin=b"1\n2\n")
        self.assertEqual(self.works("purge", "jobs"), ["jobs: 2 messages dropped"])
        self.assertEqual(self.ready("jobs"), 0)
        self.assertIn("absent", self.failed("purge", "absent"))
        self.assertIn("--queue is required", self.failed("purge"))

    def test_delete(self):
        self.works("send", "-q", "jobs", "1")
        self.assertIn("not empty", self.failed("delete", "jobs", "--if-empty"))
        worker = self.tool("work", "-q", "jobs")
        worker.wait_for_line("1")
        self.assertIn("in use", self.failed("delete", "jobs", "--if-unused"))
        worker.signal(signal.SIGINT)
        worker.wait()
        self.wait_for_consumers(self.broker, 0, "jobs")
        self.assertEqual(self.works("delete", "jobs", "--if-unused", "--if-empty"),
                         ["jobs: deleted with 0 messages"])
        self.assertIn("jobs", self.failed("delete", "jobs"))


if __name__ == "__main__":
    unittest.main()
