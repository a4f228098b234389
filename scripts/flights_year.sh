#!/usr/bin/env bash
# flights_year.sh [DATA]: runs both flight tasks on the whole year and checks them against their goals; ends with 1 if one is
# missed. DATA: where events.jsonl.gz and outcomes.jsonl.gz of the year are; without it, build/flights, made if need be.
set -euo pipefail
cd "$(dirname "$0")/.."
weir=build/release/weir
data=${1:-build/flights}
[ -n "${1:-}" ] || [ -e "$data/outcomes.jsonl.gz" ] || scripts/make_data.sh "$data"
work=$(mktemp -d build/year.XXXXXX)
trap 'rm -rf "$work"' EXIT

value() {  # KEY REPORT: a number of the whole run, which comes before that of the last half.
  grep -o "\"$1\":[0-9.e+-]*" "$2" | head -1 | cut -d: -f2
}
missed=0
check() {  # TASK KEY VALUE OP GOAL
  if awk "BEGIN { exit !($3 $4 $5) }"; then verdict=met; else verdict=MISSED missed=1; fi
  printf '%-14s %-9s %.5f   goal %s %s: %s\n' "$1" "$2" "$3" "$4" "$5" "$verdict"
}
task() {  # CONFIG EVENTS LOG_LOSS AUC
  "$weir" run "configs/$1.yaml" --quiet --data "$work/$1" --set "sources.logs.files=[$data/events.jsonl.gz]" \
    --set "sources.outcomes.files=[$data/outcomes.jsonl.gz]"
  "$weir" report --data "$work/$1"
  "$weir" report --data "$work/$1" --json > "$work/$1.json"
  "$weir" verify --data "$work/$1" --recompute
  check "$1" events "$(value events "$work/$1.json")" == "$2"
  check "$1" log-loss "$(value log_loss "$work/$1.json")" '<=' "$3"
  check "$1" AUC "$(value auc "$work/$1.json")" '>=' "$4"
}
task flights 336776 0.256 0.921
task flights_early 336776 0.458 0.763
exit $missed
