"""What a broker was told and has said, kept apart from it, and what follows from that.

A copy is one message in one queue. A life of the broker is from one start to the next; what happens
in it to a copy is certain only when the broker has said so: a confirm for what was published, a
later answer about something durable for what was settled. What was under way when the broker ended
may be either way, until it is seen."""
import random
import struct
import zlib

HEAD = struct.Struct(">BBII")  # publisher, kind, number, checksum of the rest
BODY_MIN = HEAD.size
BODY_MAX = 300_000
FILLING = random.Random(20260917).randbytes(BODY_MAX + 4096)
DEAD_OF = {"work": "dead"}  # where what is rejected there goes
SOURCE_OF = {dead: source for source, dead in DEAD_OF.items()}


class Violation(AssertionError):
    """The broker has broken a promise."""


def make_body(key, kind, size):
    start = key % 4093
    rest = FILLING[start:start + size - BODY_MIN]
    return HEAD.pack(key >> 32, kind, key & 0xFFFFFFFF, zlib.crc32(rest)) + rest


def key_of(body):
    if len(body) < BODY_MIN:
        raise Violation(f"a body that nobody sent: {body!r}")
    publisher, _, number, checksum = HEAD.unpack_from(body)
    if zlib.crc32(memoryview(body)[BODY_MIN:]) != checksum:
        raise Violation(f"the body of message {number} of publisher {publisher} is damaged")
    return publisher << 32 | number


def name_of(key):
    return f"message {key & 0xFFFFFFFF} of publisher {key >> 32}"


class Copy:
    __slots__ = ("size", "life", "certain", "settled", "settled_in", "with_consumer", "redelivered",
                 "requeued_in", "rank")

    def __init__(self, size, life):
        self.size = size
        self.life = life  # in which it came
        self.certain = False  # that it got there
        self.settled = None  # "ack" or "reject", sent but not certain
        self.settled_in = 0
        self.with_consumer = False
        self.redelivered = False  # what its next delivery has to say; None: either
        self.requeued_in = 0
        self.rank = 0  # a place among those that were seen in the same queue at an audit


class Ledger:
    def __init__(self, queues):
        self.copies = {queue: {} for queue in queues}
        self.life = 1
        self.sent_count = self.confirmed_count = self.acked_count = 0
        self._last_rank = 0

    # What clients do.

    def sent(self, key, queues, size):
        self.sent_count += 1
        for queue in queues:
            self.copies[queue][key] = Copy(size, self.life)

    def confirmed(self, key, queues):
        self.confirmed_count += 1
        for queue in queues:
            copy = self.copies[queue].get(key)
            if copy:
                copy.certain = True

    def delivered(self, queue, redelivered, body):
        """Checks one delivery; returns its key and its copy."""
        key = key_of(body)
        copy = self.copies[queue].get(key)

        def refuse(why):
            raise Violation(f"{name_of(key)} in '{queue}': {why}")

        if copy is None:
            refuse("it was acknowledged for sure, or found missing before, or never sent there")
        if copy.with_consumer:
            refuse("it is there twice")
        if copy.settled:
            if copy.settled_in == self.life:
                refuse(f"it came again after its {copy.settled}")
            self._take_back(queue, key, copy)
        if len(body) != copy.size:
            refuse(f"it has {len(body)} bytes in place of {copy.size}")
        if copy.redelivered not in (None, redelivered):
            refuse(f"it is {'' if redelivered else 'not '}marked redelivered")
        if copy.life < self.life:
            self._arrived(queue, key, copy)
        copy.with_consumer = copy.redelivered = True
        return key, copy

    def settled(self, queue, key, how):
        copy = self.copies[queue][key]
        copy.with_consumer = False
        if how == "requeue":
            copy.requeued_in = self.life
            return
        self.acked_count += how == "ack"
        copy.settled, copy.settled_in = how, self.life
        if how == "reject" and queue in DEAD_OF:
            self.copies[DEAD_OF[queue]][key] = Copy(copy.size, self.life)

    def settled_for_sure(self, items):
        """Of (queue, key): their acks and rejects are on disk."""
        for queue, key in items:
            copy = self.copies[queue].get(key)
            if copy and copy.settled:
                self._gone(queue, key, copy)

    def _take_back(self, queue, key, copy):
        """A settlement got lost with the life before."""
        if copy.settled == "reject" and queue in DEAD_OF:
            self.copies[DEAD_OF[queue]].pop(key, None)
        copy.settled = None

    def _arrived(self, queue, key, copy):
        """It was recovered, so that it is on disk, and if it came from another queue it has left
        that one."""
        if not copy.certain and queue in SOURCE_OF:
            self.copies[SOURCE_OF[queue]].pop(key, None)
        copy.certain = True

    def _gone(self, queue, key, copy):
        del self.copies[queue][key]
        if queue in SOURCE_OF:
            self.copies[SOURCE_OF[queue]].pop(key, None)
        if copy.settled == "reject" and queue in DEAD_OF:
            dead = self.copies[DEAD_OF[queue]].get(key)
            if dead:
                dead.certain = True

    # How lives end.

    def ended(self, how, consumed=()):
        """`how`: "kill"; "quiet", a clean stop after the clients had taken leave and everything was
        confirmed; "stop", one with clients at work, which consumed from the queues `consumed`;
        "recovery", a kill before it had begun to serve, or while it stopped."""
        for queue, copies in self.copies.items():
            for key, copy in list(copies.items()):
                copy.with_consumer = False
                if how == "kill":
                    copy.redelivered = True
                elif how == "recovery" or how == "stop" and queue in consumed:
                    # A recovery after a clean stop may have got as far as to undo its mark, or not.
                    copy.redelivered = copy.redelivered or None
                elif how == "quiet" and copy.settled and copy.settled_in == self.life:
                    self._gone(queue, key, copy)
        self.life += 1

    # What a start has to find.

    def bounds(self, queue):
        """How many messages are in a queue, at the least and at the most."""
        copies = self.copies[queue].values()
        must = sum(copy.certain and not copy.settled for copy in copies)
        return must, len(copies)

    def audit(self, found):
        """All that is in the queues, in order, after a start and before anybody has got anything:
        {queue: [(redelivered, body), ...]}. What may have been lost and is not there is gone."""
        newest, oldest_missing = {}, {}  # of each publisher and life: unconfirmed
        for queue, deliveries in found.items():
            copies = self.copies[queue]
            uncertain = {key for key, copy in copies.items()
                         if not copy.certain and not copy.settled and queue not in SOURCE_OF}
            keys = [self.delivered(queue, *delivery)[0] for delivery in deliveries]
            self._check_order(queue, keys)
            for key in uncertain.intersection(keys):
                batch = key >> 32, copies[key].life
                newest[batch] = max(key, newest.get(batch, 0))
            for key in set(copies).difference(keys):
                copy = copies[key]
                if copy.certain and not copy.settled:
                    raise Violation(f"{name_of(key)} in '{queue}' is lost")
                if key in uncertain:
                    batch = key >> 32, copy.life
                    oldest_missing[batch] = min(key, oldest_missing.get(batch, key))
        for batch, key in oldest_missing.items():
            if key < newest.get(batch, 0):
                raise Violation(f"{name_of(key)} is lost, but {name_of(newest[batch])}, which came "
                                "behind it, is there")
        self._forget_missing(found)

    def returned(self):
        """Who had got everything has gone."""
        for copies in self.copies.values():
            for copy in copies.values():
                copy.with_consumer = False

    def _check_order(self, queue, keys):
        copies, last, rank = self.copies[queue], {}, 0
        for key in keys:
            if queue not in SOURCE_OF and key <= last.get(key >> 32, -1):
                raise Violation(f"{name_of(key)} in '{queue}' is behind a later one")
            last[key >> 32] = key
            if copies[key].rank:
                if copies[key].rank < rank:
                    raise Violation(f"{name_of(key)} in '{queue}' has changed its place")
                rank = copies[key].rank
        for key in keys:
            self._last_rank += 1
            copies[key].rank = self._last_rank

    def _forget_missing(self, found):
        """A message that was rejected has to be in one of two queues by now."""
        there = {queue: {key_of(body) for _, body in items} for queue, items in found.items()}
        for queue, dead in DEAD_OF.items():
            for key, copy in self.copies[queue].items():
                moving = copy.settled == "reject" and copy.certain
                if moving and key not in there[dead] and not self._may_be_gone(dead, key):
                    raise Violation(f"{name_of(key)} is neither in '{queue}' nor in '{dead}'")
        for queue, copies in self.copies.items():
            for key in set(copies) - there[queue]:
                del copies[key]

    def _may_be_gone(self, dead, key):
        copy = self.copies[dead].get(key)
        return copy is None or copy.settled is not None
