"""Celery's workers and clients, as they are, on Haypile or any broker.

Packages: python3-celery (5.2), python3-kombu, python3-pika. Runs against the broker of
HAYPILE_TEST_URI if that is set, else against a haypiled of HAYPILE_BIN for each test, also one that
calls itself RabbitMQ. Against RabbitMQ 3.10 all of it passes, apart from what needs a broker of its
own, which is skipped. Workers have mingle, gossip and remote control on, as they are by default.
"""
import collections
import os
import signal
import sys
import threading
import unittest

from celery import chain, group
from celery.exceptions import TaskRevokedError
from celery_tasks import configured_app
from harness import HERE, PATIENCE, AnyBrokerTest, Program, haypile_only, wait_for


class Worker:
    """A worker with all its processes."""

    def __init__(self, test, name, *options, prefetch=4):
        self.name = f"{name}@{test.prefix}"
        self.program = Program(
            [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-n", self.name,
             "-l", "INFO", "-E", *options],
            env={
                "PYTHONPATH": HERE,
                "PYTHONDONTWRITEBYTECODE": "1",
                "CELERY_TASKS_BROKER": test.broker.url,
                "CELERY_TASKS_PREFIX": test.prefix,
                "CELERY_TASKS_PREFETCH": str(prefetch),
                "CELERY_TASKS_EFFECTS": test.effects_path,
            },
            preexec_fn=os.setsid,
        )  # fmt: skip

    def wait_for_line(self, part):
        def find():
            if self.program.process.poll() is not None:
                raise AssertionError(f"the worker ended: {self.program.errors}")
            return any(part in line for line in list(self.program.errors))

        wait_for(find, f"{part!r} from the worker, which said {self.program.errors}")

    def kill(self):
        """At once, parent and children."""
        try:
            os.killpg(self.program.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.program.wait()

    def stop(self):
        """Warm: what it is doing is finished."""
        self.program.signal(signal.SIGTERM)
        code = self.program.process.wait(PATIENCE)
        self.kill()
        return code


class CeleryTest(AnyBrokerTest):
    def setUp(self):
        super().setUp()
        self.queue, self.urgent = self.queue_name("tasks"), self.queue_name("urgent")
        self.exchange_name("tasks")
        self.use_app()
        self.effects_path = f"{self.directory}/effects"

    def use_app(self):
        app = configured_app(self.broker.url, self.prefix)
        self.app = app
        self.addCleanup(app.close)

    def worker(self, name, *options, queue=None, ready=True, **more):
        worker = Worker(self, name, "-Q", queue or self.queue, *options, **more)
        self.addCleanup(worker.kill)
        if ready:
            worker.wait_for_line(" ready.")
        return worker

    def task(self, name):
        return self.app.tasks[name]

    def effects(self):
        """The numbers of the tasks that were done, in order, as often as they were."""
        return [number for number, _ in self.effect_lines()]

    def effects_of(self, worker):
        return sum(name == worker.name for _, name in self.effect_lines())

    def effect_lines(self):
        try:
            with open(self.effects_path) as file:
                return [line.split() for line in file.read().split("\n")[:-1]]
        except FileNotFoundError:
            return []

    def wait_for_effects(self, expected):
        expected = {str(number) for number in expected}
        try:
            wait_for(lambda: expected <= set(self.effects()), "all effects", 2 * PATIENCE)
        except AssertionError:
            self.fail(f"never done: {expected - set(self.effects())}")

    def ready(self, queue):
        return self.message_count(self.broker, queue)

    def declare_queues(self):
        with self.app.connection_for_write() as connection:
            for queue in self.app.amqp.queues.values():
                queue(connection).declare()

    def wait_until_empty(self, queue):
        """Nothing ready and, since the workers are gone, nothing unacknowledged either."""
        wait_for(lambda: self.ready(queue) == 0, f"{queue} to be empty")


class Tasks(CeleryTest):
    def test_results_and_retries(self):
        self.worker("prefork", "-c", "2")
        self.assertEqual(self.task("add").delay(2, 3).get(PATIENCE), 5)
        sums = group(self.task("add").s(number, number) for number in range(20))()
        self.assertEqual(sums.get(timeout=PATIENCE), [2 * number for number in range(20)])
        steps = chain(self.task("add").s(1, 2), self.task("add").s(10), self.task("add").s(100))
        self.assertEqual(steps().get(timeout=PATIENCE), 113)
        with self.assertRaisesRegex(ValueError, "bad luck"):
            self.task("fail").delay("bad luck").get(PATIENCE)
        self.assertEqual(self.task("flaky").delay(2).get(PATIENCE), 2)
        self.assertEqual(self.task("again").delay(3).get(PATIENCE), 3)
        countdown = self.task("add").apply_async((1, 1), countdown=0.1)
        self.assertEqual(countdown.get(PATIENCE), 2)
        # One process of the worker is killed in its task, which is done again.
        self.task("die_once").delay(f"{self.directory}/died")
        wait_for(lambda: self.effects() == ["survived"], "the task to be done again")
        self.assertTrue(os.path.exists(f"{self.directory}/died"))

    def test_remote_control_and_events(self):
        events = self.listen()
        one = self.worker("one", "-c", "1", ready=False)
        two = self.worker("two", "-c", "1", "-P", "solo")
        one.wait_for_line(" ready.")
        names = {one.name, two.name}
        inspect = self.app.control.inspect(destination=sorted(names), timeout=PATIENCE, limit=2)
        self.assertEqual(inspect.ping(), {name: {"ok": "pong"} for name in names})
        for queues in inspect.active_queues().values():
            self.assertEqual([queue["name"] for queue in queues], [self.queue])
        self.assertEqual(set(inspect.stats()), names)
        self.assertTrue(all("add" in tasks for tasks in inspect.registered().values()))

        result = self.task("add").delay(1, 1)
        self.assertEqual(result.get(PATIENCE), 2)
        for kind in ("task-sent", "task-received", "task-started", "task-succeeded"):
            wait_for(lambda: [e for e in events[kind] if e["uuid"] == result.id], kind)
        wait_for(
            lambda: names <= {event["hostname"] for event in events["worker-online"]},
            "both workers' events",
        )
        wait_for(lambda: events["worker-heartbeat"], "a heartbeat")

        # Revoked before a worker can see it: they stop to consume for a while.
        def everyone(command, *arguments):
            replies = command(
                *arguments, destination=sorted(names), reply=True, timeout=PATIENCE, limit=2
            )
            self.assertEqual({name for reply in replies for name in reply}, names)
            self.assertTrue(all("ok" in answer for r in replies for answer in r.values()), replies)

        everyone(self.app.control.cancel_consumer, self.queue)
        wait_for(lambda: self.consumer_count(self.broker, self.queue) == 0, "no consumers")
        revoked = self.task("effect").delay("revoked")
        everyone(self.app.control.revoke, revoked.id)
        self.assertEqual(self.ready(self.queue), 1)
        everyone(self.app.control.add_consumer, self.queue)
        with self.assertRaises(TaskRevokedError):
            revoked.get(PATIENCE)
        self.assertEqual(self.effects(), [])
        self.assertEqual(one.stop(), 0)
        self.assertEqual(two.stop(), 0)
        wait_for(lambda: len(events["worker-offline"]) == 2, "the workers' goodbye")
        self.wait_until_empty(self.queue)

    def listen(self):
        """The events from now on, by type."""
        events = collections.defaultdict(list)
        receiver = self.app.events.Receiver(
            self.app.connection_for_read(),
            handlers={"*": lambda event: events[event["type"]].append(event)},
        )
        listening = threading.Event()
        receiver.on_consume_ready = lambda *_, **__: listening.set()
        listener = threading.Thread(target=receiver.capture, daemon=True)
        listener.start()

        def stop():
            receiver.should_stop = True
            listener.join(PATIENCE)

        self.addCleanup(stop)
        wait_for(listening.is_set, "the listener")
        return events

    def test_expired_tasks_are_not_done(self):
        self.declare_queues()
        self.task("effect").apply_async(("late",), expires=0.1)
        self.task("effect").apply_async(("in-time",), expires=3600)
        self.task("effect").apply_async(("patient",))
        wait_for(lambda: self.ready(self.queue) == 2, "the broker to drop the first task")
        self.worker("solo", "-P", "solo")
        wait_for(lambda: "patient" in self.effects(), "the last task")
        self.assertEqual(self.effects(), ["in-time", "patient"])

    def test_priorities(self):
        self.declare_queues()
        for number, priority in enumerate((0, 5, 9, 5, None, 10, 1)):
            self.task("effect").apply_async(
                (f"{priority}/{number}",), queue=self.urgent, priority=priority
            )
        wait_for(lambda: self.ready(self.urgent) == 7, "the tasks")
        worker = self.worker("solo", "-P", "solo", queue=self.urgent, prefetch=1)
        wait_for(lambda: len(self.effects()) == 7, "the tasks to be done")
        self.assertEqual(
            self.effects(), ["10/5", "9/2", "5/1", "5/3", "1/6", "0/0", "None/4"]
        )
        self.assertEqual(worker.stop(), 0)

    def test_many_tasks_and_a_killed_worker(self):
        victim = self.worker("victim", "-c", "2", ready=False)
        self.worker("heir", "-P", "solo")
        victim.wait_for_line(" ready.")
        tasks = 500

        def send():
            for number in range(tasks):
                self.task("effect").delay(number, 0.004)

        sender = threading.Thread(target=send)
        sender.start()
        wait_for(lambda: self.effects_of(victim) >= 20, "the first tasks")
        victim.kill()
        self.assertLess(len(set(self.effects())), tasks)
        sender.join(2 * PATIENCE)
        self.wait_for_effects(range(tasks))
        # At least once: what it had in hand, and what it could not acknowledge any more.
        self.assertLessEqual(len(self.effects()), tasks + 2 * 4 + 2)
        self.wait_until_empty(self.queue)


class Etas(CeleryTest):
    """While tasks wait for their time, the worker takes more than its prefetch, by changing it."""

    def test_prefetch_grows(self):
        self.check_prefetch()

    @haypile_only
    def test_prefetch_grows_with_a_broker_that_calls_itself_rabbitmq(self):
        self.broker.kill()
        self.broker = self.start_broker("--product", "RabbitMQ")
        self.use_app()
        self.check_prefetch()

    def check_prefetch(self):
        worker = self.worker("prefork", "-c", "2", prefetch=1)
        for number in range(10):
            self.task("effect").apply_async((f"never-{number}",), countdown=3600)
        soon = group(self.task("add").s(n, n).set(countdown=0.3) for n in range(10))()
        self.assertEqual(self.task("add").delay(1, 2).get(PATIENCE), 3)
        self.assertEqual(soon.get(timeout=PATIENCE), list(range(0, 20, 2)))
        inspect = self.app.control.inspect(destination=[worker.name], timeout=PATIENCE, limit=1)
        self.assertEqual(len(inspect.scheduled()[worker.name]), 10)
        wait_for(
            lambda: inspect.stats()[worker.name]["prefetch_count"] == 12,
            "the prefetch for two processes and ten tasks that wait",
        )
        self.assertEqual(self.ready(self.queue), 0)
        self.assertEqual(worker.stop(), 0)  # gives them back
        wait_for(lambda: self.ready(self.queue) == 10, "the tasks that never were done")
        self.assertEqual(self.effects(), [])


class Crashes(CeleryTest):
    @haypile_only
    def test_a_killed_broker_loses_nothing(self):
        worker = self.worker("prefork", "-c", "2")
        for number in range(300):
            self.task("effect").delay(number, 0.004)
        wait_for(lambda: len(self.effects()) >= 50, "the first tasks")
        for _ in range(2):
            before = len(self.effects())
            self.broker.kill()
            self.broker = self.start_broker(port=self.broker.port)
            wait_for(lambda: len(set(self.effects())) > min(before + 50, 299), "more tasks")
        self.wait_for_effects(range(300))
        self.task("effect").delay(300)  # the client connects again by itself
        self.wait_for_effects([300])
        # After a lost connection its pool may need half a minute to end; its consumer does not.
        worker.program.signal(signal.SIGTERM)
        wait_for(lambda: self.consumer_count(self.broker, self.queue) == 0, "no consumers")
        self.wait_until_empty(self.queue)


if __name__ == "__main__":
    unittest.main()
