#!/usr/bin/env python3
"""What simple learners of known libraries get right of the tasks of bench/learning/hashtron.cpp, on the same samples.

    rivals.py --samples build/release/bench/hashtron_learning [--venv build/learning-rivals]

Installs bench/learning/rivals.txt from PyPI into an environment of its own, unless it is there already, and prints for each
rival and task what it gets right of the samples it learned from and of those held out, in %, and its bytes. Settings are chosen
by five-fold cross-validation on the samples to learn from; what is held out is looked at once, at the end. Nothing here is left
to chance, so there is one run and no standard error. Without PyPI: a message, and exit code 0.

Bytes: of logistic regression its weights as float64; of nearest neighbours the samples they keep, each with as many bits as tell
it from others and its label; of the trees LightGBM's own text, packed by zlib.
"""
import argparse
import pathlib
import subprocess
import sys
import warnings
import zlib

LEARNING = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(LEARNING.parent))
TASKS = ["bit 4", "bit 3", "bit 2", "bit 4 noise", "bit 3 noise", "bit 2 noise", "majority"]
FOLDS = 5


# --- The work, under the environment's interpreter --------------------------------------------------------------------------

def read(program, column):
    """Features and labels of both parts."""
    import numpy
    text = subprocess.run([program, "samples", str(column)], check=True, stdout=subprocess.PIPE, text=True).stdout
    parts = {"train": [], "held_out": []}
    for line in text.splitlines():
        part, *numbers = line.split()
        parts[part].append([int(number) for number in numbers])
    arrays = {part: numpy.array(rows, dtype=numpy.int64) for part, rows in parts.items()}
    return {part: (rows[:, 1:], rows[:, 0]) for part, rows in arrays.items()}


def bits_of(data):
    """Every bit that some feature has, once: the ten bits of x, the fifteen that the windows show."""
    import numpy
    wide = {part: numpy.concatenate([features >> bit & 1 for bit in range(16)], axis=1) for part, (features, _) in data.items()}
    _, first = numpy.unique(wide["train"], axis=1, return_index=True)
    first = [column for column in sorted(first) if len(set(wide["train"][:, column])) > 1]
    return {part: (wide[part][:, first], data[part][1]) for part in data}


def logistic():
    from sklearn.linear_model import LogisticRegression
    for c in (0.01, 0.1, 1.0, 10.0, 100.0):
        yield LogisticRegression(C=c, max_iter=1000)


def neighbours(metric):
    from sklearn.neighbors import KNeighborsClassifier
    for k in (1, 3, 5, 9, 15, 25, 41):
        for weights in ("uniform", "distance"):
            yield KNeighborsClassifier(n_neighbors=k, weights=weights, metric=metric, algorithm="brute", n_jobs=1)


def trees():
    from lightgbm import LGBMClassifier
    for leaves in (4, 16, 31):
        for count in (20, 50, 100, 200):
            yield LGBMClassifier(num_leaves=leaves, n_estimators=count, learning_rate=0.1, min_child_samples=10, n_jobs=1,
                                 deterministic=True, force_row_wise=True, random_state=1, verbose=-1)


def bytes_of_weights(model, bits):
    return 8 * (model.coef_.size + 1)


def bytes_of_samples(model, bits):
    return (bits.shape[0] * (bits.shape[1] + 1) + 7) // 8


def bytes_of_trees(model, bits):
    return len(zlib.compress(model.booster_.model_to_string().encode()))


RIVALS = {
    "logistic regression, bits": (True, logistic, bytes_of_weights),
    "nearest neighbours, bits": (True, lambda: neighbours("hamming"), bytes_of_samples),
    "nearest neighbours, numbers": (False, lambda: neighbours("manhattan"), bytes_of_samples),
    "LightGBM, bits": (True, trees, bytes_of_trees),
    "LightGBM, numbers": (False, trees, bytes_of_trees),
}


def work(program):
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=1)
    tasks = {task: read(program, column) for column, task in enumerate(TASKS)}
    print("train/held out in %, bytes; settings chosen by cross-validation")
    for rival, (wants_bits, candidates, bytes_of) in RIVALS.items():
        print(rival)
        for task, data in tasks.items():
            bits = bits_of(data)
            seen = bits if wants_bits else data
            (x, y), (x_held_out, y_held_out) = seen["train"], seen["held_out"]
            model = max(candidates(), key=lambda candidate: cross_val_score(candidate, x, y, cv=folds).mean())
            model.fit(x, y)
            size = bytes_of(model, bits["train"][0])
            print(f"  {task:<12} {100 * model.score(x, y):6.1f}/{100 * model.score(x_held_out, y_held_out):5.1f}  "
                  f"{size:6d} B", flush=True)


# --- The environment ---------------------------------------------------------------------------------------------------------

def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", required=True, help="the program that prints the samples: hashtron_learning")
    parser.add_argument("--venv", type=pathlib.Path, default=pathlib.Path("build/learning-rivals"))
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.samples)
        return 0
    import rivals  # bench/rivals.py
    try:
        python = rivals.install(arguments.venv.absolute(), LEARNING / "rivals.txt")
    except rivals.Missing as error:
        print(f"*** scikit-learn and LightGBM are NOT measured: they cannot be installed: {error}", file=sys.stderr)
        return 0
    return subprocess.run([str(python), __file__, "--work", "--samples", arguments.samples], stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
