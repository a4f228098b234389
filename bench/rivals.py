#!/usr/bin/env python3
"""Measures what others reach on this machine, so that Weir's figures can be given as ratios.

    rivals.py [--venv build/rivals] [--out build/rivals.json]

Installs bench/rivals.txt from PyPI into an environment of its own, unless it is there already, and writes
    {"measured": {RIVAL: value}, "missing": WHY NOTHING COULD BE MEASURED or null, "failed": [WHAT WENT WRONG]}
with the rivals of bench/rivals.json, in their units. Medians of three rounds, each measurement in a process of its own.
Nothing is taken from an earlier call. The exit code is 0 where nothing can be installed, too: bench/run.py then shows the
reference figures, and says so.

The events are those of end_to_end_bench (bench_support.cpp, longer_flights) with all their fields but id and time: then the
rounds, which differ in these two only, are the same lines again. Each carries its label, which spares the rivals the join;
the few that never got an outcome are predicted and not learnt. Vowpal Wabbit runs as its C++ program does: its driver reads
the file, parses on a thread of its own, and learns. river gets rows that are parsed already.
"""
import argparse
import gzip
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

BENCH = pathlib.Path(__file__).resolve().parent
FLIGHTS = BENCH.parent / "data" / "flights"
REQUIREMENTS = BENCH / "rivals.txt"
PYTHON_MIN = (3, 11)
INSTALL_SECONDS_MAX = 300
MEASURE_SECONDS_MAX = 120
ROUNDS = 3
QUICK = "WEIR_BENCH_QUICK" in os.environ  # As in bench_support.cpp.
VOWPAL_WABBIT = ["--loss_function", "logistic", "--link", "logistic", "-l", "2", "--quiet"]


class Missing(Exception):
    """The rivals cannot be installed here."""


# --- Installing -------------------------------------------------------------------------------------------------------------

def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["no message"])[-1].strip().removeprefix("ERROR: ")


def find_python():
    """The interpreter for the environment: this one, or a newer one where it is too old for the wheels."""
    if sys.version_info >= PYTHON_MIN:
        return sys.executable
    for minor in range(PYTHON_MIN[1], 15):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    raise Missing(f"no Python from {'.'.join(map(str, PYTHON_MIN))} on (this one is {sys.version.split()[0]})")


def run_installer(arguments):
    try:
        run = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             timeout=INSTALL_SECONDS_MAX)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(str(error)) from error
    if run.returncode != 0:
        # pip says of an index that it cannot reach only that nothing matched.
        unreachable = "the package index does not answer: " if "WARNING: Retrying" in run.stdout else ""
        raise Missing(unreachable + last_line(run.stdout))


def install(venv, requirements=REQUIREMENTS):
    """The environment's interpreter. Quick when the pinned packages are there."""
    python = venv / "bin" / "python"
    stamp = venv / "installed.txt"  # Written last: an installation that was cut short is done again.
    wanted = requirements.read_text()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    progress(f"installing {', '.join(line for line in wanted.splitlines() if '==' in line)} in {venv}")
    run_installer([find_python(), "-m", "venv", "--clear", str(venv)])
    # Wheels only: a machine that has none would else compile for an hour, and fail.
    run_installer([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "2",
                   "--timeout", "20", "--only-binary", ":all:", "--requirement", str(requirements)])
    stamp.write_text(wanted)
    return python


# --- The input --------------------------------------------------------------------------------------------------------------

def lines_of(name):
    with gzip.open(FLIGHTS / name, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def shipped_flights():
    """Pairs of fields and label: 1, 0, or None where no outcome came."""
    labels = {outcome["id"]: outcome["label"] for outcome in lines_of("outcomes.jsonl.gz")}
    for event in lines_of("events.jsonl.gz"):
        yield {k: v for k, v in event.items() if k not in ("id", "ts") and v is not None}, labels.get(event["id"])


def vw_json_line(fields, label):
    shown = {} if label is None else {"_label": 1 if label else -1}
    return json.dumps({**shown, "f": fields}, separators=(",", ":")) + "\n"


def vw_text_line(fields, label):
    features = " ".join(f"{k}={v}" if isinstance(v, str) else f"{k}:{v}" for k, v in fields.items())
    return f"{'' if label is None else '1 ' if label else '-1 '}|f {features}\n"


def make_input(directory):
    """Vowpal Wabbit's files; the number of events in each."""
    directory.mkdir(parents=True, exist_ok=True)
    flights = list(shipped_flights())
    times = 1 if QUICK else 6  # As end_to_end_bench.
    for name, line_of in (("flights.json", vw_json_line), ("flights.txt", vw_text_line)):
        text = "".join(line_of(*flight) for flight in flights)
        with open(directory / name, "w", encoding="utf-8") as file:
            for _ in range(times):
                file.write(text)
    return len(flights) * times


# --- The work, in a process of its own under the environment's interpreter ---------------------------------------------------

def work_vw(directory, count, arguments):
    import vowpalwabbit
    predictions = directory / "predictions.txt"
    predictions.unlink(missing_ok=True)
    arguments = [str(predictions) if a == "PREDICTIONS" else a for a in arguments]
    since = time.perf_counter()
    workspace = vowpalwabbit.Workspace(arg_list=arguments + VOWPAL_WABBIT)  # Runs the driver over the file.
    seen, loss = workspace.get_weighted_examples(), workspace.get_sum_loss()
    workspace.finish()
    seconds = time.perf_counter() - since
    if seen != count:
        raise RuntimeError(f"{seen:.0f} of {count} events were read")
    if not 0.0 < loss / count < 0.5:  # Always the base rate: 0.54.
        raise RuntimeError(f"a log-loss of {loss / count:.3f}: nothing was learnt")
    if "-p" in arguments:
        with open(predictions, "rb") as file:
            written = sum(1 for _ in file)
        if written != count:
            raise RuntimeError(f"{written} predictions of {count} events")
    return count / seconds


def work_river(count_max):
    from river import compose, linear_model, optim, preprocessing
    numbers = compose.SelectType((int, float)) | preprocessing.StandardScaler()
    texts = compose.SelectType(str) | preprocessing.OneHotEncoder()
    model = (numbers + texts) | linear_model.LogisticRegression(optim.SGD(0.01))
    rows, last = [], {}
    for fields, label in shipped_flights():
        last = {**last, **fields}  # The last seen value for a missing one.
        if label is not None:
            rows.append((last, bool(label)))
        if len(rows) == count_max:
            break
    took, right = [], 0
    since = time.perf_counter()
    for features, label in rows:
        begin = time.perf_counter_ns()
        probability = model.predict_proba_one(features)
        model.learn_one(features, label)
        took.append(time.perf_counter_ns() - begin)
        right += (probability.get(True, 0.5) > 0.5) == label
    seconds = time.perf_counter() - since
    if right < 0.8 * len(rows):  # Always on time: 0.77.
        raise RuntimeError(f"{right} of {len(rows)} right: nothing was learnt")
    took.sort()
    return {"river": len(rows) / seconds, "river_p50": took[len(took) // 2] / 1e3, "river_p999": took[int(0.999 * len(took))] / 1e3}


def work_river_import():
    since = time.perf_counter()
    import river.compose
    import river.linear_model
    import river.optim
    import river.preprocessing  # noqa: F401
    return time.perf_counter() - since


def on_one_core():
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def work_vw_json(directory, count, name, one_core):
    if one_core:
        on_one_core()
    return {name: work_vw(directory, count, ["-d", str(directory / "flights.json"), "--json", "-p", "PREDICTIONS"])}


def work_vw_text(directory, count):
    on_one_core()  # As the core loop, and as its reference.
    return {"vw_text": work_vw(directory, count, ["-d", str(directory / "flights.txt")])}


WORK = {
    "vw_json_predictions": lambda d, n: work_vw_json(d, n, "vw_json_predictions", one_core=True),
    "vw_json_predictions_all_cores": lambda d, n: work_vw_json(d, n, "vw_json_predictions_all_cores", one_core=False),
    "vw_text": work_vw_text,
    "river": lambda d, n: work_river(5_000 if QUICK else 50_000),
    "river_import": lambda d, n: {"river_import": work_river_import()},
}


# --- All of it --------------------------------------------------------------------------------------------------------------

def progress(text):
    print(f"  {text}", file=sys.stderr, flush=True)


def measure(python, work, directory, count):
    run = subprocess.run([str(python), __file__, "--work", work, "--input", str(directory), "--count", str(count)],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         timeout=MEASURE_SECONDS_MAX)
    if run.returncode != 0:
        raise RuntimeError(last_line(run.stderr) if run.stderr.strip() else f"exit code {run.returncode}")
    return json.loads(run.stdout.splitlines()[-1])


def measure_all(python, directory):
    """The medians, and what went wrong. The rounds are outermost: a machine that slows down does so for all."""
    count = make_input(directory)
    values, failed = {}, []
    left = list(WORK)
    for number in range(1, ROUNDS + 1):
        for work in list(left):
            try:
                found = measure(python, work, directory, count)
            except (RuntimeError, ValueError, IndexError, OSError, subprocess.SubprocessError) as error:
                failed.append(f"{work}: {error}")
                left.remove(work)
                continue
            for name, value in found.items():
                values.setdefault(name, []).append(value)
            progress(f"round {number}: " + ", ".join(f"{name} {value:.6g}" for name, value in found.items()))
    return {name: statistics.median(v) for name, v in values.items() if len(v) == ROUNDS}, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--venv", type=pathlib.Path, default=pathlib.Path("build/rivals"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/rivals.json"))
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--input", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        print(json.dumps(WORK[arguments.work](arguments.input, arguments.count)))
        return 0

    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.unlink(missing_ok=True)  # Whatever happens: no figures of an earlier run.
    print("rivals …", file=sys.stderr, flush=True)
    result = {"measured": {}, "missing": None, "failed": []}
    try:
        python = install(arguments.venv.absolute())
        directory = arguments.venv.absolute() / "input"
        try:
            result["measured"], result["failed"] = measure_all(python, directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    except Missing as error:
        result["missing"] = str(error)
        print(f"\n*** Vowpal Wabbit and river are NOT measured: they cannot be installed: {error}\n"
              "*** The table takes reference figures from another machine in their place, and marks them.\n", file=sys.stderr)
    for line in result["failed"]:
        print(f"\n*** a rival is NOT measured: {line}\n", file=sys.stderr)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
