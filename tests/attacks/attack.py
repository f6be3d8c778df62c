"""What one client does to others: attack.py [NAME...] [--bin DIR] [--fast] [--list] [--json FILE]

Runs the attacks whose names begin like one of those given, or all, one after another, each against
a daemon of its own with its data on tmpfs and with a well-behaved client beside it (probe.py). A
line each: verdict, the longest time that a confirm, a delivery, a round trip and a login of others
took, the daemon's peak of resident memory, seconds. Exits with 1 if one fails."""
import argparse
import importlib
import json
import os
import signal
import sys
import time
import traceback

parser = argparse.ArgumentParser()
parser.add_argument("names", nargs="*")
parser.add_argument("--bin", help="where haypiled is")
parser.add_argument("--fast", action="store_true", help="those that are part of every test run")
parser.add_argument("--list", action="store_true")
parser.add_argument("--json", help="write what was measured to this file")
parser.add_argument("--dir", help="instead of tmpfs; how long the disk takes counts then, too")
parser.add_argument("--verbose", action="store_true", help="the daemon's log lines, too")
options = parser.parse_args()
if options.bin:
    os.environ["HAYPILE_BIN"] = os.path.abspath(options.bin)

import scene as scenes  # noqa: E402
from attacker import Failure  # noqa: E402

for module in ("liveness", "matching", "letters", "backlog", "memory", "descriptors", "disk",
               "damage", "security"):
    importlib.import_module(module)


class Overdue(BaseException):
    """Nothing that waits in an attack takes it for an error of its own."""


def on_alarm(*_):
    raise Overdue


def run(attack):
    """What is wrong, as lines, and what was measured."""
    scene = scenes.Scene(attack, options.dir)
    began, wrong = time.monotonic(), []
    signal.setitimer(signal.ITIMER_REAL, attack.bound_s * scenes.SLOWER)
    try:
        wrong += act(scene)
    except (Failure, AssertionError) as error:
        wrong.append(str(error) or repr(error))
    except Exception:  # whatever it is, the others are to be tried
        wrong.append(" / ".join(traceback.format_exc().splitlines()[-4:]))
    except Overdue:
        wrong.append(f"not over after {attack.bound_s} s")
    signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        scene.end_probe()
        scene.look_at_memory()
        wrong += judge(scene)
    except OSError as error:
        wrong.append(f"at the end: {error!r}")
    finally:
        if options.verbose and scene.broker:
            print("\n".join(scene.broker.program.errors[-20:])[:4000])
        scene.clean_up()
    return wrong, scene, time.monotonic() - began


def act(scene):
    attack = scene.attack
    if attack.probe:
        scene.start()
        scene.put_kept()
        scene.begin_probe()
    attack.run(scene)
    if not attack.probe:
        return []
    scene.end_probe()
    if not scene.is_alive():
        said = scene.broker.program.errors[-1:] or [""]
        return [f"the daemon has ended with {scene.broker.program.process.poll()}: {said[0]}"[:300]]
    return restart(scene) if attack.restart else []


def restart(scene):
    """All that was confirmed is there after a kill, and nothing is damaged."""
    for client in scene.clients:
        client.close()
    scene.kill()
    wrong = []
    code, said, errors = scene.haypiled("--check", scene.data)
    if code != 0:
        wrong.append(f"--check ends with {code}: {(said + errors)[-200:]}")
    began = time.monotonic()
    scene.start()
    if time.monotonic() - began > scenes.START_S:
        wrong.append(f"a start takes {time.monotonic() - began:.1f} s")
    scene.check_kept()
    scene.check_probes((scene.report or {}).get("missing", []))
    return wrong


def judge(scene):
    attack, report, wrong = scene.attack, scene.report, []
    if attack.memory_mib and not scenes.SANITIZED and scene.peak_mib > attack.memory_mib:
        wrong.append(f"{scene.peak_mib:.0f} MiB resident, allowed are {attack.memory_mib:.0f}")
    if report is None:
        return wrong
    if report.get("lost"):
        wrong.append(f"the probe: {report['lost']}")
    if report.get("refused") and attack.logins:
        wrong.append(f"a login of others: {report['refused']}")
    if not attack.while_blocked and report.get("blocked_s"):
        wrong.append(f"publishers were blocked for {report['blocked_s']} s")
    # When the probe itself did not get the processor, nobody has been hurt by the broker.
    lag_ms = report.get("lag_ms", 0)
    if lag_ms > 30:
        scene.note(f"the probe was late by {lag_ms:.0f} ms itself, which is allowed for")
    limits = []
    if attack.latency:
        limits += [(name, scenes.LATENCY_MS) for name in ("confirm", "delivery", "round_trip")]
    if attack.logins:
        limits.append(("login", scenes.LOGIN_MS))
    for name, limit_ms in limits:
        taken_ms = milliseconds(report, name)
        if taken_ms is not None and taken_ms > limit_ms * scenes.SLOWER + lag_ms:
            worst = ", ".join(f"{ms} ms at {at} s" for ms, at in report[name]["worst"])
            wrong.append(f"{name} of others: {worst}")
    return wrong


def milliseconds(report, name):
    return (report or {}).get(name, {}).get("max_ms")


def line(attack, wrong, scene, seconds):
    times = []
    for name, title in (("confirm", "confirm"), ("delivery", "delivery"), ("round_trip", "rtt"),
                        ("login", "login")):
        taken_ms = milliseconds(scene.report, name)
        if taken_ms is not None:
            times.append(f"{title} {taken_ms:5.0f} ms")
    memory = f"{scene.peak_mib:5.0f} MiB" if scene.peak_mib else ""
    return (f"{attack.name:34} {'FAILED' if wrong else 'ok':7}{'  '.join(times):58} {memory:9} "
            f"{seconds:5.1f} s")


def by_kind(measured):
    """A line of a table for each kind: how many passed, and the worst that was measured."""
    kinds = {}
    for name, one in measured.items():
        kinds.setdefault(name.split(":")[0], []).append(one)
    lines = ["| kind | attacks | hurt nobody | confirm | delivery | round trip | login | memory |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for kind, ones in kinds.items():
        worst = [max((milliseconds(one["probe"], name) or 0 for one in ones), default=0)
                 for name in ("confirm", "delivery", "round_trip", "login")]
        times = " | ".join(f"{ms:,.0f} ms" if ms else "–" for ms in worst)
        passed = sum(not one["wrong"] for one in ones)
        lines.append(f"| {kind} | {len(ones)} | {passed} | {times} | "
                     f"{max(one['peak_mib'] for one in ones):,} MiB |")
    return "\n".join(lines)


def main():
    signal.signal(signal.SIGALRM, on_alarm)
    chosen = [attack for attack in scenes.ATTACKS
              if (attack.fast or not options.fast)
              and (not options.names or any(attack.name.startswith(n) for n in options.names))]
    if options.list or not chosen:
        print("\n".join(attack.name for attack in chosen) or "there is no such attack")
        return 0 if chosen else 2
    began, failed, measured = time.monotonic(), [], {}
    for attack in chosen:
        wrong, scene, seconds = run(attack)
        print(line(attack, wrong, scene, seconds), flush=True)
        for text in scene.notes + [f"wrong: {text}" for text in wrong]:
            print(f"    {text}", flush=True)
        failed += [attack.name] if wrong else []
        measured[attack.name] = {"wrong": wrong, "notes": scene.notes, "probe": scene.report,
                                 "peak_mib": round(scene.peak_mib), "seconds": round(seconds, 1)}
    print(by_kind(measured))
    print(f"{len(chosen) - len(failed)} of {len(chosen)} attacks hurt nobody else, "
          f"{time.monotonic() - began:.0f} s" + (f"; these did: {', '.join(failed)}" if failed else ""))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(measured, file, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
