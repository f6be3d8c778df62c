"""Starts and ends the daemon, and knows the points at which it can be killed."""
import json
import re
import signal
import statistics
import time

from paths import BIN, Program, wait_for

# Given to every start: what makes a log small, so that much happens to it, belongs here.
EXTRA_ARGUMENTS = ["--log-size", "8MiB", "--queue-memory", "64KiB"]

# Faults of tests/faulty: actions, operation, part of a path, up to which time it comes about.
KILLS = ["kill", "kill_after"]
FAULTS = [
    (KILLS + ["torn", "eio", "enospc"], "write", ".seg", 80),
    (KILLS + ["eio"], "sync", ".seg", 80),
    (KILLS, "rename", ".seg", 2),
    (KILLS, "create", "spare", 2),
    (KILLS + ["torn", "enospc"], "write", "spare", 8),
    (KILLS + ["eio"], "sync", "spare", 1),
    (KILLS, "create", ".pile", 4),
    (KILLS + ["torn", "eio"], "write", ".pile", 4),
    (KILLS + ["eio"], "sync", ".pile", 4),
    (KILLS + ["torn", "eio"], "write", "checkpoint", 4),
    (KILLS + ["eio"], "rename", "checkpoint", 4),
    (KILLS + ["eio"], "sync_directory", "%2F", 3),
]
# Come about when queues have become empty, so that segments are given up.
RECYCLING_FAULTS = [
    (KILLS + ["torn"], "write", "checkpoint", 2),
    (KILLS + ["eio"], "sync", "checkpoint", 2),
    (KILLS + ["eio"], "rename", "checkpoint", 2),
    (KILLS, "rename", "' to '", 4),
    (KILLS + ["eio"], "sync_directory", "%2F", 4),
]
RECOVERY_FAULTS = [
    (KILLS, "open", ".seg", 3),
    (KILLS, "read", ".seg", 3),
    (KILLS, "read", "checkpoint", 1),
    (KILLS, "remove", "spare", 2),
    (KILLS, "read", ".pile", 2),
    (KILLS, "remove", ".pile", 1),
    (KILLS, "sync_directory", "%2F", 1),
    (KILLS + ["torn"], "write", ".seg", 1),
    (KILLS, "sync", ".seg", 2),
]


started = []  # programs, some of which have ended


class Times:
    """Of starts, in seconds: until the daemon is ready, and its recovery alone as it reports it."""

    def __init__(self):
        self.start, self.recovery, self.message_count = [], [], 0

    def typical_start(self):
        return statistics.median(self.start) if self.start else 0.05


def random_fault(dice, faults):
    actions, operation, part, count = dice.choice(faults)
    # Most points are in reach of a short life.
    number = 1 + int((count - 1) * dice.random() ** 3 + 0.5)
    return f"{dice.choice(actions)}:{operation}:{part}:{number}"


def arguments(program, directory):
    return [f"{BIN}/{program}", "--data-dir", directory, "--port", "0", *EXTRA_ARGUMENTS]


def kill_in_recovery(directory, times, dice):
    """A start that is killed before it is ready, perhaps; whether it was before."""
    program = Program(arguments("haypiled", directory))
    time.sleep(dice.uniform(0.2, 1.1) * times.typical_start())
    was_ready = bool(program.lines)
    program.kill()
    assert program.process.returncode == -signal.SIGKILL, program.errors
    return not was_ready


class Daemon:
    """A start. `ready` is false if a fault, which has to be a deadly one, came before that."""

    def __init__(self, directory, times, faults=None):
        self.faults = faults
        began = time.monotonic()
        environment = {"HAYPILE_FAULTS": faults} if faults else {}
        name = "haypiled_faulty" if faults else "haypiled"
        self.program = Program(arguments(name, directory), env=environment)
        started.append(self.program)
        try:
            line = self.program.wait_for_line("haypiled ready on")
        except AssertionError:
            self.ready = False
            if not self.fell():
                raise
            return
        port = re.search(r":(\d+)", line)
        if not port:  # killed in the middle of the line
            self.ready = False
            assert self.fell(), self.program.errors
            return
        self.ready = True
        self.port = int(port.group(1))
        times.start.append(time.monotonic() - began)
        self.note_report(times)

    def note_report(self, times):
        def find():
            return next((line for line in list(self.program.errors) if "recovered: " in line), None)

        line = wait_for(find, "the report of the recovery")
        report = json.loads(line.split("recovered: ")[1])
        times.recovery.append(report["duration_us"] / 1e6)
        times.message_count += report["message_count"]

    def fell(self):
        """Waits for the end; whether it came by the fault."""
        code = self.program.wait()
        return bool(self.faults) and (
            code == -signal.SIGKILL
            or code == 1 and any("cannot" in line for line in self.program.errors)
        )

    def kill(self):
        self.program.kill()

    def stop(self):
        self.program.signal(signal.SIGTERM)
        code = self.program.wait()
        assert code == 0, (code, self.program.errors)
