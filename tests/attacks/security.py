"""Names with more in them than letters, guessed passwords, what others may read."""
import os
import re
import socket
import stat
import subprocess
import threading
import time

from attacker import PERSISTENT, Attacker, Failure, declare, method, publish
from logins import answer_to, opened, refused_login, start
from scene import BIN, attack

NASTY = "a\nhaypiled[1]: forged line\r\x1b[2J\x1b]0;title\x07\x9b31m\u202e \x00b"
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")
LINE_MAX = 2_000


def clean(scene, text, what):
    """No control characters, no forged lines, nothing endless."""
    for line in text.split("\n"):
        found = CONTROL.search(line)
        scene.expect(not found, f"{what}: {line[:120]!r}")
        scene.expect(not line.startswith("haypiled[1]"), f"{what}: forged {line[:120]!r}")
        scene.expect(len(line) <= LINE_MAX, f"{what}: a line of {len(line)} characters")


@attack("security: names in the log", "--log-level", "debug", fast=True)
def names(scene):
    nasty = NASTY.replace("\x00", "")
    texts = []
    for user in (nasty, "u" * 16_000, "\x1b[31m" * 2_000):
        texts.append(refused_login(scene.port, user))
    texts.append(answer_to(scene.port, opened(vhost=nasty[:60])))
    for properties in ({"product": nasty}, {"product": "p" * 15_000},
                       {"connection_name": nasty, "version": nasty, "platform": nasty}):
        texts.append(answer_to(scene.port, opened(properties=properties) +
                               method("connection.close", 0)))
    texts.append(answer_to(scene.port, start()[:8] + method(
        "connection.start-ok", 0, mechanism="\x1b[31mX\n", response="", locale="\n\x1b")))
    time.sleep(0.3)
    for line in scene.broker.program.errors:
        clean(scene, line, "the log")
    for text in texts:
        at = text.rfind(b"\x00\x0a\x00\x32")
        if at >= 0:
            size = text[at + 6]
            clean(scene, text[at + 7:at + 7 + size].decode(errors="replace"), "connection.close")


@attack("security: names in replies and --check", fast=True)
def reply_texts(scene):
    nasty = NASTY.replace("\x00", "")[:60]
    client = scene.client(channels=40)
    client.sends(declare(nasty, durable=True) + declare("q" * 255, durable=True))
    client.sends(publish("", nasty, b"x", **PERSISTENT))
    channel = 1
    client.sync()
    for name, values in (
        ("queue.declare", dict(queue=f"{nasty} no", passive=True)),
        ("queue.purge", dict(queue=f"{nasty} no")),
        ("basic.get", dict(queue=f"{nasty} no")),
        ("basic.publish", dict(exchange=f"{nasty} no")),
        ("exchange.declare", dict(exchange=f"{nasty} no", type="\x1b[31m\n")),
        ("queue.bind", dict(queue=nasty, exchange=f"{nasty} no")),
        ("queue.declare", dict(queue=nasty, durable=False)),
        ("queue.declare", dict(queue="n", arguments={"x-queue-type": "\x1b[31m\n"})),
    ):
        channel += 1
        client.sends(method(name, channel, **values))
        if name == "basic.publish":
            client.sends(bytes.fromhex("02") + channel.to_bytes(2, "big") +
                         bytes.fromhex("0000000e003c000000000000000000000000ce"))
        at = client.wait_for(bytes.fromhex("00140028"), patience=10)
        client.sends(method("channel.close-ok", channel))
        clean(scene, at[7:7 + at[6]].decode(errors="replace"), f"channel.close of {name}")
    client.call("queue.declare", queue="barrier", durable=True)
    code, said, errors = None, "", ""
    client.close()
    scene.end_probe()
    scene.kill()
    code, said, errors = scene.haypiled("--check", scene.data)
    scene.expect(code == 0, f"--check ends with {code}: {errors}")
    clean(scene, said, "--check")
    scene.start("--log-level", "info")
    for line in scene.broker.program.errors:
        clean(scene, line, "the log of the start")


@attack("security: password guesses", bound_s=30, fast=True)
def guesses(scene):
    """In sequence and side by side; who knows the password is not kept waiting."""
    count, end = [0], time.monotonic() + 4
    guard = threading.Lock()

    def guess():
        while time.monotonic() < end:
            try:
                refused_login(scene.port, "guest", "wrong", patience_s=10)
            except (Failure, OSError):
                pass
            with guard:
                count[0] += 1

    threads = [threading.Thread(target=guess) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = count[0] / 4
    scene.note(f"{rate:.0f} refusals a second")
    scene.expect(rate < 30, f"{rate:.0f} guesses a second are answered")


@attack("security: hanging up does not help", bound_s=30)
def hang_ups(scene):
    """One guess after another, and each hangs up soon."""
    refusals, end = 0, time.monotonic() + 4
    while time.monotonic() < end:
        try:
            refused_login(scene.port, "guest", "wrong", patience_s=0.06)
            refusals += 1
        except (Failure, OSError):
            pass
    scene.note(f"{refusals / 4:.0f} refusals a second")
    scene.expect(refusals / 4 < 20, f"{refusals / 4:.0f} guesses a second are answered")


@attack("security: many that are refused", bound_s=40)
def many_refused(scene):
    """Refusals wait for each other, but none keeps its connection longer than a login may take."""
    begin = time.monotonic()
    clients = [socket.create_connection(("127.0.0.1", scene.port)) for _ in range(40)]
    time.sleep(8)  # most of the time that a login may take
    for client in clients:
        client.sendall(start("guest", "wrong"))
    for client in clients:
        client.settimeout(20)
        while client.recv(65536):
            pass
    seconds = time.monotonic() - begin
    scene.expect(seconds < 12, f"the last one is refused after {seconds:.1f} s")
    for client in clients:
        client.close()


@attack("security: rights of the data directory", probe=False, fast=True)
def rights(scene):
    """Nobody else may look into it, whatever the umask is, and whatever it was before."""
    scene.attack.options[:] = []
    for before in (None, 0o777):
        if before is not None:
            os.chmod(scene.data, before)
            os.chmod(os.path.join(scene.data, "vhosts"), before)
        scene.start(preexec_fn=lambda: os.umask(0))
        client = scene.client()
        client.sends(declare("q", durable=True) + publish("", "q", b"x", **PERSISTENT))
        client.call("queue.declare", queue="barrier", durable=True)
        client.close()
        scene.stop()
        mode = stat.S_IMODE(os.stat(scene.data).st_mode)
        scene.expect(mode == 0o700, f"the data directory has {mode:o}")
        for folder, folders, files in os.walk(scene.data):
            for name in files:
                mode = stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode)
                scene.expect(mode & 0o077 == 0, f"{name} has {mode:o}")


@attack("security: a URI's password", probe=False, fast=True)
def uri(scene):
    """It is not printed, whatever is wrong with the rest."""
    for text in ("amqp://guest:s3cret@127.0.0.1:port/", "amqp://guest:s3cret@127.0.0.1:99999",
                 "http://guest:s3cret@127.0.0.1", "amqp://guest:s3cret@127.0.0.1:1/%zz",
                 "amqp://guest:s3cret@", "guest:s3cret@127.0.0.1",
                 "amqp://guest:s3cret@127.0.0.1:1"):
        for arguments in (["status", "--uri", text, "q"], ["status", "q"], ["send", "x"]):
            done = subprocess.run([f"{BIN}/haypile", *arguments], capture_output=True, text=True,
                                  timeout=20, env={**os.environ, "AMQP_URL": text})
            said = done.stdout + done.stderr
            scene.expect("s3cret" not in said, f"{text}: {said.strip()}")


@attack("security: frames before login")
def before_login(scene):
    """Memory before login is bounded, and so is patience."""
    before = scene.look_at_memory()
    clients = []
    for _ in range(500):
        try:
            client = Attacker.__new__(Attacker)
            client.socket = socket.create_connection(("127.0.0.1", scene.port), 5)
            client.socket.sendall(b"AMQP\x00\x00\x09\x01" + bytes.fromhex("01000000003e80") +
                                  b"x" * 15_000)
            clients.append(client)
        except OSError:
            break
    time.sleep(0.5)
    each = (scene.look_at_memory() - before) * 1024 / max(1, len(clients))
    scene.expect(each < 150, f"{each:.0f} KiB for each")
    for client in clients:
        client.close()
