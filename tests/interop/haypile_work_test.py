"""haypile work: what becomes of messages and of the commands that run for them."""
import fcntl
import json
import os
import pty
import signal
import subprocess
import termios
import unittest

from haypile_support import HAYPILE, ToolTest, is_running
from harness import PATIENCE, Broker, wait_for


class WorkTest(ToolTest):
    def work(self, *options, script, **others):
        return self.tool("work", *options, "--", "sh", "-c", script, **others)

    def end(self, worker, code=0):
        worker.signal(signal.SIGINT)
        self.assertEqual(worker.wait(), code, worker.errors)

    def lines_of(self, name):
        try:
            with open(self.path(name)) as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []


class Work(WorkTest):
    def test_a_command_for_each_message(self):
        self.works("send", "-", stdin=b"a\nb\nc\n")
        worker = self.work(script='echo "did $(cat)"')
        worker.wait_for_line("did c")
        self.end(worker)
        self.assertEqual(worker.lines, ["did a", "did b", "did c"])
        self.assertEqual(self.ready(), 0)

    def test_a_failed_command_gives_its_message_back(self):
        self.works("send", "bad")
        once = self.path("once")
        worker = self.work(
            script=f'test -e {once} && echo "good now" || {{ touch {once}; exit 3; }}')
        worker.wait_for_line("good now")
        self.assertIn("exit code 3", worker.errors[-1])
        self.end(worker)
        self.assertEqual(self.ready(), 0)

    def test_or_drops_it(self):
        self.works("send", "bad")
        worker = self.tool("work", "--on-failure", "drop", "--", "false")
        wait_for(lambda: worker.errors, "the failure")
        self.end(worker)
        self.assertEqual(self.ready(), 0)

    def test_jobs_run_side_by_side(self):
        """Each of two jobs waits for the other to be there."""
        self.works("send", "-", stdin=b"1\n2\n")
        worker = self.work("--jobs", "2", script=(
            f"read me; touch {self.directory}/job$me; "
            f"until test -e {self.directory}/job1 -a -e {self.directory}/job2; "
            "do sleep 0.01; done; echo met"))
        wait_for(lambda: worker.lines == ["met", "met"], "both jobs")

    def test_what_cannot_be_run_is_an_error_and_loses_nothing(self):
        self.works("send", "x")
        self.assertIn("cannot run 'no-such-command'", self.failed("work", "--", "no-such-command"))
        self.wait_for_ready(1)

    def test_a_deleted_queue_ends_the_worker_when_its_command_is_done(self):
        self.works("send", "x")
        worker = self.work(script=f"echo started; until test -e {self.path('go')}; do sleep 0.02; "
                                  "done; echo done")
        worker.wait_for_line("started")
        self.works("delete", "task_queue")
        open(self.path("go"), "w").close()
        self.assertEqual(worker.wait(), 1)
        self.assertEqual(worker.lines, ["started", "done"])
        self.assertIn("has been deleted", worker.errors[-1])

    def test_options_that_make_no_sense(self):
        self.assertIn("put -- before", self.failed("work", "-q", "f", "sh", "-c", "cat"))
        self.assertIn("need a command", self.failed("work", "--tries", "3"))
        self.assertIn("contradict", self.failed(
            "work", "--tries", "3", "--on-failure", "requeue", "--", "cat"))
        self.assertIn("there is a command", self.failed("work", "--json", "--", "cat"))
        self.assertIn("from 1 to 1000", self.failed("work", "--jobs", "0", "--", "cat"))
        self.assertIn("requeue or drop", self.failed("work", "--on-failure", "x", "--", "cat"))
        self.assertIn("time in seconds", self.failed("work", "--timeout", "soon", "--", "cat"))


class End(WorkTest):
    def test_first_interrupt_finishes_second_gives_back(self):
        self.works("send", "-", stdin=b"1\n2\n")
        worker = self.work("--prefetch", "2", script="echo started; sleep 100")
        worker.wait_for_line("started")
        worker.signal(signal.SIGINT)
        # The second message, not started yet, goes back at once.
        self.wait_for_ready(1)
        worker.signal(signal.SIGINT)
        self.assertEqual(worker.wait(), 130)
        self.assertEqual(worker.lines, ["started"])
        self.wait_for_ready(2)

    def test_who_ignores_sigterm_is_killed_before_its_message_goes_back(self):
        self.works("send", "x")
        worker = self.work(script=f"trap '' TERM; echo $$ >{self.path('pid')}; "
                                  "while true; do sleep 0.1; done")
        pid = self.pid_in("pid")
        worker.signal(signal.SIGINT)
        self.wait_for_consumers(self.broker, 0)
        worker.signal(signal.SIGINT)
        self.wait_for_ready(1)
        self.assertFalse(is_running(pid))
        self.assertEqual(worker.wait(), 130)

    def test_a_third_interrupt_does_not_wait(self):
        self.works("send", "x")
        worker = self.work(script=f"trap '' TERM; echo $$ >{self.path('pid')}; sleep 1000")
        pid = self.pid_in("pid")
        worker.signal(signal.SIGINT)
        self.wait_for_consumers(self.broker, 0)
        worker.signal(signal.SIGINT)
        # Two signals of one kind that come at once may be one.
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(), 130)
        self.assertFalse(is_running(pid))
        self.wait_for_ready(1)

    def test_a_command_that_wants_the_terminal_does_not_stop(self):
        """The worker has a terminal; its command reads from it although that is not its own."""
        self.works("send", "x")
        leader, follower = pty.openpty()
        self.addCleanup(os.close, leader)

        def take_terminal():
            os.setsid()
            fcntl.ioctl(follower, termios.TIOCSCTTY, 0)

        process = subprocess.Popen(
            [HAYPILE, "work", "-u", self.broker.url, "--on-failure", "drop", "--", "sh", "-c",
             f"read line </dev/tty; echo done >{self.path('done')}"],
            stdin=follower, stdout=follower, stderr=follower, preexec_fn=take_terminal)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(follower)
        wait_for(lambda: self.lines_of("done") == ["done"] or
                 process.poll() is not None, "the command to go on")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE), 0)


class LostBroker(WorkTest):
    def test_without_reconnecting_it_is_an_error(self):
        worker = self.tool("work", "--no-reconnect")
        self.works("send", "x")
        worker.wait_for_line("x")
        self.broker.kill()
        self.assertEqual(worker.wait(), 1)
        self.assertIn("connection lost", worker.errors[-1])

    def test_a_broker_that_was_never_there_is_an_error(self):
        self.assertIn("Connection refused", self.failed("work", "-u", "amqp://127.0.0.1:1"))

    def test_the_worker_goes_on_with_the_same_broker(self):
        worker = self.tool("work")
        self.works("send", "before")
        worker.wait_for_line("before")
        self.broker.kill()
        wait_for(lambda: any("connecting again" in line for line in worker.errors), "a word on it")
        self.restart_broker()
        self.works("send", "after")
        worker.wait_for_line("after")
        self.end(worker)

    def test_or_with_the_next_one_of_its_list(self):
        other = self.start_other_broker()
        worker = self.tool("work", "-u", f"{self.broker.url},{other.url}")
        self.works("send", "first")
        worker.wait_for_line("first")
        self.broker.kill()
        self.run_to_end(other, HAYPILE, "send", "second")
        worker.wait_for_line("second")

    def start_other_broker(self):
        broker = Broker(self.path("other"))
        self.programs.append(broker.program)
        return broker

    def test_its_command_ends_and_the_message_is_done_once_more(self):
        self.works("send", "x")
        worker = self.work(script=f"test -e {self.path('pid')} && exec echo 'done again'; "
                                  f"echo $$ >{self.path('pid')}; exec sleep 1000")
        pid = self.pid_in("pid")
        self.broker.kill()
        wait_for(lambda: not is_running(pid), "the command to end")
        self.restart_broker()
        worker.wait_for_line("done again")
        self.end(worker)
        self.assertEqual(self.ready(), 0)

    def test_also_one_that_ignores_sigterm(self):
        self.works("send", "x")
        worker = self.work("--no-reconnect", script=(
            f"trap '' TERM; echo $$ >{self.path('pid')}; while true; do sleep 0.1; done"))
        pid = self.pid_in("pid")
        self.broker.kill()
        self.assertEqual(worker.wait(), 1)
        self.assertFalse(is_running(pid))

    def test_a_lost_broker_is_noticed_while_a_worker_finishes(self):
        """After the first interrupt it does not consume any more."""
        self.works("send", "x")
        worker = self.work(script=f"echo $$ >{self.path('pid')}; exec sleep 1000")
        pid = self.pid_in("pid")
        worker.signal(signal.SIGINT)
        self.wait_for_consumers(self.broker, 0)
        self.broker.kill()
        self.assertEqual(worker.wait(), 1)
        self.assertFalse(is_running(pid))


class Tries(WorkTest):
    def test_after_the_last_try_a_message_is_in_the_failed_queue(self):
        self.works("send", "--header", "kind=bad", "--property", "expiration=3600000", "poison")
        worker = self.work("--tries", "3", "--backoff", "0.01", script=(
            f"echo $HAYPILE_MESSAGE_ATTEMPT >>{self.path('tries')}; exit 7"))
        self.wait_for_ready(1, "task_queue.failed")
        self.end(worker)
        self.assertEqual(self.lines_of("tries"), ["1", "2", "3"])
        self.assertEqual(self.ready(), 0)
        properties, body = self.get("task_queue.failed")
        self.assertEqual(body, b"poison")
        self.assertEqual(properties.headers, {
            "kind": "bad", "x-failed-reason": "exit code 7", "x-failed-queue": "task_queue",
            "x-failed-attempts": 3, "x-failed-expiration": "3600000"})
        self.assertEqual(properties.delivery_mode, 2)
        self.assertIsNone(properties.expiration)

    def test_or_it_is_dropped(self):
        self.works("send", "poison")
        worker = self.work("--tries", "2", "--backoff", "0.01", "--on-failure", "drop",
                           script="false")
        wait_for(lambda: any("dropped" in line for line in worker.errors), "the end of the tries")
        self.end(worker)
        self.assertEqual(self.ready(), 0)

    def test_others_go_on_while_a_message_pauses(self):
        """One job, five messages that pause for hours, and ten that do not."""
        lines = b"bad\n" * 5 + b"".join(b"good %d\n" % number for number in range(10))
        self.works("send", "-", stdin=lines)
        worker = self.work("--tries", "9", "--backoff", "10000,10000",
                           script="read word rest; test $word = good && echo $rest")
        worker.wait_for_line("9")
        self.assertEqual(worker.lines, [str(number) for number in range(10)])
        # It holds no more than the five and, for a moment, those that it takes.
        self.works("send", "-", stdin=b"good 10\n")
        worker.wait_for_line("10")
        self.end(worker)
        self.wait_for_ready(5)

    def test_a_worker_takes_no_more_than_it_can_work_on_after_pauses(self):
        """Three messages fail and then succeed; afterwards one job holds one message."""
        self.works("send", "-", stdin=b"a\nb\nc\n")
        go, stop = self.path("go"), self.path("stop")
        worker = self.work("--tries", "9", "--backoff", "0.05,0.05", script=(
            f"read word; test $word = wait && {{ echo waiting; until test -e {stop}; do "
            f"sleep 0.02; done; }}; test -e {go} && echo done $word"))
        wait_for(lambda: len(worker.errors) >= 6, "failures of all of them")
        open(go, "w").close()
        wait_for(lambda: len(worker.lines) == 3, "their success")
        self.works("send", "-", stdin=b"wait\n" * 20)
        worker.wait_for_line("waiting")
        self.works("send", "-q", "other", "x")  # time for deliveries, which are on their way
        self.wait_for_ready(19)
        open(stop, "w").close()
        wait_for(lambda: worker.lines.count("done wait") == 20, "the rest")
        self.end(worker)

    def test_an_attempt_is_counted_by_the_broker_if_it_can(self):
        self.works("send", "--quorum", "-q", "safe", "x")
        with self.broker.connect() as connection:
            channel = connection.channel()
            for _ in range(2):
                method, _, _ = channel.basic_get("safe")
                channel.basic_nack(method.delivery_tag)
        worker = self.work("-q", "safe", "--quorum", "--tries", "4", "--backoff", "0.01", script=(
            f"echo $HAYPILE_MESSAGE_ATTEMPT >>{self.path('tries')}; false"))
        self.wait_for_ready(1, "safe.failed")
        self.end(worker)
        self.assertEqual(self.lines_of("tries"), ["3", "4"])

    def test_a_command_that_takes_too_long_has_failed(self):
        self.works("send", "x")
        worker = self.work("--timeout", "0.1", "--tries", "1", "--failed-queue", "late",
                           script="sleep 1000")
        self.wait_for_ready(1, "late")
        properties, _ = self.get("late")
        self.assertEqual(properties.headers["x-failed-reason"], "not done after 0.1 s")
        self.end(worker)

    def test_a_failed_queue_that_is_gone_is_made_again(self):
        worker = self.work("--tries", "1", "--backoff", "0.01,0.01", script="false")
        self.wait_for_ready(0, "task_queue.failed")
        self.works("delete", "task_queue.failed")
        self.works("send", "x")
        wait_for(lambda: any("cannot put a message" in line for line in worker.errors), "an error")
        self.wait_for_ready(1, "task_queue.failed")
        self.end(worker)
        self.assertEqual(self.ready(), 0)


class Output(WorkTest):
    def test_a_command_hears_of_properties_and_headers(self):
        self.works("send", "--header", "x-kind=big cat", "--header", "width:=640", "--property",
                   "content_type=text/plain", "body")
        worker = self.work(script="env | grep ^HAYPILE_ | grep -v ^HAYPILE_[BS] | sort; echo end",
                           env={"HAYPILE_HEADER_OLD": "of another message"})
        worker.wait_for_line("end")
        self.assertEqual(worker.lines, [
            "HAYPILE_HEADER_WIDTH=640", "HAYPILE_HEADER_X_KIND=big cat",
            "HAYPILE_MESSAGE_ATTEMPT=1", "HAYPILE_PROPERTY_CONTENT_TYPE=text/plain",
            "HAYPILE_PROPERTY_DELIVERY_MODE=2", "end"])

    def test_messages_as_json(self):
        self.works("send", "--header", "kind=cat", "--property", "priority=5", "two\nlines")
        self.works("send", "--file", "-", stdin=b"\xff\x00")
        worker = self.tool("work", "--json")
        wait_for(lambda: len(worker.lines) == 2, "two lines")
        self.end(worker)
        first, second = (json.loads(line) for line in worker.lines)
        self.assertEqual(first, {
            "queue": "task_queue", "exchange": "", "routing_key": "task_queue",
            "redelivered": False, "attempt": 1,
            "properties": {"delivery_mode": 2, "priority": 5}, "headers": {"kind": "cat"},
            "body": "two\nlines"})
        self.assertEqual(second["body_base64"], "/wA=")

    def test_messages_that_end_with_a_nul(self):
        self.works("send", "-", stdin=b"one\ntwo\n")
        self.works("send", "three\nlines")
        worker = self.tool("work", "--null")
        worker.wait_for_line("one\0two\0three")
        self.end(worker)
        self.assertEqual("\n".join(worker.lines), "one\0two\0three\nlines\0")

    def test_a_message_that_could_not_be_printed_is_not_lost(self):
        self.works("send", "x")
        with open("/dev/full", "w") as full:
            process = subprocess.run([HAYPILE, "work", "-u", self.broker.url], stdout=full,
                                     stderr=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        self.assertIn(b"cannot write", process.stderr)
        self.wait_for_ready(1)


if __name__ == "__main__":
    unittest.main()
