"""All questions about what the SDK costs, one table for each.

    pip install -e '.[bench]'
    python -m benchmarks [--quick]

A quarter of an hour; `--quick` takes seconds, shows only that all of it works, and writes nothing.
The tables are also written beside this file, as `results.json` and as the chart `results.svg`. Each
module says what its figures mean; `pace`, `outage`, `latency`, `journal`, `machines`, `kills` and
`soak` are about other things than cost, and run by themselves.
"""

import argparse
import json
from pathlib import Path

from benchmarks import calls, growth, many, parts, start
from benchmarks.chart import Bars, svg
from benchmarks.measuring import Table, machine

_FOLDER = Path(__file__).parent
_VERSIONS = ("Python", "aiohttp", "tenacity", "httpx")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: only to see that it works")
    quick = parser.parse_args().quick
    found = machine()
    print(", ".join(f"{name} {what}" for name, what in found.items()))
    tables: list[Table] = []
    for question in (calls, many, growth, parts, start):
        for table in question.tables(quick):
            print(f"\n{table}", flush=True)
            tables.append(table)
    if not quick:
        _write(found, tables)


def _write(found: dict[str, str], tables: list[Table]) -> None:
    results = {
        "with": found,
        "tables": [
            {
                "title": table.title,
                "rows": [
                    dict(zip(("name", *table.columns), row, strict=True)) for row in table.rows
                ],
            }
            for table in tables
        ],
    }
    (_FOLDER / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    by_title = {table.title: table for table in tables}
    shown = (
        (calls.SHOWN, "calls/s", "rate", "a second"),
        (calls.SHOWN_OVER_TLS, "CPU us", "CPU time", "us"),
        (many.SHOWN, "contacts/s", "rate", "a second"),
        (many.SHOWN, "peak MiB", "memory added at the peak", "MiB"),
    )
    charts = [
        _bars(f"{title}: {what}", unit, by_title[title], column)
        for title, column, what, unit in shown
        if title in by_title  # without what it needs, a table is left out
    ]
    versions = (f"{name} {found[name]}" for name in _VERSIONS if name in found)
    footer = f"{', '.join(versions)}; {found['cores']} cores; python -m benchmarks"
    (_FOLDER / "results.svg").write_text(svg(charts, footer))


def _bars(title: str, unit: str, table: Table, column: str) -> Bars:
    at = table.columns.index(column) + 1
    return Bars(title, unit, [(str(row[0]), float(row[at])) for row in table.rows])


if __name__ == "__main__":
    main()
