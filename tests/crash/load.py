"""Publishers and consumers, each with a connection, in one loop that sees everything in order."""
import select
import time

from ledger import BODY_MAX, BODY_MIN, make_body
from link import PATIENCE_S, Link, LinkClosed, publish_method, settle_method

# Where messages go: exchange, routing key, queues.
TARGETS = [
    ("", "plain", ["plain"]),
    ("", "work", ["work"]),
    ("fan", "", ["left", "right"]),
    ("", "long", ["long"]),
]
QUEUES = ["plain", "work", "dead", "left", "right", "long"]
# What the four consumers take from, if it is to be consumed at all.
SHARES = [["plain", "work"], ["plain", "left", "dead"], ["right", "work"], ["long", "dead"]]
# How many messages of which sizes, in bytes.
SIZES = [(700, BODY_MIN, 200), (240, 200, 2_000), (55, 2_000, 20_000), (5, 20_000, BODY_MAX)]


def declare(port):
    link = Link(port)
    link.call("exchange.declare", exchange="fan", type="fanout", durable=True)
    for queue in QUEUES:
        dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
        arguments = dead if queue == "work" else {}
        link.call("queue.declare", queue=queue, durable=True, arguments=arguments)
    for queue in ("left", "right"):
        link.call("queue.bind", queue=queue, exchange="fan")
    link.close()


class Publisher:
    def __init__(self, number, ledger, dice):
        self.number, self.ledger, self.dice = number, ledger, dice
        self.sent = 0  # in all lives of the broker
        self.link = None
        self.methods = [publish_method(exchange, key) for exchange, key, _ in TARGETS]

    def connect(self, port):
        self.keys, self.first_open = [None], 1  # by the number of the publish on this channel
        self.window = self.dice.choice([50, 300, 1000, 2000])
        self.burst = self.dice.choice([1, 10, 50, 150])
        self.link = Link(port)
        self.link.on_confirm = self.on_confirm
        self.link.call("confirm.select")

    def turn(self):
        if len(self.keys) - self.first_open >= self.window or len(self.link.unsent) > 1 << 18:
            return
        for _ in range(self.burst):
            self.publish()

    def publish(self):
        kind = self.dice.choices(range(len(TARGETS)), (3, 3, 2, 2))[0]
        _, low, high = self.dice.choices(SIZES, [share for share, _, _ in SIZES])[0]
        self.sent += 1
        key, size = self.number << 32 | self.sent, self.dice.randint(low, high)
        self.keys.append((key, kind))
        self.ledger.sent(key, TARGETS[kind][2], size)
        self.link.publish(self.methods[kind], make_body(key, kind, size))

    def on_confirm(self, tag, multiple):
        for number in range(self.first_open if multiple else tag, tag + 1):
            if self.keys[number] is not None:
                key, kind = self.keys[number]
                self.ledger.confirmed(key, TARGETS[kind][2])
                self.keys[number] = None
        while self.first_open < len(self.keys) and self.keys[self.first_open] is None:
            self.first_open += 1

    def all_confirmed(self):
        return self.first_open == len(self.keys)


class Consumer:
    """Settles what it gets in all the ways there are, and asks now and then for something durable:
    by the answer it knows that what it had settled before is on disk."""

    BARRIER_INTERVAL_S = 0.05

    def __init__(self, number, ledger, dice):
        self.number, self.ledger, self.dice = number, ledger, dice
        self.link = None

    def connect(self, port, queues, only_acks=False):
        self.only_acks = only_acks
        self.unsettled = {}  # tag -> queue, key; in order
        self.last = {}  # the newest of each queue and publisher
        self.settled, self.barriers = [], []
        self.next_barrier = time.monotonic() + self.BARRIER_INTERVAL_S
        self.prefetch = self.dice.choice([1, 10, 50, 200, 500])
        self.keep = 0 if only_acks else self.dice.randint(0, self.prefetch // 2)
        self.link = Link(port)
        self.link.on_deliver = self.on_deliver
        self.link.call("basic.qos", prefetch_count=self.prefetch)
        for queue in queues:
            self.link.send("basic.consume", queue=queue, tag=queue)

    def on_deliver(self, queue, tag, redelivered, body):
        key, copy = self.ledger.delivered(queue, redelivered, body)
        self.unsettled[tag] = queue, key
        if queue == "dead" or copy.requeued_in == self.ledger.life:
            return
        source = queue, key >> 32
        if key <= self.last.get(source, -1):
            raise AssertionError(f"{queue}: {key & 0xFFFFFFFF} after a later one")
        self.last[source] = key

    def turn(self):
        self.take_answers()
        while len(self.unsettled) > self.keep:
            self.settle_some()
        if self.settled and time.monotonic() > self.next_barrier:
            self.ask()

    def settle_some(self):
        fate = self.dice.random()
        if self.only_acks or fate < 0.7:
            count = min(len(self.unsettled), self.dice.randint(1, 30))
            self.settle_first(count, "ack", "basic.ack", multiple=True)
        elif fate < 0.8:
            self.settle_first(1, "ack", "basic.ack")
        elif fate < 0.9:
            self.settle_first(1, "requeue", "basic.nack", requeue=True)
        else:
            self.settle_first(1, "reject", "basic.reject")

    def settle_first(self, count, how, method, **flags):
        for tag in list(self.unsettled)[:count]:
            item = self.unsettled.pop(tag)
            self.ledger.settled(*item, how)
            if how != "requeue":
                self.settled.append(item)
        self.link.unsent += settle_method(method, tag, **flags)

    def ask(self):
        self.next_barrier = time.monotonic() + self.BARRIER_INTERVAL_S
        self.barriers.append(self.settled)
        self.settled = []
        name = f"barrier {self.number}"
        self.link.send("queue.declare", queue=name, durable=True)
        self.link.send("queue.delete", queue=name)

    def take_answers(self):
        for name, _ in self.link.answers:
            if name == "queue.declare-ok":
                self.ledger.settled_for_sure(self.barriers.pop(0))
        self.link.answers.clear()


class Load:
    """Goes on until it is told to stop; raises LinkClosed when the broker has gone."""

    def __init__(self, ledger, dice):
        self.ledger, self.dice = ledger, dice
        self.publishers = [Publisher(number, ledger, dice) for number in range(4)]
        self.consumers = [Consumer(number, ledger, dice) for number in range(4)]
        self.all = []

    def connect(self, port, queues, publish=True, only_acks=False):
        """`queues`: those that are consumed from."""
        self.all = []
        for publisher in self.publishers if publish else []:
            publisher.connect(port)
            self.all.append(publisher)
        for consumer, share in zip(self.consumers, SHARES):
            consumer.connect(port, [queue for queue in share if queue in queues], only_acks)
            self.all.append(consumer)

    def run(self, done, resting=False):
        """`resting`: what is under way comes in, nothing new is begun."""
        while not done():
            links = [worker.link for worker in self.all]
            select.select(links, [link for link in links if link.unsent], [], 0.001)
            for worker in self.all:
                worker.link.pump()
                if not resting:
                    worker.turn()
                elif isinstance(worker, Consumer):
                    worker.take_answers()
                worker.link.flush()

    def take_leave(self):
        """All that was published is confirmed, and all connections are closed in good order."""
        deadline = time.monotonic() + PATIENCE_S

        def confirmed():
            if time.monotonic() > deadline:
                raise AssertionError("what was published is not confirmed")
            return all(worker.all_confirmed() for worker in self.all if worker in self.publishers)

        self.run(confirmed, resting=True)
        while self.all:
            worker = self.all[0]
            worker.link.close()
            del self.all[0]  # it has nothing more to say, whatever becomes of the others
            if isinstance(worker, Consumer):
                for queue, key in worker.unsettled.values():  # for the other consumers
                    self.ledger.settled(queue, key, "requeue")

    def take_last_words(self):
        """Of a broker that has gone: what it had sent counts."""
        for worker in self.all:
            try:
                while True:
                    select.select([worker.link], [], [], PATIENCE_S)
                    worker.link.pump()
            except LinkClosed:
                pass
            if isinstance(worker, Consumer):
                worker.take_answers()
            worker.link.drop()
        self.all = []

    def drained(self):
        return not any(copies for copies in self.ledger.copies.values())
