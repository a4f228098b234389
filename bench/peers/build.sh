#!/usr/bin/env bash
# Builds the peers that bench-peers measures Weir against, by Maven: jars and classes of each in a directory of its own.
#
#   bench/peers/build.sh      prints "NAME CLASSPATH" for each peer, on standard output
#
# KAFKA_CACHE   as in scripts/kafka.sh (~/.cache/weir): PEER-HASH/ in it, by what the peer is built from; 150 MB, once
# Exit codes: 0 done, 1 failed, 77 Java or Maven cannot be had on this machine, or Maven's repository does not answer.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${KAFKA_CACHE:-${XDG_CACHE_HOME:-${HOME:-$root/build}/.cache}/weir}
fetch_limit_s=300

impossible() { echo "peers: NOT BUILT: $*" >&2; exit 77; }

build() {  # Prints the directory of peer $1.
  local peer=$1 hash out
  hash=$(cat "$here/$peer/pom.xml" "$here"/src/*.java | sha256sum | cut -c 1-12)
  out=$cache/$peer-$hash
  if [ ! -e "$out/complete" ]; then
    for tool in mvn javac; do command -v "$tool" >/dev/null || impossible "$tool is missing"; done
    echo "peers: building $peer (its jars are fetched once)" >&2
    rm -rf "$out" "$out.new"
    timeout "$fetch_limit_s" mvn --batch-mode --quiet --file "$here/$peer/pom.xml" -Dout="$out.new" \
      org.apache.maven.plugins:maven-compiler-plugin:3.13.0:compile \
      org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
      -DoutputDirectory="$out.new/jars" -DincludeScope=runtime </dev/null >"$cache/$peer.log" 2>&1 || {
      tail -5 "$cache/$peer.log" >&2
      if grep -q 'COMPILATION ERROR' "$cache/$peer.log"; then exit 1; fi
      impossible "Maven could not build $peer (all of it: $cache/$peer.log)"
    }
    mv "$out.new" "$out"
    touch "$out/complete"
  fi
  echo "$out"
}

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
for peer in kafka_streams flink; do
  out=$(build "$peer")
  echo "$peer $out/classes:$out/jars/*"
done
