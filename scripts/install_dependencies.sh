#!/usr/bin/env bash
# Installs the Debian 12 packages that a job needs and that are missing. Quick, and no root needed, when all are there.
#
#   scripts/install_dependencies.sh [--list] [build|test|format|tidy|data|bench|kafka|peers|runtime]...      (default: build)
#
# build: what CMake asks for (library, program, tests, benchmarks)   test: and what the tests run
# bench, data: and Python       format, tidy: and clang's tools      kafka: and what scripts/kafka.sh needs
# peers: and what builds other stream engines' jobs (bench/peers)
# runtime: only what a built program needs on another machine; it alone does without build
# --list: only print the names
set -euo pipefail

build=(
  ccache cmake g++ ninja-build pkg-config
  libbenchmark-dev libboost1.81-dev libcaf-dev libcli11-dev libgoogle-perftools-dev libgtest-dev libhwy-dev libisal-dev liblz4-dev
  libprotobuf-dev librdkafka-dev librocksdb-dev libsimdjson-dev libxxhash-dev libyaml-cpp-dev libzstd-dev protobuf-compiler zlib1g-dev
)
# The fuzz targets need clang's libFuzzer, and llvm-14 its symboliser.
test=(bsdutils clang-14 libclang-rt-14-dev llvm-14 python3 python3-jsonschema python3-yaml)
format=(clang-format-14)
tidy=(clang-tidy-14)
data=(python3 python3-venv)
kafka=(kcat maven openjdk-17-jdk-headless openssl)  # The JDK, for the tests: docs/clients/*.java are run from their source.
peers=(maven openjdk-17-jdk-headless)
# The libraries that the program names, and whom to trust with TLS.
runtime=(
  ca-certificates libc6 libcaf-core0.17 libgcc-s1 libisal2 liblz4-1 librdkafka1 librocksdb7.8 libsimdjson14 libstdc++6
  libtcmalloc-minimal4 libxxhash0 libyaml-cpp0.7 libzstd1 zlib1g
)
bench=(python3 python3-venv)  # An environment for the rivals: bench/rivals.py.

list=no
packages=()
for group in "$@"; do
  case "$group" in
    --list) list=yes ;;
    build | runtime)
      declare -n more="$group"
      packages+=("${more[@]}")
      ;;
    test | format | tidy | data | bench | kafka | peers)
      declare -n more="$group"
      packages+=("${build[@]}" "${more[@]}")
      ;;
    *)
      echo "install_dependencies: unknown group '$group': expected build, test, format, tidy, data, bench, kafka, peers or runtime" >&2
      exit 2
      ;;
  esac
done
[ ${#packages[@]} -gt 0 ] || packages=("${build[@]}")
mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)

if [ "$list" = yes ]; then
  printf '%s\n' "${packages[@]}"
  exit 0
fi
if ! command -v dpkg-query >/dev/null; then
  echo "install_dependencies: this is not a Debian system; these packages' counterparts are needed: ${packages[*]}" >&2
  exit 0  # CMake names whatever is really missing.
fi

installed=$(dpkg-query --show --showformat='${db:Status-Abbrev}${Package}\n' "${packages[@]}" 2>/dev/null |
  sed -n 's/^ii *//p' || true)
missing=()
for package in "${packages[@]}"; do
  grep -qxF -- "$package" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  {
    echo "These Debian packages are missing: ${missing[*]}"
    echo "Install them as root, then run this again:"
    echo "  sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}"
  } >&2
  exit 1
fi
echo "Installing the missing Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
"${apt[@]}" update </dev/null
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null
