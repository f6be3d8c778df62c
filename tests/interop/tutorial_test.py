"""Every statement of RabbitMQ's tutorial "Work Queues", with pika and with the C++ programs."""
import signal
import threading
import unittest

from harness import PRODUCERS, WORKERS, BrokerTest, wait_for

import pika


class Tutorial(BrokerTest):
    def consume(self, broker, queue, prefetch=0, auto_ack=False):
        """A consumer on a connection of its own, that never acknowledges."""
        connection = broker.connect()
        self.addCleanup(self.close, connection)
        channel = connection.channel()
        if prefetch:
            channel.basic_qos(prefetch_count=prefetch)
        received = []
        channel.basic_consume(
            queue, lambda _, method, __, body: received.append((method, body.decode())), auto_ack
        )
        return connection, channel, received

    @staticmethod
    def close(connection):
        try:
            connection.close()
        except pika.exceptions.AMQPError:
            pass

    def test_round_robin_without_prefetch(self):
        broker = self.start_broker()
        for count in (2, 3, 5):
            with self.subTest(workers=count), broker.connect() as connection:
                channel = connection.channel()
                queue = channel.queue_declare("", exclusive=False).method.queue
                workers = [self.consume(broker, queue) for _ in range(count)]
                tasks = [str(number) for number in range(1, 11)]
                for task in tasks:
                    channel.basic_publish("", queue, task)
                for place, (worker, _, received) in enumerate(workers):
                    expected = tasks[place::count]
                    while len(received) < len(expected):
                        worker.process_data_events(0.05)
                    self.assertEqual([body for _, body in received], expected)

    def test_every_pairing(self):
        broker = self.start_broker()
        for worker_name, (worker, env) in WORKERS.items():
            program = self.start(broker, *worker, env=env)
            program.wait_for_line("Waiting for messages")
            self.wait_for_consumers(broker, 1)
            for producer_name, producer in PRODUCERS.items():
                with self.subTest(producer=producer_name, worker=worker_name):
                    task = f"from {producer_name}"
                    sent = self.run_to_end(broker, *producer, *task.split())
                    self.assertEqual(sent.lines, [f" [x] Sent {task}"])
                    program.wait_for_line(f" [x] Received {task}")
            self.run_to_end(broker, *PRODUCERS["C++"])
            program.wait_for_line(" [x] Received Hello World!")
            # With a prefetch of one the next task comes when the one before is acknowledged.
            self.run_to_end(broker, *PRODUCERS["C++"], "last", "....................")
            program.wait_for_line(" [x] Received last")
            self.assertEqual(program.lines.count(" [x] Done"), 3)
            program.signal(signal.SIGINT)
            program.wait()
            self.wait_for_consumers(broker, 0)
            with broker.connect() as connection:
                purged = connection.channel().queue_purge("task_queue").method.message_count
            self.assertEqual(purged, 1)  # the one it was working on

    def test_killed_worker_loses_nothing(self):
        """In mid-task: the task goes to another worker at once, whatever the two are written in."""
        broker = self.start_broker()
        names = list(WORKERS)
        for victim_name, heir_name in zip(names, names[1:] + names[:1]):
            with self.subTest(victim=victim_name, heir=heir_name):
                worker, env = WORKERS[victim_name]
                victim = self.start(broker, *worker, env=env)
                self.wait_for_queue(broker)
                self.wait_for_consumers(broker, 1)
                task = "very long" + "." * 100
                self.run_to_end(broker, *PRODUCERS["pika"], *task.split())
                victim.wait_for_line(f" [x] Received {task}")
                worker, env = WORKERS[heir_name]
                heir = self.start(broker, *worker, env=env)
                self.wait_for_consumers(broker, 2)
                self.assertEqual(heir.received(), [])
                victim.kill()
                heir.wait_for_line(f" [x] Received {task}")
                heir.kill()
                with broker.connect() as connection:
                    channel = connection.channel()

                    def get():
                        method, _, body = channel.basic_get("task_queue", auto_ack=True)
                        return method and (method, body)

                    method, body = wait_for(get, "the task to come back")
                    self.assertTrue(method.redelivered)
                    self.assertEqual(body.decode(), task)

    def wait_for_queue(self, broker):
        def there():
            with broker.connect() as connection:
                try:
                    return connection.channel().queue_declare("task_queue", passive=True)
                except pika.exceptions.ChannelClosedByBroker:
                    return None

        wait_for(there, "the queue")

    def test_unacknowledged_is_not_removed(self):
        broker = self.start_broker()
        with broker.connect() as connection:
            channel = connection.channel()
            channel.queue_declare("q")
            channel.basic_publish("", "q", "task")
            worker, _, received = self.consume(broker, "q")
            while not received:
                worker.process_data_events(0.05)
            self.assertFalse(received[0][0].redelivered)
            worker.close()
            method, _, body = channel.basic_get("q")
            self.assertEqual(body, b"task")
            self.assertTrue(method.redelivered)

    def test_auto_ack_removes_on_delivery(self):
        broker = self.start_broker()
        with broker.connect() as connection:
            channel = connection.channel()
            channel.queue_declare("q")
            worker, _, received = self.consume(broker, "q", auto_ack=True)
            channel.basic_publish("", "q", "task")
            while not received:
                worker.process_data_events(0.05)
            worker.close()
            self.assertEqual(channel.basic_get("q"), (None, None, None))

    def test_redeclaring_with_another_durable_is_refused(self):
        broker = self.start_broker()
        with broker.connect() as connection:
            connection.channel().queue_declare("task_queue", durable=True)
            with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as refused:
                connection.channel().queue_declare("task_queue", durable=False)
            self.assertEqual(refused.exception.reply_code, 406)
            self.assertIn("'durable'", refused.exception.reply_text)
            self.assertIn("'task_queue'", refused.exception.reply_text)
            # The connection goes on.
            connection.channel().queue_declare("task_queue", durable=True)

    def test_fair_dispatch(self):
        """With prefetch 1 a busy worker gets nothing more while another is free."""
        broker = self.start_broker()
        with broker.connect() as connection:
            channel = connection.channel()
            channel.queue_declare("q")
            busy, _, held = self.consume(broker, "q", prefetch=1)
            quick, quick_channel, done = self.consume(broker, "q", prefetch=1)
            for number in range(1, 6):
                channel.basic_publish("", "q", str(number))
            while not held:
                busy.process_data_events(0.05)
            acked = 0
            while acked < 4:
                quick.process_data_events(0.05)
                for method, _ in done[acked:]:
                    quick_channel.basic_ack(method.delivery_tag)
                    acked += 1
            busy.process_data_events(0.1)
            self.assertEqual([body for _, body in held], ["1"])
            self.assertEqual([body for _, body in done], ["2", "3", "4", "5"])

    def test_many_connections_at_once(self):
        broker = self.start_broker()
        with broker.connect() as connection:
            connection.channel().queue_declare("q")
        failures = []

        def client(number):
            try:
                with broker.connect() as connection:
                    channel = connection.channel()
                    channel.confirm_delivery()
                    for message in range(20):
                        channel.basic_publish("", "q", f"{number} {message}")
            except pika.exceptions.AMQPError as error:
                failures.append(error)

        threads = [threading.Thread(target=client, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(self.message_count(broker, "q"), 400)


if __name__ == "__main__":
    unittest.main()
