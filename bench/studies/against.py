"""Two builds side by side: against.py BIN OTHER-BIN OUT [--rounds N] [--seconds S] [--rows NAME...]

The daemons of both do each piece of work in turns (A B, B A, ...), each run with a daemon of its
own that starts empty; haypile-perf of BIN puts the load to both. Of each row the median of the
ratios of a round counts, BIN's rate by OTHER-BIN's, with the interval that has the median in it
with 95 % at least. "Not slower" means that the interval reaches 0.97. Rows that wait for the disk
are done on tmpfs as well, and that counts then. Writes OUT/against.json and OUT/against.md."""
import argparse
import json
import math
import os
import shutil
import signal
import statistics
import sys
import tempfile

import servers
from compare import WORKS

NOT_SLOWER = 0.97
CONFIDENCE = 0.95
ROUNDS_MIN = 6  # with fewer no interval of the order statistics has 95 %
TMPFS = "/dev/shm"
# What is measured of a work, higher being better; those of compare.py that are a rate, and `fill`
# as the two rates that it is.
RATES = [(name, title, arguments, key) for name, title, arguments, key in WORKS
         if key == "consumed_per_second"]
FILLS = [(key, title, arguments) for _, title, arguments, kind in WORKS if kind == "fill"
         for key in ("filled_per_second", "drained_per_second")]
# The disk decides on these: each message waits for its sync, or bodies are large.
WAITS_FOR_DISK = ("one-in-flight", "1MB", "10KB", "1KB")


class Row:
    def __init__(self, name, title, arguments, keys, on_tmpfs):
        self.name, self.title, self.arguments = name, title, arguments
        self.keys, self.on_tmpfs = keys, on_tmpfs

    def counts(self):
        """Whether it decides: a row that is done on tmpfs as well is for information on the
        disk."""
        return self.on_tmpfs or not self.name.startswith(WAITS_FOR_DISK)


def all_rows():
    rows = []
    for name, title, arguments, key in RATES:
        rows.append(Row(name, title, arguments, [key], False))
        if name in WAITS_FOR_DISK:
            rows.append(Row(f"{name}-tmpfs", f"{title}, on tmpfs", arguments, [key], True))
    title, arguments = FILLS[0][1:]
    rows.append(Row("fill", title, arguments, [key for key, _, _ in FILLS], False))
    return rows


# Statistics.

def median_interval(values, confidence=CONFIDENCE):
    """The narrowest pair of order statistics, as far from one end as from the other, between which
    the median is with this probability at least; it holds for any distribution."""
    values, n = sorted(values), len(values)
    outside = 0.0
    chosen = 0
    for rank in range(n // 2):
        outside += math.comb(n, rank) / 2**n  # so many or fewer are on one side of the median
        if 2 * outside > 1 - confidence:
            break
        chosen = rank
    return values[chosen], values[n - 1 - chosen]


def judge(ratios):
    """Median, interval, and whether it says that the build is not slower."""
    low, high = median_interval(ratios)
    return {"median": statistics.median(ratios), "low": low, "high": high,
            "not_slower": high >= NOT_SLOWER}


def order(number):
    """Who goes first changes from round to round: what the machine does in the meantime hits
    both."""
    return (0, 1) if number % 2 == 0 else (1, 0)


# Measuring.

class Build(servers.Haypile):
    """The daemon of one build, with the load generator of the first."""

    def __init__(self, binaries, generator, directory):
        super().__init__(binaries, directory)
        self.generator_path = f"{generator}/haypile-perf"

    def load_command(self, arguments, seconds):
        return [self.generator_path, *super().load_command(arguments, seconds)[1:]]


def measure(binaries, row, options):
    parent = TMPFS if row.on_tmpfs else options.out
    directory = tempfile.mkdtemp(prefix="against-", dir=parent)

    def build(_, inner):
        return Build(binaries, options.bin, inner)

    try:
        with servers.running(build, binaries, os.path.join(directory, "data")) as server:
            report = server.load([f"--warm-up={options.warm_up}", *row.arguments], options.seconds)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if "error" in report:
        raise SystemExit(f"{binaries}, {row.name}: {report['error']}")
    return {key: report[key] for key in row.keys}


def one_round(number, rows, options, results):
    for row in rows:
        reports = [None, None]
        for side in order(number):
            reports[side] = measure((options.bin, options.against)[side], row, options)
        for key in row.keys:
            both = [report[key] for report in reports]
            results.setdefault((row.name, key), []).append(both)


def evaluate(rows, results):
    lines = []
    for row in rows:
        for key in row.keys:
            pairs = results[row.name, key]
            ratios = [mine / other for mine, other in pairs]
            title = row.title if len(row.keys) == 1 else f"{row.title}: {key.split('_')[0]}"
            lines.append({"row": row.name, "key": key, "title": title, "counts": row.counts(),
                          "rates": [statistics.median(side) for side in zip(*pairs)],
                          "ratios": ratios, **judge(ratios)})
    return lines


def table(lines):
    text = ["| work | before | now | now : before | 95 % | |",
            "| --- | --- | --- | --- | --- | --- |"]
    for line in lines:
        now, before = (f"{rate:,.0f}" for rate in line["rates"])
        verdict = "not slower" if line["not_slower"] else "SLOWER"
        verdict = verdict if line["counts"] else f"({verdict}; on tmpfs it counts)"
        text.append(f"| {line['title']} | {before} | {now} | {line['median']:.3f} | "
                    f"{line['low']:.3f} – {line['high']:.3f} | {verdict} |")
    return "\n".join(text) + "\n"


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("against")
    parser.add_argument("out")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--warm-up", type=float, default=0.5)
    parser.add_argument("--rows", nargs="*", help="these rows")
    options = parser.parse_args()
    if options.rounds < ROUNDS_MIN:
        parser.error(f"fewer than {ROUNDS_MIN} rounds say nothing")
    return options


def main():
    options = parse()
    os.makedirs(options.out, exist_ok=True)
    rows = [row for row in all_rows() if not options.rows or row.name in options.rows]
    if not rows:
        raise SystemExit("these are the rows: " + " ".join(row.name for row in all_rows()))
    results = {}
    for number in range(options.rounds):
        one_round(number, rows, options, results)
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    lines = evaluate(rows, results)
    with open(os.path.join(options.out, "against.json"), "w") as file:
        json.dump(lines, file, indent=1)
    text = table(lines) + f"\nMessages a second, medians of {options.rounds} rounds of " \
                          f"{options.seconds:g} s.\n"
    with open(os.path.join(options.out, "against.md"), "w") as file:
        file.write(text)
    print(text)
    return 1 if any(line["counts"] and not line["not_slower"] for line in lines) else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
