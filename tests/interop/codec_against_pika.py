"""Holds the codec against an independent one, pika's: every method's ids, the order of its
arguments, the packing of its bits, properties and field tables, with random values, both ways."""
import inspect
import json
import random
import re
import struct
import subprocess
import unittest

import pika.amqp_object
import pika.frame
from harness import BIN
from pika import spec

ROUNDS = 40


def methods():
    for holder in vars(spec).values():
        if not inspect.isclass(holder):
            continue
        for cls in vars(holder).values():
            if inspect.isclass(cls) and issubclass(cls, pika.amqp_object.Method):
                yield cls


def our_name(cls):
    """Basic.GetOk is basic.get-ok, RecoverAsync recover-async."""
    holder, name = cls.NAME.split(".")
    return holder.lower() + "." + re.sub(r"(?<!^)([A-Z])", r"-\1", name).lower()


def parameters(cls):
    return list(inspect.signature(cls.__init__).parameters.values())[1:]


def decoded_by_pika(frame):
    """The values of its arguments."""
    method = pika.frame.decode_frame(frame)[1].method
    values = [getattr(method, p.name) for p in parameters(type(method))]
    return [v.decode() if isinstance(v, bytes) else v for v in values]


def decodes_update_secret():
    """pika 1.2 does not have the method, and pika 1.3.2 can only encode it: its decode_frame()
    makes an empty method first, but this one's constructor demands the arguments. And its
    decode() keeps the secret as "mechanisms", not as "new_secret"."""
    frame = pika.frame.Method(0, spec.Connection.UpdateSecret("new", "why")).marshal()
    try:
        return decoded_by_pika(frame) == ["new", "why"]
    except TypeError:
        return False


class Random:
    def __init__(self, seed):
        self.dice = random.Random(seed)

    def text(self, size_max=255):
        size = self.dice.choice([0, 1, self.dice.randrange(size_max + 1), size_max])
        return "".join(chr(self.dice.randrange(32, 127)) for _ in range(size))

    def value(self, depth=0):
        kind = self.dice.randrange(7 if depth < 3 else 5)
        if kind == 0:
            return self.dice.randrange(-(2**31), 2**31)
        if kind == 1:
            # pika reads negative ones of 64 bits as unsigned.
            return self.dice.randrange(2**31, 2**63)
        if kind == 2:
            return self.dice.random() < 0.5
        if kind == 3:
            return self.text()
        if kind == 4:
            return None
        if kind == 5:
            return [self.value(depth + 1) for _ in range(self.dice.randrange(4))]
        return self.table(depth + 1)

    def table(self, depth=0):
        return {f"key {i} {self.text(20)}": self.value(depth)
                for i in range(self.dice.randrange(5))}


class CodecAgainstPika(unittest.TestCase):
    def setUp(self):
        self.tool = subprocess.Popen(
            [f"{BIN}/codec_tool"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(self.stop)

    def stop(self):
        self.tool.stdin.close()
        self.assertEqual(self.tool.wait(60), 0)
        self.tool.stdout.close()

    def ask(self, **request):
        self.tool.stdin.write(json.dumps(request) + "\n")
        self.tool.stdin.flush()
        answer = json.loads(self.tool.stdout.readline())
        self.assertNotIn("error", answer, f"{answer}, asked {request}")
        return answer

    def random_arguments(self, dice, cls):
        """Values that fit pika's own encoder, told by the defaults and names of the arguments."""
        values = []
        for parameter in parameters(cls):
            name, default = parameter.name, parameter.default
            if name in ("arguments", "server_properties", "client_properties"):
                values.append(dice.table())
            elif name in ("mechanisms", "locales", "response", "challenge", "new_secret"):
                values.append(dice.text(2000))
            elif isinstance(default, bool) or name in ("active",):
                values.append(dice.dice.random() < 0.5)
            elif name in ("version_major", "version_minor"):
                values.append(dice.dice.randrange(2**8))
            elif name in ("delivery_tag",):
                values.append(dice.dice.randrange(2**63))
            elif name in ("message_count", "consumer_count", "frame_max", "prefetch_size"):
                values.append(dice.dice.randrange(2**32))
            elif isinstance(default, int) or name in (
                "reply_code", "class_id", "method_id", "channel_max", "heartbeat", "ticket",
                "prefetch_count",
            ):
                values.append(dice.dice.randrange(2**16))
            elif name in ("redelivered",):
                values.append(dice.dice.random() < 0.5)
            elif name == "channel_id":
                values.append(dice.text(2000))
            else:
                values.append(dice.text())
        return values

    def test_every_method_both_ways(self):
        dice = Random(20260917)
        seen = set()
        for cls in methods():
            name = our_name(cls)
            seen.add(name)
            for _ in range(ROUNDS):
                with self.subTest(name):
                    self.check(dice, cls, name)
        self.assertGreater(len(seen), 60)

    def check(self, dice, cls, name):
        channel = dice.dice.randrange(2**16)
        values = self.random_arguments(dice, cls)
        theirs = pika.frame.Method(channel, cls(*values)).marshal()
        answer = self.ask(encode=name, channel=channel, fields=values)
        self.assertEqual(bytes.fromhex(answer["frame"]), theirs)
        answer = self.ask(decode=theirs.hex())
        self.assertEqual(answer, {"method": name, "channel": channel, "fields": values})
        if name != "connection.update-secret" or decodes_update_secret():
            self.assertEqual(decoded_by_pika(theirs), values)

    def test_what_pika_does_not_know(self):
        for name, payload, fields in (
            ("connection.update-secret",
             struct.pack(">HHI", 10, 70, 3) + b"new" + b"\x03why", ["new", "why"]),
            ("connection.update-secret-ok", struct.pack(">HH", 10, 71), []),
        ):
            frame = struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"
            self.assertEqual(self.ask(encode=name, channel=0, fields=fields)["frame"], frame.hex())
            self.assertEqual(self.ask(decode=frame.hex())["fields"], fields)

    def test_properties_both_ways(self):
        dice = Random(1)
        names = [p.name for p in parameters(spec.BasicProperties)]
        for _ in range(1000):
            values = []
            for name in names:
                if dice.dice.random() < 0.5:
                    values.append(None)
                elif name == "headers":
                    values.append(dice.table())
                elif name in ("delivery_mode", "priority"):
                    values.append(dice.dice.randrange(256))
                elif name == "timestamp":
                    values.append(dice.dice.randrange(2**63))
                else:
                    values.append(dice.text())
            theirs = b"".join(spec.BasicProperties(*values).encode())
            self.assertEqual(self.ask(encode_properties=values)["raw"], theirs.hex())
            self.assertEqual(self.ask(decode_properties=theirs.hex())["properties"], values)


if __name__ == "__main__":
    unittest.main()
