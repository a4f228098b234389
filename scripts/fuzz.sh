#!/usr/bin/env bash
# Builds the fuzz targets with clang's libFuzzer and runs each for a while, from the seeds in tests/fuzz/corpus.
#
#   scripts/fuzz.sh [seconds for each target = 5] [target]...      (json csv key_value syslog text content hashtron training stored; default: all)
#
# What is found new is kept in build/fuzz/corpus; an input that fails, in build/fuzz/failures: put it, once it is mended, into
# tests/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-5}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(json csv key_value syslog text content hashtron training stored)

if ! command -v clang++-14 >/dev/null; then
  echo "fuzz: clang++-14 is missing: scripts/install_dependencies.sh test" >&2
  exit 1
fi
[ -e build/fuzz/build.ninja ] && [ ! CMakePresets.json -nt build/fuzz/build.ninja ] || cmake --preset fuzz >/dev/null
nice ninja -C build/fuzz "${targets[@]/%/_fuzz}" >/dev/null || { ninja -C build/fuzz "${targets[@]/%/_fuzz}"; exit 1; }

mkdir -p build/fuzz/failures
failed=()
for target in "${targets[@]}"; do
  mkdir -p "build/fuzz/corpus/$target"
  log=build/fuzz/$target.log
  if build/fuzz/tests/fuzz/"${target}_fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=4096 -use_value_profile=1 \
    -artifact_prefix="build/fuzz/failures/$target-" "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
    echo "fuzz: $target: $(grep -oE 'Done [0-9]+ runs in [0-9]+ second' "$log")s, no failure"
  else
    failed+=("$target")
    echo "fuzz: $target: FAILED; the end of $log:" >&2
    tail -40 "$log" >&2
  fi
done
[ ${#failed[@]} -eq 0 ]
