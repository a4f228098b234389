#!/usr/bin/env python3
"""Runs every benchmark of a build and makes one table and one JSON file of their figures.

    run.py [--build build/release] [--out build/bench.json] [--rivals build/rivals.json] [--only REGEX]

The build's benches.txt (bench/CMakeLists.txt) lists the programs. A program prints, as JSON, one of
- Google Benchmark's object: every benchmark becomes a row: items_per_second, bytes_per_second, each user counter, else its
  time. The median is taken where there are repetitions.
- a list of {name, value, unit} (end-to-end programs): taken as it is.
Progress goes to standard error. bench/rivals.json says which row has which rival, and what that reached on another machine;
--rivals names what bench/rivals.py has just measured on this one. A rival that was not measured is shown with its reference,
its ratio with a ≈, since machines differ by a factor of two. bench/goals.json says what rows are to reach; the table shows it
beside them. A program that fails, or prints anything else, and a rival or goal whose row has gone or has another unit, is an
error: the others still run, and the exit code is 1.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

THIS_RUN = "this run"
QUICK = "WEIR_BENCH_QUICK" in os.environ  # As in bench_support.cpp.
REFERENCE = "reference, another machine"
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


def rows_of(text):
    document = json.loads(text)
    if isinstance(document, dict) and "benchmarks" in document:
        rows = rows_of_google(document)
    elif isinstance(document, list):
        rows = document
    else:
        raise ValueError("neither Google Benchmark's object nor a list of figures")
    return [{key: row[key] for key in ("name", "value", "unit")} for row in rows]


def with_rivals(rows, known, measured):
    """The rows with rival and rival_value. `known`: bench/rivals.json; `measured`: the values of this run."""
    for row in rows:
        key = known["rows"].get(row["name"])
        rival = known["rivals"].get(key)
        if rival is None:
            yield {**row, "rival": None, "rival_value": None}
        elif key in measured:
            yield {**row, "rival": f"{rival['what']} ({THIS_RUN})", "rival_value": measured[key]}
        elif "reference" not in rival:
            yield {**row, "rival": None, "rival_value": None}
        else:
            yield {**row, "rival": f"{rival['what']} ({REFERENCE})", "rival_value": rival["reference"]}


def mistakes(rows, known, goals, complete):
    """What is wrong with bench/rivals.json and goals.json. `complete`: every program has run, so every row must be there."""
    units = {row["name"]: row["unit"] for row in rows}
    for name, key in known["rows"].items():
        rival_unit = known["rivals"][key]["unit"]
        if name not in units:
            if complete:
                yield f"no benchmark has a row '{name}'"
        elif units[name] != rival_unit and not (is_rate(units[name]) and is_rate(rival_unit)):
            yield f"'{name}' is in '{units[name]}', its rival '{key}' in '{rival_unit}'"
    for name in goals:
        if complete and name not in units:
            yield f"no benchmark has a row '{name}', which has a goal"


def is_rate(unit):
    return unit in ("1/s", "events/s", "rows/s")


def ratio(row):
    """How many times better Weir is: above 1 is better, for rates and for times."""
    value, rival_value = row["value"], row["rival_value"]
    if rival_value is None or not value or not rival_value:
        return "–"
    times = value / rival_value if is_rate(row["unit"]) else rival_value / value
    return ("≈" if row["rival"].endswith(f"({REFERENCE})") else "") + f"{times:.2f}"


def goal(row, goals):
    """What the row is to reach: a rate at least, anything else at most."""
    wanted = goals.get(row["name"])
    return "–" if wanted is None else ("≥ " if is_rate(row["unit"]) else "≤ ") + shown(wanted)


def machine():
    """The processor and how many cores this process may use."""
    model = platform.machine()
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} {'core' if cores == 1 else 'cores'}"


def shown(value):
    if value is None:
        return "–"
    if isinstance(value, (int, float)):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def table(rows, goals):
    cells = [["figure", "value", "unit", "goal", "rival", "ratio", "reached by"]]
    cells += [[r["name"], shown(r["value"]), r["unit"] or "", goal(r, goals), shown(r["rival_value"]), ratio(r), r["rival"] or ""] for r in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = []
    for i, row in enumerate(cells):
        parts = [c.rjust(w) if k in (1, 3, 4, 5) else c.ljust(w) for k, (c, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(parts).rstrip())
        if i == 0:
            lines.append("  ".join("─" * w for w in widths))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench.json"))
    parser.add_argument("--rivals", type=pathlib.Path, help="what bench/rivals.py wrote; without it: reference figures")
    parser.add_argument("--only", type=re.compile)
    arguments = parser.parse_args()

    known = json.loads((pathlib.Path(__file__).parent / "rivals.json").read_text())
    goals = json.loads((pathlib.Path(__file__).parent / "goals.json").read_text())
    rivals = {"measured": {}, "missing": "bench/run.py was called without --rivals", "failed": []}
    if arguments.rivals:
        rivals = json.loads(arguments.rivals.read_text())
    rows, failed = [], [f"rivals: {line}" for line in rivals["failed"]]
    for line in (arguments.build / "benches.txt").read_text().splitlines():
        name, path = line.split(maxsplit=1)
        if arguments.only and not arguments.only.search(name):
            continue
        print(f"{name} …", file=sys.stderr, flush=True)
        run = subprocess.run([path, "--benchmark_format=json"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        try:
            if run.returncode != 0:
                raise ValueError(f"exit code {run.returncode}")
            rows += rows_of(run.stdout)
        except (ValueError, KeyError, TypeError) as error:  # ValueError: json's own error is one, too.
            failed.append(f"{name}: {error!r}")
    complete = not arguments.only and not failed
    failed += [f"bench/rivals.json, goals.json: {mistake}" for mistake in mistakes(rows, known, goals, complete)]
    rows = list(with_rivals(rows, known, rivals["measured"]))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"machine: {machine()}")
    if QUICK:
        print("WEIR_BENCH_QUICK: small inputs; these figures show that the benchmarks work, not how fast anything is")
    if rivals["missing"]:
        print(f"rivals:  NOT measured here, reference figures from another machine (≈): {rivals['missing']}")
    print(f"ratio:   how many times better than the rival, for rates and for times\n\n{table(rows, goals)}")
    print(f"\n{len(rows)} figures, as JSON in {arguments.out}")
    for line in failed:
        print(f"failed: {line}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
