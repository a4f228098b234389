#!/usr/bin/env bash
# A real Apache Kafka (KRaft) on loopback for development and tests: one broker, or a cluster of three. No container.
#
#   scripts/kafka.sh start [--brokers 1|3] [--fresh] [--set KEY=VALUE]... [--listener SSL|SASL_SSL|SASL_PLAINTEXT]... [--format ARG]...
#                                                              brings up what is not running; keeps its data
#   scripts/kafka.sh stop | kill | pause | resume [--node N]   SIGTERM, SIGKILL, SIGSTOP, SIGCONT; all brokers, or broker N
#   scripts/kafka.sh status                                    one line a broker; exit code 1 unless all of them run
#   scripts/kafka.sh jars                                      where Kafka's jars are, its Java client among them; sees to a JDK and kcat, too
#
# `start` prints the bootstrap address on its last line. --fresh forgets the data first; --set adds a broker property; --listener
# one more listener beside the plain one, on ports 200, 300 … above, whose address is printed before; --format hands arguments to
# the tool that makes the data directory (kafka-storage format: --add-scram …). A start without these three takes those of the last.
# Only processes that this script started for the same KAFKA_DIR are ever ended.
#
# KAFKA_PORT   first broker's port (19092); the others follow, their controllers are 100 above
# KAFKA_DIR    data, logs and pids (build/kafka/PORT)       KAFKA_CACHE   the jars (~/.cache/weir)       KAFKA_HEAP   384m
# KAFKA_VERSION   another than scripts/kafka_pom.xml pins
# Exit codes: 0 done, 1 failed, 2 usage, 77 Java or Kafka cannot be had on this machine.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
port=${KAFKA_PORT:-19092}
dir=${KAFKA_DIR:-$root/build/kafka/$port}
cache=${KAFKA_CACHE:-${XDG_CACHE_HOME:-${HOME:-$root/build}/.cache}/weir}
heap=${KAFKA_HEAP:-384m}
pom=$root/scripts/kafka_pom.xml
version=${KAFKA_VERSION:-$(sed -n 's/.*<kafka.version>\(.*\)<.*/\1/p' "$pom")}
jars=$cache/kafka-$version
start_limit_s=90
stop_limit_s=40

fail() { echo "kafka: $*" >&2; exit 1; }
usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }
impossible() {
  echo "kafka: SKIPPED, NO BROKER ON THIS MACHINE: $*" >&2
  exit 77
}

command=${1:-}
shift || usage
brokers=
only=
fresh=no
properties=()
listeners=()
format=()
while [ $# -gt 0 ]; do
  case "$1" in
    --brokers) brokers=${2:-}; shift 2 || usage ;;
    --node) only=${2:-}; shift 2 || usage ;;
    --set) properties+=("${2:-}"); shift 2 || usage ;;
    --listener) case "${2:-}" in SSL | SASL_SSL | SASL_PLAINTEXT) listeners+=("$2"); shift 2 ;; *) usage ;; esac ;;
    --format) format+=("${2:-}"); shift 2 || usage ;;
    --fresh) fresh=yes; shift ;;
    *) usage ;;
  esac
done
case "$brokers" in '' | 1 | 3) ;; *) usage ;; esac

# How many there are is fixed when the data directory is made.
made_with() { cat "$dir/brokers" 2>/dev/null || true; }
nodes() {
  local count
  count=$(made_with)
  [ -n "$count" ] || return 0
  if [ -n "$only" ]; then echo "$only"; else seq 1 "$count"; fi
}

# A pid alone may have been given to somebody else since: the start time must be the same, too.
started_at() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }
pid_of() {  # Prints the pid of broker $1 if it is alive.
  local pid start
  read -r pid start 2>/dev/null <"$dir/$1/pid" || return 1
  [ -n "$start" ] && [ "$(started_at "$pid")" = "$start" ] || return 1
  [ "$(sed 's/^.*) //' "/proc/$pid/stat" 2>/dev/null | cut -c 1)" != Z ] || return 1
  echo "$pid"
}
state_of() {
  local pid
  pid=$(pid_of "$1") || { echo down; return; }
  case "$(sed 's/^.*) //' "/proc/$pid/stat" | cut -c 1)" in T) echo paused ;; *) echo running ;; esac
}
bootstrap() {  # Of the plain listener, or of the one that is $1 above.
  local count i list=
  count=$(made_with)
  for ((i = 0; i < ${count:-1}; ++i)); do list+=${list:+,}127.0.0.1:$((port + ${1:-0} + i)); done
  echo "$list"
}
listener_above() { echo $((200 + 100 * $1)); }  # The i-th of --listener.

# What a broker is started with stays with its data: one that is started again is the same.
keep_settings() {
  local file=$dir/settings
  if [ $((${#properties[@]} + ${#listeners[@]} + ${#format[@]})) -gt 0 ] || [ ! -e "$file" ]; then
    (umask 077; declare -p properties listeners format >"$file")
  else
    eval "$(sed 's/^declare -a /declare -ga /' "$file")"
  fi
}

get_jars() {
  [ ! -e "$jars/complete" ] || return 0
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  [ ! -e "$jars/complete" ] || return 0
  echo "Fetching Kafka $version (about 43 MB, once)"
  rm -rf "$jars" "$jars.new"
  mvn --batch-mode --quiet --file "$pom" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -Dkafka.version="$version" -DoutputDirectory="$jars.new" -DincludeScope=runtime </dev/null >"$cache/fetch.log" 2>&1 || {
    tail -5 "$cache/fetch.log" >&2
    impossible "Maven could not fetch org.apache.kafka:kafka_2.13:$version (all of it: $cache/fetch.log)"
  }
  mv "$jars.new" "$jars"
  touch "$jars/complete"
  flock --unlock 9
}

get_java() {  # and what else is named
  local needed=(java "$@")
  [ -e "$jars/complete" ] || needed+=(mvn)
  local tool
  for tool in "${needed[@]}"; do
    command -v "$tool" >/dev/null && continue
    "$root/scripts/install_dependencies.sh" kafka >&2 || impossible "$tool is missing and could not be installed"
    break
  done
  for tool in "${needed[@]}"; do command -v "$tool" >/dev/null || impossible "$tool is missing"; done
  local found
  found=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p;q')
  [ "${found:-0}" -ge 17 ] || impossible "java is version ${found:-unknown}; expected 17 or later"
}

write_properties() {  # node
  local node=$1 count=$2 i voters= replicas=1 isr=1 listening=
  for ((i = 0; i < count; ++i)); do voters+=${voters:+,}$((i + 1))@127.0.0.1:$((port + 100 + i)); done
  [ "$count" -eq 1 ] || { replicas=3; isr=2; }
  listening=PLAINTEXT://127.0.0.1:$((port + node - 1))
  for i in "${!listeners[@]}"; do listening+=,${listeners[i]}://127.0.0.1:$((port + $(listener_above "$i") + node - 1)); done
  cat <<END
process.roles=broker,controller
node.id=$node
controller.quorum.voters=$voters
listeners=$listening,CONTROLLER://127.0.0.1:$((port + 100 + node - 1))
advertised.listeners=$listening
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/$node/data
auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$isr
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$isr
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
log.retention.check.interval.ms=5000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
num.network.threads=2
num.io.threads=4
END
  [ ${#properties[@]} -eq 0 ] || printf '%s\n' "${properties[@]}"
}

java_options=(-Xmx"$heap" -XX:+UseSerialGC -Xshare:auto -Djava.awt.headless=true -Dorg.slf4j.simpleLogger.showDateTime=true
  -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS -cp "$jars/*")

start_node() {
  local node=$1 count=$2 home=$dir/$1
  case "$(state_of "$node")" in
    running) return 0 ;;
    paused) fail "broker $node is paused: resume it first" ;;
  esac
  mkdir -p "$home"
  write_properties "$node" "$count" >"$home/server.properties"
  if [ ! -e "$home/data/meta.properties" ]; then
    java "${java_options[@]}" kafka.tools.StorageTool format -t "$(cat "$dir/cluster_id")" -c "$home/server.properties" "${format[@]}" \
      </dev/null >"$home/format.log" 2>&1 || { tail -5 "$home/format.log" >&2; fail "broker $node: its data directory could not be made"; }
  fi
  : >"$home/server.log"
  # A session of its own: a terminal's interrupt is not meant for it; and it keeps none of the caller's pipes and locks open.
  setsid bash -c 'for fd in /proc/$$/fd/*; do fd=${fd##*/}; [ "$fd" -le 2 ] || eval "exec $fd>&-"; done
    echo "$$ $(sed "s/^.*) //" /proc/$$/stat | cut -d " " -f 20)" >"$1"; shift; exec "$@"' \
    kafka "$home/pid" java "${java_options[@]}" kafka.Kafka "$home/server.properties" </dev/null >>"$home/server.log" 2>&1 &
}

wait_started() {
  local node=$1 home=$dir/$1 waited=0
  until grep -q 'Kafka Server started' "$home/server.log" 2>/dev/null; do
    if [ $((waited % 10)) -eq 9 ] && ! pid_of "$node" >/dev/null; then
      grep -m 3 -E 'ERROR|Exception' "$home/server.log" >&2 || tail -5 "$home/server.log" >&2
      fail "broker $node ended while it started (all of it: $home/server.log)"
    fi
    [ "$waited" -lt $((start_limit_s * 10)) ] || fail "broker $node did not start within $start_limit_s s (see $home/server.log)"
    sleep 0.1
    waited=$((waited + 1))
  done
}

wait_gone() {
  local node=$1 waited=0
  while pid_of "$node" >/dev/null; do
    [ "$waited" -lt $((stop_limit_s * 10)) ] || return 1
    sleep 0.1
    waited=$((waited + 1))
  done
}

send_signal() {  # Sends signal $1 to every broker named; one that is down is no error.
  local node pid
  for node in $(nodes); do
    pid=$(pid_of "$node") || continue
    kill "-$1" "$pid" 2>/dev/null || true
  done
}

start() {
  local node count i
  get_java
  get_jars
  if [ "$fresh" = yes ]; then
    only= send_signal KILL
    for node in $(only= nodes); do wait_gone "$node" || fail "broker $node does not end"; done
    rm -rf "$dir"
  fi
  count=$(made_with)
  if [ -z "$count" ]; then
    count=${brokers:-1}
    mkdir -p "$dir"
    head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | tr -d '=' >"$dir/cluster_id"
    echo "$count" >"$dir/brokers"
  elif [ -n "$brokers" ] && [ "$brokers" != "$count" ]; then
    fail "$dir was made with $count brokers: start with --brokers $count, or --fresh to forget its data"
  fi
  keep_settings
  for node in $(nodes); do start_node "$node" "$count"; done
  for node in $(nodes); do wait_started "$node"; done
  for i in "${!listeners[@]}"; do echo "${listeners[i]} $(bootstrap "$(listener_above "$i")")"; done
  bootstrap
}

stop() {
  local node
  send_signal CONT  # A paused process cannot end.
  send_signal TERM
  for node in $(nodes); do
    wait_gone "$node" && continue
    echo "kafka: broker $node did not end within $stop_limit_s s; killing it" >&2
    kill -KILL "$(pid_of "$node")" 2>/dev/null || true
    wait_gone "$node" || fail "broker $node does not end"
  done
}

status() {
  local node state all=0
  [ -n "$(made_with)" ] || fail "nothing was started in $dir"
  for node in $(nodes); do
    state=$(state_of "$node")
    [ "$state" = running ] || all=1
    echo "broker $node 127.0.0.1:$((port + node - 1)) $state $(pid_of "$node" || true)"
  done
  return "$all"
}

case "$command" in
  start) start ;;
  stop) stop ;;
  kill) send_signal KILL; for node in $(nodes); do wait_gone "$node" || fail "broker $node does not end"; done ;;
  pause) send_signal STOP ;;
  resume) send_signal CONT ;;
  status) status ;;
  jars) get_java javac kcat >&2; get_jars >&2; echo "$jars" ;;
  *) usage ;;
esac
