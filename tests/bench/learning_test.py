"""bench/learning/hashtron.cpp: its table's claim holds on few seeds, its samples are those of the tasks, mistakes are named.

    learning_test.py HASHTRON_LEARNING
"""
import re
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop()
LINE = re.compile(r"  (bit \d(?: noise)?|majority) +([\d.]+)/ *([\d.]+) ± ([\d.]+) \((\d+)\) +(\d+) +(\d+) B")


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)


def table(text):
    """{row: {task: (held out, bytes of filters, bytes of the file)}}"""
    rows, row = {}, None
    for line in text.splitlines()[1:]:
        found = LINE.match(line)
        if found:
            rows[row][found[1]] = (float(found[3]), int(found[6]), int(found[7]))
        else:
            row = int(line.split()[0])
            rows[row] = {}
    return rows


class Learning(unittest.TestCase):
    def test_by_edge_gains_three_points_in_no_more_bytes_on_seeds_that_the_table_does_not_have(self):
        rows = table(run("501-504", "3", "4", "10").stdout)
        self.assertEqual(sorted(rows), [3, 4, 10])
        for task in ("bit 4 noise", "bit 3 noise", "bit 2 noise"):
            best = max(rows[3][task][0], rows[4][task][0])
            self.assertGreater(rows[10][task][0], best + 3, task)
            for size in (1, 2):
                self.assertLessEqual(rows[10][task][size], min(rows[3][task][size], rows[4][task][size]), task)
        self.assertGreater(rows[10]["majority"][0], max(rows[3]["majority"][0], rows[4]["majority"][0]) + 10)

    def test_the_rivals_get_the_samples_that_the_networks_get(self):
        for column, ones in ((0, 409), (1, 211), (2, 101)):
            parts = {"train": [], "held_out": []}
            for line in run("samples", str(column)).stdout.splitlines():
                part, label, *features = line.split()
                parts[part].append((int(features[0]), int(label)))
                self.assertEqual([int(feature) for feature in features], [int(features[0]) >> n for n in range(8)])
            self.assertEqual((len(parts["train"]), len(parts["held_out"])), (823, 201))
            self.assertEqual([x for x, _ in parts["held_out"]][:12], [6, 8, 13, 24, 29, 31, 38, 40, 49, 51, 58, 60])
            everything = parts["train"] + parts["held_out"]
            self.assertEqual(sorted(x for x, _ in everything), list(range(1024)))
            for x, label in everything:
                self.assertEqual(label, int(x ** 0.5) >> (4 - column) & 1)
            self.assertEqual(sum(2 * label - 1 for _, label in parts["train"]), ones)

    def test_mistakes_are_named(self):
        for arguments, said in ((["0"], "seeds '0'"), (["5-2"], "seeds '5-2'"), (["2", "17"], "row '17'"), (["samples", "7"], "seeds")):
            result = run(*arguments)
            self.assertEqual(result.returncode, 2)
            self.assertIn(said, result.stderr)


if __name__ == "__main__":
    unittest.main()
