"""bench/run.py's table and bench/rivals.py's input: rows from what programs print, rivals beside them, ratios that say which
way is better, and no figure of another machine that passes for one of this run."""
import importlib.util
import json
import pathlib
import re
import sys
import tempfile
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.dont_write_bytecode = True


def load(name):
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run = load("run")
rivals = load("rivals")
KNOWN = {"rivals": {"fast": {"what": "Fast", "unit": "1/s", "reference": 100}, "quick": {"what": "Quick", "unit": "us", "reference": 8}},
         "rows": {"rate": "fast", "time": "quick"}}


def rows_with(rows, measured):
    return list(run.with_rivals(rows, KNOWN, measured))


class Rows(unittest.TestCase):
    def test_a_list_of_figures_is_taken_as_it_is(self):
        self.assertEqual(run.rows_of('[{"name": "a", "value": 1, "unit": "s", "more": 2}]'), [{"name": "a", "value": 1, "unit": "s"}])

    def test_google_benchmark_gives_rates_and_counters_and_medians(self):
        plain = {"run_type": "iteration", "real_time": 5.0, "time_unit": "ns", "iterations": 1}
        text = json.dumps({"benchmarks": [
            {**plain, "name": "a", "run_name": "a", "items_per_second": 7.0, "p99_us": 3.0},
            {**plain, "name": "b", "run_name": "b", "real_time": 9.0},
            {**plain, "name": "b_median", "run_name": "b", "aggregate_name": "median", "real_time": 4.0}]})
        self.assertEqual([(r["name"], r["value"], r["unit"]) for r in run.rows_of(text)],
                         [("a", 7.0, "1/s"), ("a/p99_us", 3.0, "us"), ("b", 4.0, "ns")])

    def test_anything_else_is_an_error(self):
        for text in ("", "{}", '[{"name": "a"}]'):
            with self.assertRaises((ValueError, KeyError)):
                run.rows_of(text)


class Rivals(unittest.TestCase):
    rate = {"name": "rate", "value": 250, "unit": "events/s"}
    time = {"name": "time", "value": 2, "unit": "us"}
    alone = {"name": "alone", "value": 1, "unit": "s"}

    def test_what_was_measured_goes_before_the_reference_and_is_marked(self):
        measured, reference = rows_with([self.rate, self.time], {"fast": 50})
        self.assertEqual((measured["rival"], measured["rival_value"]), ("Fast (this run)", 50))
        self.assertEqual((reference["rival"], reference["rival_value"]), ("Quick (reference, another machine)", 8))

    def test_rows_have_the_five_keys_and_no_more(self):
        for row in rows_with([self.rate, self.time, self.alone], {"fast": 50}):
            self.assertEqual(list(row), ["name", "value", "unit", "rival", "rival_value"])

    def test_the_ratio_is_above_one_where_weir_is_better(self):
        rate, time, alone = rows_with([self.rate, self.time, self.alone], {"fast": 50, "quick": 8})
        self.assertEqual([run.ratio(rate), run.ratio(time), run.ratio(alone)], ["5.00", "4.00", "–"])
        self.assertEqual(run.ratio({**rate, "value": 25}), "0.50")
        self.assertEqual(run.ratio({**time, "value": 16}), "0.50")

    def test_a_ratio_to_another_machine_is_marked(self):
        rate, time = rows_with([self.rate, self.time], {})
        self.assertEqual([run.ratio(rate), run.ratio(time)], ["≈2.50", "≈4.00"])

    def test_a_rival_whose_row_has_gone_is_found_when_all_programs_ran(self):
        self.assertEqual(list(run.mistakes([self.rate, self.alone], KNOWN, {}, True)), ["no benchmark has a row 'time'"])
        self.assertEqual(list(run.mistakes([self.rate, self.alone], KNOWN, {}, False)), [])

    def test_a_row_in_another_unit_than_its_rival_is_found(self):
        self.assertEqual(list(run.mistakes([self.rate, self.time], KNOWN, {}, True)), [])
        self.assertEqual(list(run.mistakes([self.rate, {**self.time, "unit": "ms"}], KNOWN, {}, True)),
                         ["'time' is in 'ms', its rival 'quick' in 'us'"])

    def test_a_goal_whose_row_has_gone_is_found_when_all_programs_ran(self):
        rows = [self.rate, self.time, self.alone]
        self.assertEqual(list(run.mistakes(rows, KNOWN, {"alone": 3, "gone": 1}, True)), ["no benchmark has a row 'gone', which has a goal"])
        self.assertEqual(list(run.mistakes(rows, KNOWN, {"alone": 3, "gone": 1}, False)), [])

    def test_the_table_shows_value_goal_rival_and_ratio_in_columns(self):
        lines = run.table(rows_with([self.rate, self.alone, self.time], {"fast": 50}), {"rate": 150000, "alone": 0.5}).splitlines()
        self.assertEqual(len(lines), 5)
        self.assertEqual(re.split(r"\s{2,}", lines[0]), ["figure", "value", "unit", "goal", "rival", "ratio", "reached by"])
        self.assertEqual(re.split(r"\s{2,}", lines[2]), ["rate", "250", "events/s", "≥ 150,000", "50", "5.00", "Fast (this run)"])
        self.assertEqual(re.split(r"\s{2,}", lines[3]), ["alone", "1", "s", "≤ 0.5", "–", "–"])
        self.assertEqual(re.split(r"\s{2,}", lines[4])[3], "–")


class KnownRivals(unittest.TestCase):
    known = json.loads((BENCH / "rivals.json").read_text())

    def test_every_row_has_a_rival_and_every_rival_is_measured(self):
        self.assertLessEqual(set(self.known["rows"].values()), set(self.known["rivals"]))
        text = (BENCH / "rivals.py").read_text()
        for key in self.known["rivals"]:
            self.assertIn(f'"{key}": ', text)

    def test_every_row_of_the_long_programs_is_printed_by_one(self):
        sources = "".join(path.read_text() for path in BENCH.glob("*.cpp"))
        for row in [*self.known["rows"], *json.loads((BENCH / "goals.json").read_text())]:
            name, _, counter = row.rpartition("/")
            if re.split(": |, ", row)[-1] not in sources:
                self.assertIn(f'"{name}"', sources)
                self.assertIn(f'"{counter}"', sources)


class Input(unittest.TestCase):
    fields = {"hour": 5, "carrier": "UA", "temp": 39.02}

    def test_vowpal_wabbit_gets_labels_of_one_and_minus_one_or_none(self):
        self.assertEqual([json.loads(rivals.vw_json_line(self.fields, label)).get("_label") for label in (1, 0, None)], [1, -1, None])
        self.assertEqual([rivals.vw_text_line(self.fields, label) for label in (1, 0, None)],
                         [f"{label}|f hour:5 carrier=UA temp:39.02\n" for label in ("1 ", "-1 ", "")])

    def test_flights_carry_their_outcome_but_neither_id_nor_time(self):
        flights = list(rivals.shipped_flights())
        self.assertEqual(len(flights), 51955)
        self.assertEqual(sum(label is not None for _, label in flights), 50009)
        self.assertEqual(flights[0], ({"month": 1, "weekday": 1, "hour": 5, "carrier": "UA", "origin": "EWR", "dest": "IAH",
                                       "distance": 1400, "sched_dur": 184, "temp": 39.02, "dewp": 28.04, "humid": 64.43,
                                       "wind_speed": 12.66, "precip": 0, "pressure": 1011.9, "visib": 10, "dep_delay": 2}, 0))


class Installing(unittest.TestCase):
    def test_a_failure_names_its_reason(self):
        with self.assertRaisesRegex(rivals.Missing, "^no such package$"):
            rivals.run_installer(["/bin/sh", "-c", "echo 'ERROR: no such package'; echo a hint; exit 1"])
        with self.assertRaisesRegex(rivals.Missing, "^the package index does not answer: nothing matched$"):
            rivals.run_installer(["/bin/sh", "-c", "echo 'WARNING: Retrying (Retry(total=1))'; echo 'ERROR: nothing matched'; exit 1"])
        with self.assertRaisesRegex(rivals.Missing, "nowhere"):
            rivals.run_installer(["/nowhere/python"])

    def test_an_environment_of_other_pins_is_not_taken(self):
        calls = []
        original, rivals.run_installer = rivals.run_installer, calls.append
        try:
            with tempfile.TemporaryDirectory() as directory:
                venv = pathlib.Path(directory)
                (venv / "bin").mkdir()
                (venv / "bin" / "python").touch()
                (venv / "installed.txt").write_text("river==0.1\n")
                rivals.install(venv)
                self.assertEqual(len(calls), 2)
                rivals.install(venv)
                self.assertEqual(len(calls), 2)
        finally:
            rivals.run_installer = original


if __name__ == "__main__":
    unittest.main()
