"""For the tests of the command line tool: a broker, and the tool on it."""
import os

import pika
from harness import BIN, BrokerTest, wait_for

HAYPILE = f"{BIN}/haypile"


class ToolTest(BrokerTest):
    def setUp(self):
        super().setUp()
        self.broker = self.start_broker()

    def tool(self, *arguments, **options):
        return self.start(self.broker, HAYPILE, *arguments, **options)

    def works(self, *arguments, **options):
        """What it says on standard output."""
        return self.run_to_end(self.broker, HAYPILE, *arguments, **options).lines

    def failed(self, *arguments, **options):
        """The one line that it ends with."""
        program = self.tool(*arguments, **options)
        self.assertEqual(program.wait(), 1)
        self.assertEqual(len(program.errors), 1, program.errors)
        return program.errors[0]

    def ready(self, queue="task_queue"):
        """How many messages are ready; None: there is no such queue."""
        try:
            return self.message_count(self.broker, queue)
        except pika.exceptions.ChannelClosedByBroker:
            return None

    def wait_for_ready(self, count, queue="task_queue"):
        wait_for(lambda: self.ready(queue) == count, f"{count} messages in {queue}")

    def get(self, queue="task_queue"):
        """The next message, as (properties, body)."""
        with self.broker.connect() as connection:
            _, properties, body = connection.channel().basic_get(queue, auto_ack=True)
            return properties, body

    def restart_broker(self):
        """The same broker again, on the same port."""
        self.broker = self.start_broker(port=self.broker.port)

    def path(self, name):
        return os.path.join(self.directory, name)

    def pid_in(self, name):
        """The process that a command has written into a file, as soon as it is there."""
        def read():
            try:
                with open(self.path(name)) as file:
                    text = file.read()
            except FileNotFoundError:
                return None
            return int(text) if text.endswith("\n") else None
        return wait_for(read, f"a process in {name}")


def is_running(pid):
    """Whether the process is there, and is not one that has ended and was not waited for."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
