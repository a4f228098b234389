#!/usr/bin/env bash
# ablation.sh [DATA]: what each group of features and each setting of the flight tasks is worth, on the whole year, as the
# table in docs/learning.md. DATA: as of flights_year.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
weir=build/release/weir
data=${1:-build/flights}
[ -n "${1:-}" ] || [ -e "$data/outcomes.jsonl.gz" ] || scripts/make_data.sh "$data"
work=$(mktemp -d build/ablation.XXXXXX)
trap 'rm -rf "$work"' EXIT

value() { grep -o "\"$1\":[0-9.e+-]*" "$work/report" | head -1 | cut -d: -f2; }
figures() {  # CONFIG SED-SCRIPT: log-loss and AUC with the edited config; – where the script changes nothing.
  sed -E "$2" "configs/$1.yaml" > "$work/$1.yaml"
  if [ -n "$2" ] && cmp -s "configs/$1.yaml" "$work/$1.yaml"; then echo '– | –' && return; fi
  "$weir" run "$work/$1.yaml" --quiet --data "$work/run" --set "sources.logs.files=[$data/events.jsonl.gz]" \
    --set "sources.outcomes.files=[$data/outcomes.jsonl.gz]" --set sync=never --set backup_interval=0
  "$weir" report --data "$work/run" --json > "$work/report"
  rm -rf "$work/run"
  printf '%.4f | %.4f\n' "$(value log_loss)" "$(value auc)"
}
row() {  # NAME SED-SCRIPT
  departure=$(figures flights "$2")
  early=$(figures flights_early "$2")
  echo "| $1 | $departure | $early |"
}
echo '| | departure: log-loss | AUC | early: log-loss | AUC |'
echo '|---|---|---|---|---|'
row 'as shipped' ''
row 'no label means' '/aggregate: mean/d'
row 'no label means that remember hours' '/half_life: [0-9]+ (h|min),/d'
row 'no label means that remember weeks' '/half_life: [0-9]+ weeks?,/d'
row '… not of the single flight (carrier, origin, dest, hour)' '/by: \[carrier, origin, dest, hour\]/d'
row '… not of weekday and hour' '/by: \[weekday, hour\]/d'
row '… not of the destination' '/by: \[dest\]/d'
row '… not of the origin' '/by: \[origin\]/d'
row '… not of all flights' '/by: \[\]/d'
row 'no crosses of the schedule, its categories one-hot' '/cross: .*(origin|hour)\]/d; /cross: \[carrier, origin, dest/d; s/, one_hot: false//'
row 'no weather' '/name: (temp|humid|wind_speed|visib|pressure)/d'
row 'no crosses with the departure delay' '/cross: .*dep_delay/d'
row '… nor its knots' '/cross: .*dep_delay/d; /name: dep_delay/s/, knots: .*]//'
row 'bins for knots' 's/knots:/bins:/'
row 'labels age from their outcomes on' 's/ age_from: event,//'
row 'no priors' 's/ prior: [0-9]+, prior_half_life: 30 days,//'
row 'label means as they are, not as log-odds' 's/, transform: logit//'
row 'initial_sum 0' 's/ initial_sum: 1,//'
row 'gradients clipped at 1' '/^trainer/s/clip: 0/clip: 1/'
row 'learning rate halved' 's/learning_rate: 0.1,/learning_rate: 0.05,/; s/learning_rate: 0.06,/learning_rate: 0.03,/'
row 'learning rate doubled' 's/learning_rate: 0.1,/learning_rate: 0.2,/; s/learning_rate: 0.06,/learning_rate: 0.12,/'
row 'replay: a batch of 32 after every 10 outcomes' '/^trainer/s/ clip: 0/ clip: 0, replay: {capacity: 10000, every: 10, batch: 32}/'
