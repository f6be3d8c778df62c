"""Brokers side by side: compare.py BIN OUT [--rounds N] [--seconds S] [--only NAME...] [--works
NAME...]

In each round every server is started anew, in turns, does all works, and is stopped; of the rounds
the median counts. Writes OUT/compare.json, and OUT/compare.md with the table. BIN has the programs.
"""
import argparse
import json
import os
import signal
import statistics
import sys
import time

import servers

PERSISTENT = "persistent, confirmed, one ack a message"

# name, what it is, arguments of haypile-perf, what of its report counts.
WORKS = [
    ("1-1", f"{PERSISTENT}, 1 → 1", [], "consumed_per_second"),
    ("4-4", "the same, 4 → 4, prefetch 100", ["--publishers=4", "--consumers=4", "--prefetch=100"],
     "consumed_per_second"),
    ("16-16", "the same, 16 → 16, prefetch 100",
     ["--publishers=16", "--consumers=16", "--prefetch=100"], "consumed_per_second"),
    ("100-queues", "100 queues, 100 → 100, prefetch 100",
     ["--publishers=100", "--consumers=100", "--queues=100", "--prefetch=100",
      "--confirm-window=100"], "consumed_per_second"),
    ("transient", "transient, no confirms, automatic acks",
     ["--transient", "--confirm-window=0", "--ack-every=0"], "consumed_per_second"),
    ("1KB", f"{PERSISTENT}, bodies of 1 KB", ["--size=1000"], "consumed_per_second"),
    ("10KB", "bodies of 10 KB", ["--size=10000", "--confirm-window=200", "--prefetch=200"],
     "consumed_per_second"),
    ("1MB", "bodies of 1 MB", ["--size=1000000", "--confirm-window=10", "--prefetch=10"],
     "consumed_per_second"),
    ("one-in-flight", "one message in flight", ["--confirm-window=1", "--prefetch=1"],
     "consumed_per_second"),
    ("50k", "50,000 a second", ["--rate=50000"], "latencies"),
    ("fill", "fill, then drain", ["--fill=3000000", "--confirm-window=10000"], "fill"),
]
# From the report of the first work.
AT_THE_END = [
    ("server's CPU a message in the first row (µs)", "broker_cpu_us_per_message", "{:.2f}".format),
    ("its resident memory then (MB)", "broker_resident_kib",
     lambda kib: f"{kib * 1024 / 1e6:.0f}"),
]
# These would take minutes; the rate is the same with fewer.
SLOW = {"fill": ["--fill=200000", "--confirm-window=10000"]}
# haypile-perf's options, as other_brokers_perf calls them. What it does not know it cannot do.
PEER_OPTIONS = {"publishers": "publishers", "consumers": "consumers", "size": "size",
                "prefetch": "prefetch", "confirm-window": "window"}


def arguments_for(server, work):
    """None if the server cannot do this work."""
    name, _, arguments, _ = work
    if name in server.unable:
        return None
    if server.slow:
        arguments = SLOW.get(name, arguments)
    if server.generator == "other_brokers_perf":
        options = [argument.removeprefix("--").partition("=") for argument in arguments]
        if any(option not in PEER_OPTIONS for option, _, _ in options):
            return None
        arguments = [f"--{PEER_OPTIONS[option]}={value}" for option, _, value in options]
    return arguments


def one_round(options, kinds, works, results):
    for kind in kinds:
        with servers.running(kind, options.bin, os.path.join(options.out, "data")) as server:
            time.sleep(1)
            for work in works:
                reports = results.setdefault(work[0], {}).setdefault(kind.name, [])
                arguments = arguments_for(server, work)
                if arguments is None:
                    continue
                reports.append(server.load(arguments, options.seconds))
                text = reports[-1].get("error") or text_of(work, reports[-1:])
                print(f"{kind.name}: {work[0]}: {text}", flush=True)


def median(reports, *path):
    values = []
    for report in reports:
        for key in path:
            report = report.get(key, {}) if isinstance(report, dict) else {}
        if isinstance(report, (int, float)):
            values.append(report)
    return statistics.median(values) if values else None


def rate(value):
    if value >= 100_000:
        return f"{value / 1000:,.0f} k"
    return f"{value:,.0f}"


def text_of(work, reports):
    if not any("error" not in report for report in reports):
        return "–"
    if work[3] == "latencies":
        def pair(kind):
            return " / ".join(f"{median(reports, kind, share) or 0:.2f}"
                              for share in ("p50", "p99"))
        return f"end to end {pair('end_to_end_ms')}, confirm {pair('confirm_ms')} ms"
    if work[3] == "fill":
        return f"{rate(median(reports, 'filled_per_second'))}, " \
               f"{rate(median(reports, 'drained_per_second'))}"
    return rate(median(reports, work[3]))


def table(works, kinds, results):
    names = [kind.name for kind in kinds]
    lines = [f"| work | {' | '.join(names)} | Haypile : bare loop |",
             "| --- |" + " --- |" * (len(names) + 1)]
    for work in works:
        cells = [text_of(work, results[work[0]].get(name, [])) for name in names]
        ours, bare = (median(results[work[0]].get(name, []), work[3])
                      for name in ("Haypile", "bare loop"))
        share = f"{ours / bare:.2f}" if ours and bare else ""
        lines.append(f"| {work[1]} | {' | '.join(cells)} | {share} |")
    for title, key, form in AT_THE_END:
        values = [median(results.get("1-1", {}).get(name, []), key) for name in names]
        cells = ["–" if value is None else form(value) for value in values]
        lines.append(f"| {title} | {' | '.join(cells)} | |")
    return "\n".join(lines) + "\n"


def versions(options, kinds):
    """And when, and where."""
    with open("/proc/cpuinfo") as file:
        cpu = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    texts = [f"{kind.name} {kind(options.bin, options.out).version()}".strip() for kind in kinds]
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {cpu}, " \
           f"{options.rounds} round{'s' * (options.rounds > 1)} of {options.seconds:g} s. " \
           f"{', '.join(texts)}.\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--only", nargs="*", help="these servers")
    parser.add_argument("--works", nargs="*", help="these works")
    options = parser.parse_args()
    kinds = [kind for kind in servers.ALL if not options.only or kind.name in options.only]
    works = [work for work in WORKS if not options.works or work[0] in options.works]
    os.makedirs(options.out, exist_ok=True)
    results = {}
    for number in range(options.rounds):
        turn = number % len(kinds)
        one_round(options, kinds[turn:] + kinds[:turn], works, results)
    with open(os.path.join(options.out, "compare.json"), "w") as file:
        json.dump(results, file, indent=1)
    text = table(works, kinds, results) + "\n" + versions(options, kinds)
    with open(os.path.join(options.out, "compare.md"), "w") as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
