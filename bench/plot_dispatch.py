"""Draws what dispatch_bench measured: plot_dispatch.py RESULTS.json PICTURE.svg (with gnuplot)."""
import json
import subprocess
import sys

SCRIPT = """
set terminal svg size 900,380 font "sans-serif,13" background "#ffffff"
set output "{output}"
set multiplot layout 1,2 title "Uneven tasks: {tasks} tasks, {heavy_ms} ms and {light_ms} ms in turn"
set style data histograms
set style fill solid 0.9 border -1
set boxwidth 0.9
set grid ytics
set xlabel "workers"
set yrange [0:*]
set key top right
$data << END
{rows}
END
set title "Time for all tasks (ms)"
plot $data using 2:xtic(1) title "round robin" lc rgb "#c0803a", \\
     $data using 3 title "fair (prefetch 1)" lc rgb "#4a8a5a", \\
     $data using 4 title "ideal" lc rgb "#bbbbbb"
set title "Idle time of a worker, on average (ms)"
plot $data using 5:xtic(1) title "round robin" lc rgb "#c0803a", \\
     $data using 6 title "fair (prefetch 1)" lc rgb "#4a8a5a"
unset multiplot
"""


def rows(runs):
    by_workers = {}
    for run in runs:
        by_workers.setdefault(run["workers"], {})[run["policy"]] = run
    for workers, policies in sorted(by_workers.items()):
        unfair, fair = policies["round_robin"], policies["fair"]
        idle = [sum(run["idle_ms"]) / len(run["idle_ms"]) for run in (unfair, fair)]
        values = [unfair["makespan_ms"], fair["makespan_ms"], fair["ideal_ms"], *idle]
        yield f"{workers} " + " ".join(f"{value:.1f}" for value in values)


def main():
    source, output = sys.argv[1:]
    with open(source) as file:
        results = json.load(file)
    script = SCRIPT.format(output=output, rows="\n".join(rows(results["runs"])), **{
        key: results[key] for key in ("tasks", "heavy_ms", "light_ms")})
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


if __name__ == "__main__":
    main()
