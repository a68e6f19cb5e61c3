"""A bar chart in SVG, readable on light and dark pages: groups of bars, each the ratio to raw libpq."""
from statistics import median
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, GAP, HEAD, TITLE = 860, 330, 18, 6, 34, 56
OWN, HAND, OTHER = "#2f6fde", "#8a94a6", "#c3c9d4"
# Part, its title, and the rows shown of it; those of a second part that repeats raw libpq are put beside them.
GROUPS = (
    ("point-read", "Point reads by primary key", ("router", "shared", "router-alone", "pipelined", "raw")),
    ("peers", "The same through other pools", ("postgresjs", "pgbouncer", "pgbouncer-pipelined", "psycopg2", "pg",
                                              "pgpool")),
    ("ten-rows", "Reads of ten rows", ("router", "shared", "raw")),
    ("transaction-off", "TPC-B-like transactions, synchronous_commit off", ("router-unit", "raw-unit", "router",
                                                                          "raw")),
    ("mix-off", "80 % reads, 20 % writes, three servers, synchronous_commit off",
     ("router-writes", "router", "shared", "raw")),
)


def bars(results):
    """(title, [(label, ratio, rate, colour)]) of each group."""
    for part, title, keys in GROUPS:
        if part not in results:
            continue
        rows = {row["key"]: row for row in results[part]["rows"]}
        found = []
        for key in keys:
            if key in rows:
                ratio = median(a[0] / b[0] for a, b in zip(rows[key]["samples"], rows["raw"]["samples"]))
                rate = median(sample[0] for sample in rows[key]["samples"])
                colour = OWN if key.startswith("router") else HAND if part != "peers" else OTHER
                found.append((rows[key]["label"], ratio, rate, colour))
        yield title, found


def svg(results):
    groups = list(bars(results))
    widest = max((bar[1] for _, found in groups for bar in found), default=1)
    scale = (WIDTH - LABEL - 130) / widest
    body, y = [], TITLE
    for title, found in groups:
        y += HEAD
        body.append(f'<text class="group" x="16" y="{y - 8}">{escape(title)}</text>')
        for label, ratio, rate, colour in found:
            width, middle = max(ratio * scale, 1), y + BAR - 5
            body.append(f'<text x="{LABEL - 8}" y="{middle}" text-anchor="end">{escape(label)}</text>'
                        f'<rect x="{LABEL}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" fill="{colour}"/>'
                        f'<text class="value" x="{LABEL + width + 6:.1f}" y="{middle}">{ratio:.2f}x'
                        f'<tspan class="rate" dx="6">{rate:,.0f}/s</tspan></text>')
            y += BAR + GAP
    one = LABEL + scale
    about = next(iter(results.values()))["about"]
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 30}" \
viewBox="0 0 {WIDTH} {y + 30}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="12" fill="#1c2430">
<style>
.group {{ font-weight: 600 }} 
.rate, .note {{ fill: #5b6678 }}
.value {{ paint-order: stroke; stroke: #ffffff; stroke-width: 4px }}
</style>
<rect width="100%" height="100%" rx="6" fill="#ffffff"/>
<text x="16" y="26" font-size="16" font-weight="600">Throughput, as a multiple of raw libpq without pipelining</text>
<text class="note" x="16" y="45">{escape(about["machine"])}; client and servers on it; \
PostgreSQL {about["versions"]["PostgreSQL"]}</text>
<line x1="{one:.1f}" y1="{TITLE + 10}" x2="{one:.1f}" y2="{y}" stroke="#b3bac6" stroke-dasharray="3 3"/>
{chr(10).join(body)}
<text class="note" x="16" y="{y + 18}">64 requests outstanding, medians of interleaved rounds; \
tests/bench/run, pqrouter {escape(about["commit"])}</text>
</svg>
"""
