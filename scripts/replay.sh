#!/usr/bin/env bash
# Replays lines of logs and their outcomes to a pipeline's topics, as a system that is in use would write them.
#
#   scripts/replay.sh DIRECTORY RATE [option of weir produce]...
#
# DIRECTORY has events.jsonl.gz and outcomes.jsonl.gz. Every two seconds 2 × RATE lines of each go out by `weir produce`. How far it
# has come is kept in `replayed` of the data directory (--data=DIR): it goes on from there when it is started again, and sends a
# piece twice only where it was killed in between. Ends with the last line.
set -euo pipefail

pause_s=2
[ $# -ge 2 ] || { sed -n 's/^#   //p' "$0" >&2; exit 2; }
source=$1 rate=$2
shift 2
case "$rate" in
  '' | *[!0-9]* | 0) echo "replay: RATE is '$rate': expected a whole number above 0" >&2; exit 2 ;;
esac
data=
for option in "$@"; do
  case "$option" in --data=*) data=${option#--data=} ;; esac
done
[ -n "$data" ] || { echo "replay: expected --data=DIR among the options" >&2; exit 2; }
mkdir -p "$data"

lines=$(mktemp -d)
trap 'rm -rf "$lines"' EXIT
trap 'exit 143' TERM INT
for topic in events outcomes; do gzip -dc "$source/$topic.jsonl.gz" >"$lines/$topic"; done
total=$(wc -l <"$lines/events")
others=$(wc -l <"$lines/outcomes")
[ "$others" -le "$total" ] || total=$others

next=1
[ ! -e "$data/replayed" ] || next=$(<"$data/replayed")
while [ "$next" -le "$total" ]; do
  last=$((next + pause_s * rate - 1))
  sed -n "${next},${last}p;${last}q" "$lines/events" | weir produce logs "$@" >/dev/null
  sed -n "${next},${last}p;${last}q" "$lines/outcomes" | weir produce outcomes "$@" >/dev/null
  next=$((last + 1))
  echo "$next" >"$data/replayed.new"
  mv "$data/replayed.new" "$data/replayed"
  [ "$next" -gt "$total" ] || sleep "$pause_s" &
  wait $!
done
echo "replay: all $total lines are out"
