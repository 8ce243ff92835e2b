#!/usr/bin/env python3
"""Fills the tables and plots of docs/balancing.md from runs of the fleet simulator.

    tests/sim/balancing.py build/dev/tests/fleet            all
    tests/sim/balancing.py build/dev/tests/fleet outage     those whose directive contains the word

The document says itself what is run, in comments:

    <!-- table: --scenario outage | chooser, max/mean -->       runs `fleet` with these flags, keeps these columns
    <!-- table: --sweep band=1,2 | band = p50 ms -->            one row a value of `band`, one column a chooser, of one figure
    <!-- plot over time outage.svg: --scenario outage | 0 | share of the server that is away -->
    <!-- plot bars herd.svg: --scenario one_faster | max/mean | most loaded server, times the mean -->
    <!-- plot sweep band.svg: --sweep band=1,2 | band | max/mean | most loaded server, times the mean -->
    <!-- end -->                                                what stands between is replaced

Needs nothing but Python. The same seed gives the same figures: a run that changes the document says that the code has
changed what it does.
"""

import csv
import io
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs" / "balancing.md"
PLOTS = ROOT / "docs" / "balancing"
DIRECTIVE = re.compile(r"<!-- (table|plot over time|plot bars|plot sweep)\s?([\w.-]*): (.*?) -->\n.*?<!-- end -->", re.S)

# Told apart in light and dark, and by people who see fewer colours (Okabe and Ito 2008).
COLOURS = {"balanced": "#0072B2", "round_robin": "#999999", "random": "#CC79A7", "in_order": "#B8A400", "glibc": "#D55E00",
           "fastest": "#E69F00", "peak_ewma": "#009E73", "k_failures": "#56B4E9"}
MORE_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#999999", "#B8A400"]
STYLE = """<style>
text { font: 12px sans-serif; fill: #333 } .small { font-size: 11px } .axis { stroke: #888; fill: none }
.grid { stroke: #8884; fill: none } .line { fill: none; stroke-width: 1.6; stroke-linejoin: round }
@media (prefers-color-scheme: dark) { text { fill: #ddd } }
</style>"""
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 300, 52, 110, 26, 42


def main(fleet, words):
    def fill(match):
        kind, name, text = match.groups()
        head = match.group(0).split("\n", 1)[0]
        if words and not any(w in head for w in words):
            return match.group(0)
        print(head, file=sys.stderr, flush=True)
        parts = [p.strip() for p in text.split(" | ")]
        if kind == "table":
            body = table(run(fleet, parts[0]), parts[1])
        else:
            svg, told = PLOTTERS[kind](fleet, *parts)
            PLOTS.mkdir(exist_ok=True)
            (PLOTS / name).write_text(svg)
            body = f"![{told}](balancing/{name})\n"
        return f"{head}\n\n{body}\n<!-- end -->"

    DOCUMENT.write_text(DIRECTIVE.sub(fill, DOCUMENT.read_text()))


def run(fleet, flags):
    done = subprocess.run([fleet, *flags.split(), "--format", "csv"], stdout=subprocess.PIPE, text=True, check=True)
    return list(csv.DictReader(io.StringIO(done.stdout)))


# ---- tables

def parameter(row, name):
    return dict(p.split("=") for p in row["parameters"].split()).get(name, "")


def markdown(rows):
    def cells(row):
        return "| " + " | ".join(row) + " |\n"
    return cells(rows[0]) + cells(["---"] + ["--:"] * (len(rows[0]) - 1)) + "".join(cells(r) for r in rows[1:])


def table(rows, wanted):
    """Either some columns of every row, or one figure spread out over choosers (`parameter = figure`)."""
    if " = " in wanted:
        name, figure = wanted.split(" = ")
        kinds = list(dict.fromkeys((r["scenario"], r["chooser"]) for r in rows))
        several = len({s for s, _ in kinds}) > 1
        values = list(dict.fromkeys(parameter(r, name) for r in rows))
        found = {(parameter(r, name), r["scenario"], r["chooser"]): r[figure] for r in rows}
        head = [name] + [f"{s}, {c}" if several else c for s, c in kinds]
        return markdown([head] + [[v] + [found[v, *k] for k in kinds] for v in values])
    columns = [c.strip() for c in wanted.split(",")]
    out = [columns]
    for r in rows:
        out.append([r[c] if c in r else parameter(r, c) for c in columns])
    return markdown(out)


# ---- plots

def number(text):
    return float(text)


def short(value):
    return f"{value:g}"


def nice_ticks(most, least=0.0):
    span = most - least or 1
    step = 10 ** (len(str(int(span))) - 1) if span >= 1 else 0.1
    while span / step > 6:
        step *= 2
    while span / step < 3:
        step /= 2
    first = int(least / step)
    return [t * step for t in range(first, int(most / step + 1e-9) + 1) if t * step >= least - 1e-9]


def frame(title, y_ticks, y_of, x_ticks, x_of, x_label):
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">', STYLE,
           f'<text x="8" y="16">{title}</text>']
    for t in y_ticks:
        y = y_of(t)
        out.append(f'<path class="grid" d="M{LEFT} {y:.0f}H{WIDTH - RIGHT}"/>'
                   f'<text class="small" x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{short(t)}</text>')
    for t, label in x_ticks:
        x = x_of(t)
        out.append(f'<text class="small" x="{x:.0f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{label}</text>')
    out.append(f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    out.append(f'<text class="small" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
               f'{x_label}</text>')
    return out


def lines(title, series, x_label, x_labels=None):
    """series: name -> [(x, y)]. x_labels: names for x = 0, 1, 2..."""
    most_x = max(x for points in series.values() for x, _ in points) or 1
    most_y = max(y for points in series.values() for _, y in points) * 1.05 or 1

    def x_of(x):
        return LEFT + (WIDTH - RIGHT - LEFT) * x / most_x

    def y_of(y):
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y / most_y

    ticks = list(enumerate(x_labels)) if x_labels else [(t, short(t)) for t in nice_ticks(most_x)]
    out = frame(title, nice_ticks(most_y), y_of, ticks, x_of, x_label)
    ends = spread([y_of(points[-1][1]) for points in series.values()])
    for i, (name, points) in enumerate(series.items()):
        colour = COLOURS.get(name, MORE_COLOURS[i % len(MORE_COLOURS)])
        path = " ".join(f"{x_of(x):.0f},{y_of(y):.0f}" for x, y in points)
        out.append(f'<polyline class="line" stroke="{colour}" points="{path}"/>')
        out.append(f'<text class="small" style="fill:{colour}" x="{WIDTH - RIGHT + 6}" y="{ends[i] + 4:.0f}">{name}</text>')
    return "\n".join(out + ["</svg>", ""])


def spread(places, gap=14):
    """Moves labels apart that would stand on each other."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    out = list(places)
    for before, i in zip(order, order[1:]):
        out[i] = max(out[i], out[before] + gap)
    too_low = max(out) - (HEIGHT - BOTTOM + 8)
    if too_low > 0:
        floor = HEIGHT - BOTTOM + 8
        for i in reversed(order):
            out[i] = min(out[i], floor)
            floor = out[i] - gap
    return out


def over_time(fleet, flags, servers, title, step="5", what="connections"):
    """The share of `servers` (as 0 or 0-3), in steps of so many seconds, a line a chooser; `what` may be `firsts`."""
    first, _, last = servers.partition("-")
    chosen = range(int(first), int(last or first) + 1)
    step = float(step)
    sums = {}
    for r in run(fleet, flags + " --timeline"):
        at = int(float(r["second"]) / step)
        own, all_of_them = sums.setdefault(r["chooser"], {}).get(at, (0, 0))
        count = int(r[what])
        sums[r["chooser"]][at] = (own + (count if int(r["server"]) in chosen else 0), all_of_them + count)
    series = {c: [(at * step + step / 2, 100 * own / whole) for at, (own, whole) in sorted(steps.items()) if whole]
              for c, steps in sums.items()}
    return lines(title + ", %", series, "seconds"), title


def sweep(fleet, flags, name, figure, title):
    """One figure over the values of a parameter, evenly spaced; a line a chooser and scenario."""
    rows = run(fleet, flags)
    values = list(dict.fromkeys(parameter(r, name) for r in rows))
    several = len({r["scenario"] for r in rows}) > 1
    series = {}
    for r in rows:
        label = r["scenario"] if several else r["chooser"]
        series.setdefault(label, []).append((values.index(parameter(r, name)), number(r[figure])))
    return lines(title, series, name, values), title


def bars(fleet, flags, figure, title):
    rows = run(fleet, flags)
    most = max(number(r[figure]) for r in rows) or 1
    height = 24 * len(rows) + 34
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">', STYLE,
           f'<text x="8" y="16">{title}</text>']
    for i, r in enumerate(rows):
        y = 28 + 24 * i
        width = max(1, 520 * number(r[figure]) / most)
        colour = COLOURS.get(r["chooser"], MORE_COLOURS[i % len(MORE_COLOURS)])
        out.append(f'<text x="104" y="{y + 13}" text-anchor="end">{r["chooser"]}</text>'
                   f'<rect x="110" y="{y}" width="{width:.0f}" height="18" fill="{colour}"/>'
                   f'<text class="small" x="{116 + width:.0f}" y="{y + 13}">{short(number(r[figure]))}</text>')
    return "\n".join(out + ["</svg>", ""]), title


PLOTTERS = {"plot over time": over_time, "plot bars": bars, "plot sweep": sweep}

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
