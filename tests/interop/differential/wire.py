"""AMQP 0-9-1 frames, methods and tables as bytes and back. Nothing is checked on the way out, and
field tables keep their types on the way in, which a client library allows neither of."""
import struct
import time

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
PROTOCOL = b"AMQP\x00\x00\x09\x01"

# Ids and arguments: o octet, h short, i long, l longlong, s short string, S long string, F table,
# b bit. Arguments that start with "_" are reserved.
METHODS = {}
IDS = {}
for line in """
connection.start 10 10 o:version_major o:version_minor F:properties S:mechanisms S:locales
connection.start-ok 10 11 F:properties s:mechanism S:response s:locale
connection.secure 10 20 S:challenge
connection.secure-ok 10 21 S:response
connection.tune 10 30 h:channel_max i:frame_max h:heartbeat
connection.tune-ok 10 31 h:channel_max i:frame_max h:heartbeat
connection.open 10 40 s:vhost s:_1 b:_2
connection.open-ok 10 41 s:_1
connection.close 10 50 h:code s:text h:class_id h:method_id
connection.close-ok 10 51
connection.blocked 10 60 s:reason
connection.unblocked 10 61
connection.update-secret 10 70 S:secret s:reason
connection.update-secret-ok 10 71
channel.open 20 10 s:_1
channel.open-ok 20 11 S:_1
channel.flow 20 20 b:active
channel.flow-ok 20 21 b:active
channel.close 20 40 h:code s:text h:class_id h:method_id
channel.close-ok 20 41
access.request 30 10 s:realm b:exclusive b:passive b:active b:write b:read
access.request-ok 30 11 h:ticket
exchange.declare 40 10 h:_1 s:exchange s:type b:passive b:durable b:auto_delete b:internal \
  b:no_wait F:arguments
exchange.declare-ok 40 11
exchange.delete 40 20 h:_1 s:exchange b:if_unused b:no_wait
exchange.delete-ok 40 21
exchange.bind 40 30 h:_1 s:destination s:source s:routing_key b:no_wait F:arguments
exchange.bind-ok 40 31
exchange.unbind 40 40 h:_1 s:destination s:source s:routing_key b:no_wait F:arguments
exchange.unbind-ok 40 51
queue.declare 50 10 h:_1 s:queue b:passive b:durable b:exclusive b:auto_delete b:no_wait F:arguments
queue.declare-ok 50 11 s:queue i:messages i:consumers
queue.bind 50 20 h:_1 s:queue s:exchange s:routing_key b:no_wait F:arguments
queue.bind-ok 50 21
queue.purge 50 30 h:_1 s:queue b:no_wait
queue.purge-ok 50 31 i:messages
queue.delete 50 40 h:_1 s:queue b:if_unused b:if_empty b:no_wait
queue.delete-ok 50 41 i:messages
queue.unbind 50 50 h:_1 s:queue s:exchange s:routing_key F:arguments
queue.unbind-ok 50 51
basic.qos 60 10 i:prefetch_size h:prefetch_count b:global
basic.qos-ok 60 11
basic.consume 60 20 h:_1 s:queue s:tag b:no_local b:no_ack b:exclusive b:no_wait F:arguments
basic.consume-ok 60 21 s:tag
basic.cancel 60 30 s:tag b:no_wait
basic.cancel-ok 60 31 s:tag
basic.publish 60 40 h:_1 s:exchange s:routing_key b:mandatory b:immediate
basic.return 60 50 h:code s:text s:exchange s:routing_key
basic.deliver 60 60 s:tag l:delivery_tag b:redelivered s:exchange s:routing_key
basic.get 60 70 h:_1 s:queue b:no_ack
basic.get-ok 60 71 l:delivery_tag b:redelivered s:exchange s:routing_key i:messages
basic.get-empty 60 72 s:_1
basic.ack 60 80 l:delivery_tag b:multiple
basic.reject 60 90 l:delivery_tag b:requeue
basic.recover-async 60 100 b:requeue
basic.recover 60 110 b:requeue
basic.recover-ok 60 111
basic.nack 60 120 l:delivery_tag b:multiple b:requeue
confirm.select 85 10 b:no_wait
confirm.select-ok 85 11
tx.select 90 10
tx.select-ok 90 11
tx.commit 90 20
tx.commit-ok 90 21
tx.rollback 90 30
tx.rollback-ok 90 31
""".strip().splitlines():
    name, class_id, method_id, *arguments = line.split()
    METHODS[name] = (int(class_id), int(method_id), [a.split(":") for a in arguments])
    IDS[int(class_id), int(method_id)] = name

HAS_CONTENT = {"basic.publish", "basic.return", "basic.deliver", "basic.get-ok"}
PROPERTIES = [
    ("content_type", "s"), ("content_encoding", "s"), ("headers", "F"), ("delivery_mode", "o"),
    ("priority", "o"), ("correlation_id", "s"), ("reply_to", "s"), ("expiration", "s"),
    ("message_id", "s"), ("timestamp", "T"), ("type", "s"), ("user_id", "s"), ("app_id", "s"),
    ("cluster_id", "s"),
]
FIXED = {"o": ">B", "h": ">H", "i": ">I", "l": ">Q", "T": ">Q"}
# Types of table values as RabbitMQ has them.
NUMBERS = {"b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I", "l": ">q", "d": ">d",
           "f": ">f", "T": ">Q"}


class As:
    """A table value of a given type: As("b", 5) is 5 in a signed octet. Bytes are sent as is."""

    def __init__(self, kind, value):
        self.kind, self.value = kind, value

    def __eq__(self, other):
        return (self.kind, self.value) == (other.kind, other.value)


def short(text):
    data = text if isinstance(text, bytes) else text.encode()
    return bytes([len(data)]) + data


def long(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">I", len(data)) + data


def pack_value(value):
    if isinstance(value, As):
        kind, value = value.kind, value.value
        if isinstance(value, bytes):
            return kind.encode() + (long(value) if kind in "Sx" else value)
        if kind == "D":
            return b"D" + struct.pack(">BI", *value)
        return kind.encode() + struct.pack(NUMBERS[kind], value)
    if isinstance(value, bool):
        return b"t" + bytes([value])
    if isinstance(value, int):
        wide = not -(2**31) <= value < 2**31
        return b"l" + struct.pack(">q", value) if wide else b"I" + struct.pack(">i", value)
    if isinstance(value, float):
        return b"d" + struct.pack(">d", value)
    if value is None:
        return b"V"
    if isinstance(value, dict):
        return b"F" + pack_table(value)
    if isinstance(value, (list, tuple)):
        return b"A" + long(b"".join(pack_value(v) for v in value))
    return b"S" + long(value)


def pack_table(table):
    if isinstance(table, bytes):
        return long(table)
    return long(b"".join(short(key) + pack_value(value) for key, value in table.items()))


def pack_fields(fields, values):
    out, bits, bit_count = b"", 0, 0
    for kind, field in fields:
        if kind == "b":
            bits |= bool(values.get(field, False)) << bit_count
            bit_count += 1
            continue
        if bit_count:
            out, bits, bit_count = out + bytes([bits]), 0, 0
        if kind in FIXED:
            out += struct.pack(FIXED[kind], values.get(field, 0))
        elif kind == "F":
            out += pack_table(values.get(field, {}))
        else:
            out += (short if kind == "s" else long)(values.get(field, ""))
    return out + (bytes([bits]) if bit_count else b"")


def pack_method(name, **values):
    class_id, method_id, fields = METHODS[name]
    unknown = set(values) - {field for _, field in fields}
    assert not unknown, f"{name} has no {unknown}"
    return struct.pack(">HH", class_id, method_id) + pack_fields(fields, values)


def pack_header(size, properties=None, class_id=60, weight=0):
    """Of the properties those that are there; bytes in their place are flags and values as is."""
    head = struct.pack(">HHQ", class_id, weight, size)
    if isinstance(properties, bytes):
        return head + properties
    properties = dict(properties or {})
    flags, out = 0, b""
    for position, (field, kind) in enumerate(PROPERTIES):
        if field in properties:
            flags |= 1 << (15 - position)
            out += pack_fields([(kind, field)], {field: properties.pop(field)})
    assert not properties, f"no such properties: {properties}"
    return head + struct.pack(">H", flags) + out


def frame(kind, channel, payload, end=b"\xce"):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + end


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        part = self.data[self.at:self.at + size]
        assert len(part) == size, f"cut off: {self.data!r}"
        self.at += size
        return part

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self, form=">B"):
        return self.take(self.number(form)).decode("utf-8", "backslashreplace")

    def table(self):
        inner = Reader(self.take(self.number(">I")))
        table = {}
        while inner.at < len(inner.data):
            key = inner.text()
            table[key] = inner.value()
        return table

    def value(self):
        kind = self.take(1).decode()
        if kind == "S":
            return self.text(">I")
        if kind == "t":
            return self.number(">B") != 0
        if kind == "F":
            return self.table()
        if kind == "V":
            return None
        if kind == "A":
            inner = Reader(self.take(self.number(">I")))
            values = []
            while inner.at < len(inner.data):
                values.append(inner.value())
            return values
        if kind == "x":
            return As("x", self.take(self.number(">I")))
        if kind == "D":
            return As("D", (self.number(">B"), self.number(">I")))
        return As(kind, self.number(NUMBERS[kind]))

    def fields(self, fields):
        values, bits, bit_count = {}, 0, 8
        for kind, field in fields:
            if kind == "b":
                if bit_count == 8:
                    bits, bit_count = self.number(">B"), 0
                values[field] = bool(bits >> bit_count & 1)
                bit_count += 1
                continue
            bit_count = 8
            if kind in FIXED:
                values[field] = self.number(FIXED[kind])
            else:
                values[field] = {"F": self.table, "s": self.text,
                                 "S": lambda: self.text(">I")}[kind]()
        return values


def read_method(payload):
    reader = Reader(payload)
    name = IDS[reader.number(">H"), reader.number(">H")]
    values = reader.fields(METHODS[name][2])
    assert reader.at == len(payload), f"{name} is too long: {payload!r}"
    return name, values


def read_header(payload):
    """The size of the body and the properties."""
    reader = Reader(payload)
    _, _, size = reader.number(">H"), reader.number(">H"), reader.number(">Q")
    flags = reader.number(">H")
    there = [(kind, field) for position, (field, kind) in enumerate(PROPERTIES)
             if flags & 1 << (15 - position)]
    values = reader.fields(there)
    assert reader.at == len(payload), f"properties too long: {payload!r}"
    return size, values


def show(value):
    """A table value as text, its type with it; a time of today, which no two runs share, as now."""
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "void"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {show(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(show(v) for v in value) + "]"
    if value.kind == "T" and abs(value.value - time.time()) < 3600:
        return "now:T"
    return f"{value.value}:{value.kind}"
