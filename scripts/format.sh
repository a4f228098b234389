#!/usr/bin/env bash
# format.sh [--tidy] [FILE…]: formats (or, with --tidy, checks by clang-tidy) the files given, or the C++ files that
# differ from the branch main.
set -euo pipefail
tidy=no
if [ "${1:-}" = --tidy ]; then
  tidy=yes
  shift
fi
if [ $# -gt 0 ]; then
  files=("$@")
else
  base=$(git merge-base HEAD main 2>/dev/null || git rev-list --max-parents=0 HEAD | tail -n 1)
  mapfile -t files < <({ git diff --name-only --diff-filter=d "$base"; git ls-files --others --exclude-standard; } |
    grep -E '\.(cpp|hpp)$' | sort -u || true)
fi
[ ${#files[@]} -gt 0 ] || { echo "No C++ file differs from main."; exit 0; }
if [ "$tidy" = yes ]; then
  mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep -E '\.cpp$' || true)
  [ ${#sources[@]} -eq 0 ] || clang-tidy-14 -p build/release --quiet "${sources[@]}"
else
  clang-format-14 -i "${files[@]}"
fi
