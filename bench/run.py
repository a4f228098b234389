#!/usr/bin/env python3
"""Runs every benchmark of a build and makes one table and one JSON file of their figures.

    run.py [--build build/release] [--out build/bench.json] [--only REGEX]

The build's benches.txt (bench/CMakeLists.txt) lists the programs. A program prints, as JSON, one of
- Google Benchmark's object: every benchmark becomes a row: items_per_second, bytes_per_second, each user counter, else its
  time. The median is taken where there are repetitions.
- a list of {name, value, unit, rival, rival_value} (end-to-end programs): taken as it is.
Progress goes to standard error. The rivals of Google Benchmark rows are in bench/rivals.json: {row: [rival, value]}.
A program that fails, or prints anything else, is an error: the others still run, and the exit code is 1.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys

BUILT_IN = {"name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions", "repetition_index",
            "threads", "iterations", "real_time", "cpu_time", "time_unit", "items_per_second", "bytes_per_second",
            "aggregate_name", "aggregate_unit", "label", "error_occurred", "error_message"}


def rows_of_google(document):
    every = document["benchmarks"]
    medians = {b["run_name"] for b in every if b.get("aggregate_name") == "median"}
    for b in every:
        if b.get("error_occurred"):
            raise ValueError(f"{b['name']}: {b.get('error_message', 'failed')}")
        aggregate = b.get("aggregate_name")
        if (b["run_name"] in medians) != (aggregate == "median") or aggregate not in (None, "median"):
            continue
        name = b["run_name"]
        counters = {k: v for k, v in b.items() if k not in BUILT_IN and isinstance(v, (int, float))}
        if "items_per_second" in b:
            yield {"name": name, "value": b["items_per_second"], "unit": "1/s"}
        elif "bytes_per_second" in b:
            yield {"name": name, "value": b["bytes_per_second"] / 1e6, "unit": "MB/s"}
        elif not counters:
            yield {"name": name, "value": b["real_time"], "unit": b["time_unit"]}
        for counter, value in counters.items():  # A counter names its unit after its last underscore: p99_us.
            yield {"name": f"{name}/{counter}", "value": value, "unit": counter.rpartition("_")[2] if "_" in counter else ""}


def rows_of(text, rivals):
    document = json.loads(text)
    if isinstance(document, dict) and "benchmarks" in document:
        rows = list(rows_of_google(document))
    elif isinstance(document, list):
        rows = document
    else:
        raise ValueError("neither Google Benchmark's object nor a list of figures")
    for row in rows:
        rival, rival_value = rivals.get(row["name"], (None, None))
        row.setdefault("rival", rival)
        row.setdefault("rival_value", rival_value)
        yield {key: row[key] for key in ("name", "value", "unit", "rival", "rival_value")}


def shown(value):
    if value is None:
        return "–"
    if isinstance(value, (int, float)):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def table(rows):
    cells = [["figure", "value", "unit", "others", "reached by"]]
    cells += [[r["name"], shown(r["value"]), r["unit"] or "", shown(r["rival_value"]), r["rival"] or ""] for r in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(5)]
    lines = []
    for i, row in enumerate(cells):
        parts = [c.rjust(w) if k in (1, 3) else c.ljust(w) for k, (c, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(parts).rstrip())
        if i == 0:
            lines.append("  ".join("─" * w for w in widths))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench.json"))
    parser.add_argument("--only", type=re.compile, default=re.compile(""))
    arguments = parser.parse_args()

    rivals = json.loads((pathlib.Path(__file__).parent / "rivals.json").read_text())
    rows, failed = [], []
    for line in (arguments.build / "benches.txt").read_text().splitlines():
        name, path = line.split(maxsplit=1)
        if not arguments.only.search(name):
            continue
        print(f"{name} …", file=sys.stderr, flush=True)
        run = subprocess.run([path, "--benchmark_format=json"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        try:
            if run.returncode != 0:
                raise ValueError(f"exit code {run.returncode}")
            rows += rows_of(run.stdout, rivals)
        except (ValueError, KeyError, TypeError) as error:  # ValueError: json's own error is one, too.
            failed.append(f"{name}: {error!r}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(rows, indent=2) + "\n")
    print(table(rows))
    print(f"\n{len(rows)} figures, as JSON in {arguments.out}")
    for line in failed:
        print(f"failed: {line}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
