#!/usr/bin/env bash
# run.sh CONFIG [DATA]: runs a pipeline to the end of its input and prints the report. Without DATA it starts afresh in a
# directory under build/; with DATA it keeps that directory and goes on where the last run stopped.
set -euo pipefail
config=$1
data=${2:-}
weir=build/release/weir

if [ -z "$data" ]; then
  data=build/run/$(basename "${config%.*}")
  if [ -e "$data" ]; then
    echo "Starting afresh: removing $data of the last run (DATA=$data would go on with it)."
    rm -rf "$data"
  fi
fi
mkdir -p "$(dirname "$data")"
"$weir" run "$config" --data "$data"
echo
"$weir" report --data "$data"
