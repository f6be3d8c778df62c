"""How Haypile's rate changes with what there is: scaling.py BIN OUT [--seconds S] [--only PANEL...]

Measures each point with haypile-perf against a daemon of its own, and the bare loop beside it where
it can do the work. Writes OUT/shape.json and OUT/shape.svg (with gnuplot)."""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys

import servers

HAYPILE, BARE = servers.Haypile, servers.BareLoop
BARE_MAX = 256  # of each kind, 1,000 connections are too many for the bare loop
MANY = ["--prefetch=100", "--confirm-window=100"]


def connections(n, queues):
    return [f"--publishers={n}", f"--consumers={n}", f"--queues={queues}", *MANY]


def sized(n):
    window = max(10, min(1000, 2_000_000 // n))
    return [f"--size={n}", f"--confirm-window={window}", f"--prefetch={window}"]


def filled(n):
    return [f"--fill={n}", "--confirm-window=10000"]


def load(kind, options, arguments):
    with servers.running(kind, options.bin, os.path.join(options.out, "shape-data")) as server:
        report = server.load(arguments, options.seconds)
    if "error" in report:
        raise SystemExit(f"{kind.name}, {' '.join(arguments)}: {report['error']}")
    return report


# Panel: title, title of x, its values, and lines: title, server, arguments for x, what counts.
PANELS = {
    "connections": (
        "Connections: n publishers, n consumers", "n", [1, 4, 16, 64, 256, 1000],
        [("a queue each", HAYPILE, lambda n: connections(n, n), "consumed_per_second"),
         ("one queue for all", HAYPILE, lambda n: connections(n, 1), "consumed_per_second"),
         ("bare loop", BARE, lambda n: connections(n, n) if n <= BARE_MAX else None,
          "consumed_per_second")]),
    "queues": (
        "Queues, 16 of them in use", "queues", [16, 100, 1000, 10_000],
        [("16 publishers, 16 consumers", HAYPILE, lambda n: connections(16, n),
          "consumed_per_second")]),
    "bindings": (
        "Bindings of a topic exchange", "bindings", [1, 10, 100, 1000, 10_000],
        [("one of them matches", HAYPILE, lambda n: [f"--bindings={n}"], "consumed_per_second")]),
    "size": (
        "Bytes of a body", "bytes", [10, 100, 1000, 10_000, 100_000, 1_000_000],
        [("Haypile", HAYPILE, sized, "consumed_per_second"),
         ("bare loop", BARE, sized, "consumed_per_second")]),
    "backlog": (
        "Backlog: filled, then drained", "messages in the queue",
        [10_000, 100_000, 1_000_000, 10_000_000],
        [("filled", HAYPILE, filled, "filled_per_second"),
         ("drained", HAYPILE, filled, "drained_per_second")]),
}
COLOURS = ["#264b96", "#2a9d8f"]
BARE_COLOUR = "#aaaaaa"


def measure(panel, options):
    """{title of a line: [[x, rate], ...]}; of the rounds the median."""
    _, _, values, lines = PANELS[panel]
    measured = {}
    for x in values:
        reports = {}
        for title, kind, arguments_for, key in lines:
            arguments = arguments_for(x)
            if arguments is None:
                continue
            work = kind, *arguments
            if work not in reports:
                reports[work] = [load(kind, options, arguments) for _ in range(options.rounds)]
            rate = statistics.median(report[key] for report in reports[work])
            measured.setdefault(title, []).append([x, rate])
            print(f"{panel}: {title}: {x}: {rate:,.0f}", flush=True)
    return measured


HEAD = """
set terminal svg size 1000,1060 font "sans-serif,14" background "#ffffff"
set output "{output}"
set multiplot layout 3,2 margins 0.08,0.985,0.06,0.92 spacing 0.1,0.1
set label 1 at screen 0.5,0.98 center font ",18" \\
  "Messages a second by what there is (persistent, confirmed, one ack a message)"
set border 3 lc rgb "#888888"
set tics nomirror
set grid ytics lc rgb "#dddddd" lt 1
set logscale x
set format x "10^{{%T}}"
set format y "%.1s %c"
set title offset 0,-0.6 font ",15"
"""


def plot(panel, measured):
    title, x_title, values, _ = PANELS[panel]
    data, plots = "", []
    for number, (name, points) in enumerate(measured.items()):
        rows = "\n".join(f"{x} {y:.0f}" for x, y in points)
        data += f"${panel}_{number} << END\n{rows}\nEND\n"
        colour = BARE_COLOUR if name == "bare loop" else COLOURS[number]
        plots.append(f'${panel}_{number} with linespoints lw 2.5 ps 0.7 pt 7 '
                     f'lc rgb "{colour}" title "{name}"')
    scale = "set logscale y\nset yrange [*:*]\n" if panel == "size" \
        else "unset logscale y\nset yrange [0:*]\n"
    key = "top" if panel == "connections" else "bottom"
    return (f"{data}{scale}set key {key} left reverse Left samplen 2\n"
            f'set title "{title}"\nset xlabel "{x_title}" offset 0,0.6\n'
            f"set xrange [{values[0]}:{values[-1] * 1.2}]\n"
            "plot " + ", \\\n     ".join(plots) + "\nunset label\n")


def draw(results, output):
    script = HEAD.format(output=output) + "".join(plot(*panel) for panel in results.items())
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--only", nargs="*", help="these panels", choices=list(PANELS))
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    results = {panel: measure(panel, options) for panel in options.only or PANELS}
    with open(os.path.join(options.out, "shape.json"), "w") as file:
        json.dump(results, file, indent=1)
    draw(results, os.path.join(options.out, "shape.svg"))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
