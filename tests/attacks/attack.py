"""What one client does to others: attack.py [NAME...] [--bin DIR] [--fast] [--list] [--json FILE]

Runs the attacks whose names begin like one of those given, or all, one after another, each against
a daemon of its own with its data on tmpfs and with a well-behaved client beside it (probe.py). A
line each: verdict, the longest time that a confirm, a delivery, a round trip and a login of others
took, the daemon's peak of resident memory, seconds. Exits with 1 if one fails."""
import argparse
import importlib
import json
import os
import sys
import time

KINDS = ("liveness", "matching", "letters", "backlog", "memory", "descriptors", "disk", "damage",
         "security")
# What is part of every test run has to pass on any machine, also on one that others use.
FAST_SLOWER = 4


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--bin", help="where haypiled is")
    parser.add_argument("--fast", action="store_true", help="those that are part of every test run")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--json", help="write what was measured to this file")
    parser.add_argument("--dir", help="for the data, instead of tmpfs; how long the disk takes "
                                      "counts then, too")
    parser.add_argument("--verbose", action="store_true", help="the daemon's log lines, too")
    return parser.parse_args()


options = parse()
if options.bin:
    os.environ["HAYPILE_BIN"] = os.path.abspath(options.bin)

import judging  # noqa: E402  (what it imports asks for HAYPILE_BIN)
from judging import NAMES, milliseconds  # noqa: E402
from scene import ATTACKS, slow_down  # noqa: E402

for kind in KINDS:
    importlib.import_module(kind)


def line(attack, wrong, scene, seconds):
    times = []
    for name, title in zip(NAMES, ("confirm", "delivery", "rtt", "login")):
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
                 for name in NAMES]
        times = " | ".join(f"{ms:,.0f} ms" if ms else "–" for ms in worst)
        passed = sum(not one["wrong"] for one in ones)
        lines.append(f"| {kind} | {len(ones)} | {passed} | {times} | "
                     f"{max(one['peak_mib'] for one in ones):,} MiB |")
    return "\n".join(lines)


def main():
    if options.fast:
        slow_down(FAST_SLOWER)
    chosen = [attack for attack in ATTACKS
              if (attack.fast or not options.fast)
              and (not options.names or any(attack.name.startswith(n) for n in options.names))]
    if options.list or not chosen:
        print("\n".join(attack.name for attack in chosen) or "there is no such attack")
        return 0 if chosen else 2
    began, failed, measured = time.monotonic(), [], {}
    for attack in chosen:
        wrong, scene, seconds = judging.run(attack, options.dir, options.verbose)
        print(line(attack, wrong, scene, seconds), flush=True)
        for text in scene.notes + [f"wrong: {text}" for text in wrong]:
            print(f"    {text}", flush=True)
        failed += [attack.name] if wrong else []
        measured[attack.name] = {"wrong": wrong, "notes": scene.notes, "probe": scene.report,
                                 "peak_mib": round(scene.peak_mib), "seconds": round(seconds, 1)}
    print(by_kind(measured))
    print(f"{len(chosen) - len(failed)} of {len(chosen)} attacks hurt nobody else, "
          f"{time.monotonic() - began:.0f} s"
          + (f"; these did: {', '.join(failed)}" if failed else ""))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(measured, file, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
