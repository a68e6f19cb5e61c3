"""A bar chart in SVG, readable on light and dark pages: groups of bars, each the ratio to raw libpq, and beside each
what it was measured with."""
from statistics import median
from xml.sax.saxutils import escape

from parts import DEPTH, SHARE

WIDTH, LABEL, BAR, GAP, HEAD, TITLE, LINE = 940, 232, 18, 6, 34, 84, 17
OWN, HAND, OTHER = "#2f6fde", "#8a94a6", "#c3c9d4"
COLOURS = ((OWN, "pqrouter"), (HAND, "a program written by hand on libpq and libuv"), (OTHER, "other pools"))
# Each row's settings: the head, its key, and where the column ends.
COLUMNS = (("connections", "connections", 312), ("clients", "clients", 362), ("depth", "depth", 412),
           ("a Sync", "share", 464))
FROM = 476  # where the bars begin
# Part, its title, and the rows shown of it.
GROUPS = (
    ("point-read", "Point reads by primary key", ("router", "shared", "router-alone", "pipelined", "raw")),
    ("peers", "The same beside other pools", ("router", "pgbouncer-pipelined", "postgresjs", "pgbouncer", "pg",
                                             "psycopg2", "pgpool")),
    ("ten-rows", "Reads of ten rows", ("router", "shared", "raw")),
    ("transaction-off", "Transactions like TPC-B's, synchronous_commit off", ("router-unit", "raw-unit", "router",
                                                                            "raw")),
    ("mix-off", "80 % reads, 20 % writes, a primary and two replicas, synchronous_commit off",
     ("router-writes", "router", "shared", "raw")),
)
POOLS = {"postgresjs": "postgres.js", "pgbouncer-pipelined": "PgBouncer, pipelining client", "pgbouncer": "PgBouncer",
         "pg": "node-postgres", "psycopg2": "psycopg2", "pgpool": "pgpool-II"}
NOTES = (
    "connections: of the client, to each server. clients: requests outstanding (16 threads with psycopg2). depth: "
    "requests in the air of a connection.",
    "a Sync: requests under one Sync, the end of a unit of work in PostgreSQL's protocol: all are answered at once.",
    f"default: what each does unless it is told otherwise; pqrouter's are a depth of {DEPTH}, and {SHARE} a Sync.",
    "All over TCP. Over Unix sockets and TLS, latencies, CPU, memory: tests/bench/results.md.",
)


def measured(row, raw):
    """The ratio to raw libpq in the same rounds, and the rate."""
    return (median(a[0] / b[0] for a, b in zip(row["samples"], raw["samples"])),
            median(sample[0] for sample in row["samples"]))


def colour_of(key):
    return OWN if key.startswith("router") else OTHER if key in POOLS else HAND


def groups_of(results):
    """(title, [(row, ratio, rate)]) of each group."""
    for part, title, keys in GROUPS:
        if part in results:
            rows = {row["key"]: row for row in results[part]["rows"]}
            yield title, [(rows[key], *measured(rows[key], rows["raw"])) for key in keys if key in rows]


def text(x, y, content, **attributes):
    more = "".join(f' {name.replace("_", "-").rstrip("-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:g}" y="{y:g}"{more}>{content}</text>'


def right(x, y, content, **attributes):
    return text(x, y, escape(content), text_anchor="end", **attributes)


def number(cell):
    return cell.split()[0]  # "16 threads": so says the note


def bar(y, row, ratio, rate, scale):
    width, middle = max(ratio * scale, 1), y + BAR - 5
    yield right(LABEL, middle, POOLS.get(row["key"], row["label"]))
    for _, key, x in COLUMNS:
        yield right(x, middle, number(row[key]), class_="note")
    yield f'<rect x="{FROM}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" fill="{colour_of(row["key"])}"/>'
    yield text(round(FROM + width + 6, 1), middle,
               f'{ratio:.2f}x<tspan class="note" dx="6">{rate:,.0f}/s</tspan>', class_="value")


def legend(y):
    x = 16
    for colour, what in COLOURS:
        yield f'<rect x="{x}" y="{y - 10}" width="12" height="12" rx="2" fill="{colour}"/>'
        yield text(x + 18, y, escape(what))
        x += 40 + 7 * len(what)


def heads(y):
    for head, _, x in COLUMNS:
        yield right(x, y, head, class_="note")


def wrapped(words, width=150):
    """Lines of them, none longer."""
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += (", " if lines[-1] else "") + word
    return lines


def notes(results):
    about = max((result["about"] for result in results.values()), key=lambda about: len(about["versions"]))
    shown = [part for part, _, _ in GROUPS]
    rounds = sorted({result["rounds"] for name, result in results.items() if name in shown})
    yield from NOTES
    yield from wrapped([f"{name} {version}" for name, version in about["versions"].items() if name != "compiler cc"])
    yield from wrapped([f"{name} = {value}" for name, value in about["settings"].items()])
    yield (f"medians of {' or '.join(map(str, rounds))} rounds in which all rows of a group take turns; "
           f"tests/bench/run, pqrouter {about['commit']}, {about['date']}")


def svg(results):
    groups = list(groups_of(results))
    widest = max((ratio for _, found in groups for _, ratio, _ in found), default=1)
    scale = (WIDTH - FROM - 120) / widest
    body, y = [*legend(66), *heads(TITLE + HEAD - 8)], TITLE
    for title, found in groups:
        y += HEAD
        body.append(text(16, y - 8, escape(title), class_="group"))
        for row, ratio, rate in found:
            body += bar(y, row, ratio, rate, scale)
            y += BAR + GAP
    one, end = FROM + scale, y
    for line in notes(results):
        y += LINE
        body.append(text(16, y + 4, escape(line), class_="note small"))
    about = next(iter(results.values()))["about"]
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 18}" \
viewBox="0 0 {WIDTH} {y + 18}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="12" fill="#1c2430">
<style>
.group {{ font-weight: 600 }}
.note {{ fill: #5b6678 }}
.small {{ font-size: 11px }}
.value {{ paint-order: stroke; stroke: #ffffff; stroke-width: 4px }}
</style>
<rect width="100%" height="100%" rx="6" fill="#ffffff"/>
<text x="16" y="26" font-size="16" font-weight="600">Requests a second, as a multiple of raw libpq without \
pipelining</text>
<text class="note" x="16" y="45">{escape(about["machine"])}; client and servers on it</text>
<line x1="{one:.1f}" y1="{TITLE + 14}" x2="{one:.1f}" y2="{end}" stroke="#b3bac6" stroke-dasharray="3 3"/>
{right(one + 28, TITLE + 8, "raw libpq = 1", class_="note small")}
{chr(10).join(body)}
</svg>
"""
