"""Draws what compare.py measured: plot_compare.py COMPARE.json PICTURE.svg (with gnuplot)."""
import json
import statistics
import subprocess
import sys

# (server, colour): the yardstick in grey.
SERVERS = [
    ("bare loop", "#cccccc"),
    ("Haypile", "#264b96"),
    ("Redis", "#2a9d8f"),
    ("RabbitMQ classic", "#e8a33d"),
    ("RabbitMQ quorum", "#c0392b"),
    ("beanstalkd", "#7a5c3a"),
]
# (work, label, what of its report counts)
WORKS = [
    ("1-1", "1 to 1", "consumed_per_second"),
    ("4-4", "4 to 4", "consumed_per_second"),
    ("16-16", "16 to 16", "consumed_per_second"),
    ("100-queues", "100 queues", "consumed_per_second"),
    ("transient", "transient", "consumed_per_second"),
    ("1KB", "1 KB", "consumed_per_second"),
    ("10KB", "10 KB", "consumed_per_second"),
    ("one-in-flight", "1 in flight", "consumed_per_second"),
    ("fill", "filling", "filled_per_second"),
]

HEAD = """
set terminal svg size 1000,520 font "sans-serif,14" background "#ffffff"
set output "{output}"
set label 1 at screen 0.5,0.96 center font ",18" "Messages a second, side by side on two cores"
set label 2 at screen 0.5,0.91 center tc rgb "#555555" \\
  "persistent, confirmed, one acknowledgement a message, 100 bytes, unless said otherwise"
set margins 9,2,5,5
set border 3 lc rgb "#888888"
set tics nomirror
set xtics scale 0
set grid ytics lc rgb "#dddddd" lt 1
set logscale y
set yrange [100:2e7]
set format y "%.0s %c"
set style data histograms
set style histogram clustered gap 1
set style fill solid border -1
set style fill noborder
set key below horizontal samplen 1
set datafile missing "?"
"""


def value(results, work, server, key):
    values = [report[key] for report in results.get(work, {}).get(server, []) if key in report]
    return f"{statistics.median(values):.0f}" if values else "?"


def main():
    source, output = sys.argv[1:]
    with open(source) as file:
        results = json.load(file)
    rows = "\n".join(f'"{label}" ' + " ".join(value(results, work, server, key)
                                              for server, _ in SERVERS)
                     for work, label, key in WORKS)
    plots = [f'$rates using {column}:xtic(1) lc rgb "{colour}" title "{server}"'
             for column, (server, colour) in enumerate(SERVERS, start=2)]
    script = HEAD.format(output=output) + f"$rates << END\n{rows}\nEND\n" + \
        "plot " + ", \\\n     ".join(plots) + "\n"
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


if __name__ == "__main__":
    main()
