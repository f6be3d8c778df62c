"""Draws what dispatch_bench measured: plot_dispatch.py RESULTS.json PICTURE.svg (with gnuplot)."""
import json
import subprocess
import sys

# (prefetch, title, colour, point type): the fairer, the colder.
LINES = [
    (0, "no prefetch (round robin)", "#c0392b", 7),
    (100, "prefetch 100", "#e8a33d", 5),
    (10, "10", "#7a9e3a", 9),
    (2, "2", "#2a9d8f", 11),
    (1, "1 (fair dispatch)", "#264b96", 13),
]
PANELS = [
    ("uniform", "Even enough: 0.5 to 1.5 of the mean"),
    ("odd_even", "The tutorial's: heavy and light in turn"),
    ("heavy_tailed", "Heavy-tailed: a few are 20 times the mean"),
]

HEAD = """
set terminal svg size 1000,760 font "sans-serif,14" background "#ffffff"
set output "{output}"
set multiplot layout 2,2 margins 0.07,0.985,0.135,0.875 spacing 0.085,0.15
set label 1 at screen 0.5,0.975 center font ",18" \\
  "How much longer than the best possible {workers} workers take, by prefetch"
set label 2 at screen 0.5,0.942 center tc rgb "#555555" \\
  "{tasks} tasks of {mean_ms:g} ms on average; 1 would be the best possible"
{legend}
unset key
set border 3 lc rgb "#888888"
set tics nomirror
set grid ytics lc rgb "#dddddd" lt 1
set logscale x 2
set title offset 0,-0.6 font ",15"
set clip two
set yrange [0.95:2.45]
set ytics ("1" 1, "1.25" 1.25, "1.5" 1.5, "1.75" 1.75, "twice" 2, "2.25" 2.25)
"""


def block(name, points):
    rows = "\n".join(f"{x} {y:.4f}" for x, y in sorted(points))
    return f"${name} << END\n{rows}\nEND\n"


def legend():
    x, lines = 0.07, []
    for _, title, colour, shape in [*LINES, (None, "1 if there were no round trips", "#bbbbbb", 5)]:
        lines.append(f'set label "{title}" at screen {x:.3f},0.03 left tc rgb "{colour}" '
                     f'point pt {shape} lc rgb "{colour}" offset 1,0')
        x += 0.045 + 0.0073 * len(title)
    return "\n".join(lines)


def panel(cases, x, title, x_title):
    data = block("greedy", {case[x]: case["greedy_ratio"] for case in cases}.items())
    plots = ['$greedy with lines lw 7 lc rgb "#cccccc"']
    for prefetch, _, colour, shape in LINES:
        points = [(case[x], case["ratio"]) for case in cases if case["prefetch"] == prefetch]
        data += block(f"prefetch_{prefetch}", points)
        plots.append(f'$prefetch_{prefetch} with linespoints lw 2.5 ps 0.7 pt {shape} '
                     f'lc rgb "{colour}"')
    values = sorted({case[x] for case in cases})
    xtics = ", ".join(f'"{value:g}" {value}' for value in values)
    return (f'{data}set title "{title}"\nset xlabel "{x_title}" offset 0,0.4\n'
            f"set xtics ({xtics})\nset xrange [{values[0]}:{values[-1] * 1.05}]\n"
            "plot " + ", \\\n     ".join(plots) + "\nunset label\n")


def script(cases, output):
    lengths = [case for case in cases if case["part"] == "lengths"]
    distance = [case for case in cases if case["part"] == "distance"]
    counts = sorted({case["workers"] for case in lengths})
    text = HEAD.format(output=output, legend=legend(), workers=f"{counts[0]} to {counts[-1]}",
                       tasks=lengths[0]["tasks"], mean_ms=lengths[0]["mean_ms"])
    for name, title in PANELS:
        text += panel([case for case in lengths if case["lengths"] == name], "workers", title,
                      "workers")
    text += "set yrange [0.95:6.5]\nset logscale y\n"
    text += 'set ytics ("1" 1, "1.5" 1.5, "twice" 2, "3" 3, "4" 4, "6" 6)\n'
    title = "Far away: {workers} workers, a round trip of {round_trip_ms:g} ms"
    return text + panel(distance, "mean_ms", title.format(**distance[0]),
                        "length of a task on average, ms")


def main():
    source, output = sys.argv[1:]
    with open(source) as file:
        cases = json.load(file)["cases"]
    subprocess.run(["gnuplot"], input=script(cases, output), text=True, check=True)


if __name__ == "__main__":
    main()
