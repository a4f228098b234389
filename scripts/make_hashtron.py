#!/usr/bin/env python3
"""Makes events.jsonl.gz and outcomes.jsonl.gz: the generated task sqrt-bit:C=5,b=3 as records, for networks of hashtrons.

    make_hashtron.py OUT [--check DIR]      --check: the files must be those of DIR, byte for byte once unpacked

events:   id, ts, x: a whole number below 1024, drawn anew for each event; one event every two seconds.
outcomes: id, ts, label: bit 3 of the whole square root of x, one to ten minutes after its event. Some labels are wrong: none in the
          first third of the events, 20 in a hundred in the second, 5 in the last. Ordered by ts.

The same bytes on every machine: chance is SplitMix64 from a fixed seed.
"""

import argparse
import gzip
import json
import math
import pathlib
import sys
from datetime import datetime, timedelta, timezone

EVENTS = 24_000
NOISE = (0, 20, 5)  # In a hundred, by third.
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
MASK = (1 << 64) - 1


class Chance:
    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        return ((z >> 32) * n) >> 32


def lines():
    chance = Chance(20260101)
    events, outcomes = [], []
    for i in range(EVENTS):
        x = chance.below(1024)
        wrong = chance.below(100) < NOISE[i * len(NOISE) // EVENTS]
        delay = 60 + chance.below(541)
        at = START + timedelta(seconds=2 * i)
        label = (math.isqrt(x) >> 3 & 1) ^ wrong
        stamp = "%Y-%m-%dT%H:%M:%SZ"
        events.append(json.dumps({"id": i, "ts": at.strftime(stamp), "x": x}, separators=(",", ":")))
        due = at + timedelta(seconds=delay)
        outcomes.append((due, i, json.dumps({"id": i, "ts": due.strftime(stamp), "label": int(label)}, separators=(",", ":"))))
    outcomes.sort()
    return {"events": events, "outcomes": [line for _, _, line in outcomes]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--check", type=pathlib.Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, content in lines().items():
        text = "".join(line + "\n" for line in content).encode()
        with open(options.out / f"{name}.jsonl.gz", "wb") as file:
            file.write(gzip.compress(text, 9, mtime=0))
        if options.check and gzip.decompress((options.check / f"{name}.jsonl.gz").read_bytes()) != text:
            sys.exit(f"{options.check}/{name}.jsonl.gz: not what this script makes")


if __name__ == "__main__":
    main()
