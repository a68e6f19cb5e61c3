"""The results as text, as markdown and as a picture: medians over the rounds, and ratios to a baseline of the same
rounds, which a machine that is slower for a while shifts less than it does the rates."""
import os
from statistics import median

import chart

COLUMNS = ("requests/s", "p50 µs", "p99 µs", "CPU µs")
METRICS = {"p50": "p50", "p99": "p99", "cpu": "client CPU"}
INSTRUCTIONS_MAX, ROUTER_MAX, REQUEST_MAX, CONNECTION_MAX = 800, 1 << 20, 512, 4096


def value(sample, metric):
    return sample[3] + sample[4] if metric == "cpu" else sample["rate p50 p99".split().index(metric)]


def middle(row, metric):
    return median(value(sample, metric) for sample in row["samples"])


def ratios(row, baseline, metric):
    if metric == "cpu":
        return [value(a, metric) - value(b, metric) for a, b in zip(row["samples"], baseline["samples"])]
    return [value(a, metric) / value(b, metric) for a, b in zip(row["samples"], baseline["samples"])]


def by_key(result):
    return {row["key"]: row for row in result["rows"]}


def table(result):
    """Cells of a part's rows, the head first."""
    rows = by_key(result)
    cells = [["", "connections", "clients", "depth", "shared", *COLUMNS, "x raw"]]
    for row in result["rows"]:
        pooler = median(sample[5] for sample in row["samples"])
        cpu = f"{middle(row, 'cpu'):.1f}" + (f" + {pooler:.1f}" if pooler else "")
        connections = row["connections"] + (f" ({row['note']})" if row["note"] else "")
        cells.append([row["label"], connections, row["clients"], row["depth"], row["share"],
                      f"{middle(row, 'rate'):,.0f}", f"{middle(row, 'p50'):,.0f}", f"{middle(row, 'p99'):,.0f}", cpu,
                      f"{median(ratios(row, rows['raw'], 'rate')):.2f}"])
    return cells


def goals(results):
    """What was to be reached, what is, and whether: cells."""
    cells = [["", "against", "goal", "measured", "in rounds", ""]]
    for result in results.values():
        rows = by_key(result) if "rows" in result else {}
        for goal in result.get("goals", []):
            unit = " µs more" if goal["metric"] == "cpu" else "x"
            limit = f"at {'least' if goal['least'] else 'most'} {goal['value']:g}{unit}"
            row, baseline = rows.get(goal["row"]), rows[goal["baseline"]]
            if not row:
                cells.append([f"{result['title']}: {goal['row']}", baseline["label"], limit, "", "", "not there yet"])
                continue
            each = ratios(row, baseline, goal["metric"])
            got = median(each)
            reached = got >= goal["value"] if goal["least"] else got <= goal["value"]
            what = "" if goal["metric"] == "rate" else f", {METRICS[goal['metric']]}"
            cells.append([
                f"{result['title']}: {row['label']}{what}", baseline["label"],
                limit, f"{got:.2f}{unit}",
                f"{min(each):.2f} to {max(each):.2f}", "reached" if reached else "not reached"])
    cells += counted(results)
    return cells


def counted(results):
    lines = []

    def add(what, against, limit, unit, got):
        lines.append([what, against, f"at most {limit:,}{unit}", f"{got:,.0f}{unit}", "", "reached" if got <= limit
                      else "not reached"])
    if "instructions" in results:
        totals = {key: sum(one["objects"].values()) for key, one in results["instructions"]["counts"].items()}
        add("User instructions a point read, more than", "raw libpq, pipeline, shared Sync", INSTRUCTIONS_MAX, "",
            totals["router"] - totals["shared"])
    if "memory" in results:
        found = results["memory"]["bytes"]
        add("Memory of a router without connections", "", ROUTER_MAX, " bytes", found["router"])
        add("Memory of a queued request beside its text", "", REQUEST_MAX, " bytes", found["request"] - found["text"])
        add("Memory of a pooled connection beside libpq's", "", CONNECTION_MAX, " bytes", found["connection"])
    return lines


def objects(result):
    """User instructions by where they are spent: cells."""
    names = sorted({name for one in result["counts"].values() for name, n in one["objects"].items() if n >= 5},
                   key=lambda name: -max(one["objects"].get(name, 0) for one in result["counts"].values()))
    cells = [["", "all", *names]]
    for one in result["counts"].values():
        cells.append([one["label"], f"{sum(one['objects'].values()):,.0f}",
                      *(f"{one['objects'].get(name, 0):,.0f}" for name in names)])
    return cells


def plain(cells):
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    left = 2 if cells[0][1] == "against" else 1
    return "\n".join("  ".join(cell.ljust(width) if i < left else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in cells)


def markdown(cells, right=True):
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    lines.insert(1, "|---" + ("|---:" if right else "|---") * (len(cells[0]) - 1) + "|")
    return "\n".join(lines)


def facts(result):
    about = result["about"]
    return [about["machine"], ", ".join(f"{name} {number}" for name, number in about["versions"].items()),
            "server settings: " + ", ".join(f"{key} = {one}" for key, one in about["settings"].items()),
            f"pqrouter {about['commit']}, {about['date']}"]


def sections(results):
    """Title and cells of each part."""
    for name, result in results.items():
        if "rows" in result:
            yield f"{result['title']} ({result['rounds']} rounds of {result['seconds']:g} s)", table(result)
        elif name == "instructions":
            yield result["title"], objects(result)


def text(results):
    if not results:
        return "nothing was measured yet"
    lines = facts(next(iter(results.values())))
    for title, cells in sections(results):
        lines += ["", title, plain(cells)]
    cells = goals(results)
    if len(cells) > 1:
        lines += ["", plain(cells)]
    return "\n".join(lines)


HEAD = """# Benchmark

Written by `tests/bench/run --publish`. Client, pooler and servers share the machine and the loopback. All rows of a
table take turns in each round; the numbers are medians over the rounds, *x raw* is the median of the ratios to raw
libpq in the same round. *depth*: requests on a connection at a time; *shared*: requests with one Sync. *CPU*: the
client process's, user and system, a request; after a + the pooler's. "raw libpq" is a program written by hand for
just this load, on libpq and libuv (`tests/bench/raw.c`).

![Requests a second, beside raw libpq](results.svg)
"""


def publish(results, folder):
    everything = {**results}
    with open(os.path.join(folder, "results.md"), "w", encoding="utf-8") as file:
        file.write(HEAD + "\n" + "\n".join(f"- {fact}" for fact in widest_facts(everything)) + "\n")
        file.write("\n## Goals\n\n" + markdown(goals(everything), right=False) + "\n")
        for title, cells in sections(everything):
            file.write(f"\n## {title}\n\n{markdown(cells)}\n")
    with open(os.path.join(folder, "results.svg"), "w", encoding="utf-8") as file:
        file.write(chart.svg(everything))


def widest_facts(results):
    """Those of the part that names the most programs."""
    return facts(max(results.values(), key=lambda result: len(result["about"]["versions"])))
