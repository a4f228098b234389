#!/usr/bin/env python3
"""docker-compose.yml, Dockerfile and what they mount, as far as that can be tried without a container engine.

Nothing here starts a container. The build's steps run on exactly the files that .dockerignore lets through, the commands run with
this build's program, and what one file says of another (a path, a port, a metric's name, a version, a package) is looked up there.
"""

import argparse
import fnmatch
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WEIR = None  # Set by main.
LIMIT_S = 240  # Only what hangs takes longer.

# The keys of the Compose Specification that are used here, by place: a misspelt one would be ignored by some engines.
SERVICE_KEYS = {
    "build", "cap_drop", "command", "depends_on", "deploy", "entrypoint", "environment", "healthcheck", "hostname", "image", "logging",
    "ports", "read_only", "restart", "secrets", "security_opt", "stop_grace_period", "tmpfs", "ulimits", "user", "volumes",
}
TOP_KEYS = {"name", "services", "secrets", "volumes"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
ONE_SHOT = {"topics", "producer"}


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that is given twice."""


def unique_mapping(loader, node, deep=False):
    keys = [loader.construct_object(key) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
    doubled = {key for key in keys if keys.count(key) > 1}
    if doubled:
        raise yaml.YAMLError(f"line {node.start_mark.line + 1}: twice in one mapping: {doubled}")
    loader.flatten_mapping(node)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, unique_mapping)


def load(path):
    return yaml.load((ROOT / path).read_text(), StrictLoader)


def tracked():
    out = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [line for line in out.splitlines() if (ROOT / line).is_file()]


def ignored(path, rules):
    """As .dockerignore says: the last rule that matches the file or a folder above it wins."""
    out = False
    parts = path.split("/")
    ways = ["/".join(parts[: i + 1]) for i in range(len(parts))]
    for rule in rules:
        keep = rule.startswith("!")
        pattern = rule[keep:].strip("/")
        for way in ways:
            names = [way] + ([way.rsplit("/", 1)[-1]] if pattern.startswith("**/") else [])
            if any(fnmatch.fnmatchcase(name, pattern.removeprefix("**/")) and name.count("/") == pattern.removeprefix("**/").count("/") for name in names):
                out = not keep
    return out


def context():
    rules = [line.strip() for line in (ROOT / ".dockerignore").read_text().splitlines() if line.strip() and not line.startswith("#")]
    return [path for path in tracked() if not ignored(path, rules)]


def instructions():
    """Of the Dockerfile: (line, word, rest), continued lines joined."""
    out, text, first = [], "", 0
    for number, line in enumerate((ROOT / "Dockerfile").read_text().splitlines(), 1):
        if not text and (not line.strip() or line.lstrip().startswith("#")):
            continue
        first = first if text else number
        text += line.rstrip("\\") if line.endswith("\\") else line
        if not line.endswith("\\"):
            word, rest = text.split(None, 1)
            out.append((first, word, rest))
            text = ""
    return out


def stages():
    out = []
    for line, word, rest in instructions():
        if word == "FROM":
            out.append([])
        out[-1].append((line, word, rest))
    return out


def run(arguments, **more):
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=LIMIT_S, cwd=more.pop("cwd", ROOT), **more)


class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.compose = load("docker-compose.yml")
        cls.services = cls.compose["services"]

    def test_only_known_keys_and_whole_references(self):
        for key in self.compose:
            self.assertTrue(key in TOP_KEYS or key.startswith("x-"), key)
        for name, service in self.services.items():
            self.assertLessEqual(set(service), SERVICE_KEYS, name)
            for other, how in service.get("depends_on", {}).items():
                self.assertIn(other, self.services, name)
                self.assertIn(how["condition"], CONDITIONS)
                if how["condition"] == "service_healthy":
                    self.assertIn("test", self.services[other]["healthcheck"], f"{name} waits for {other}")
                if how["condition"] == "service_completed_successfully":
                    self.assertEqual(self.services[other]["restart"], "no")
            for secret in service.get("secrets", []):
                self.assertIn(secret, self.compose["secrets"], name)
            for volume in service.get("volumes", []):
                source, target, *mode = volume.split(":")
                self.assertTrue(target.startswith("/"), volume)
                if source.startswith("./"):
                    self.assertTrue((ROOT / source).is_file(), volume)
                    self.assertEqual(mode, ["ro"], volume)
                else:
                    self.assertIn(source, self.compose["volumes"], name)
            for key, value in service.get("environment", {}).items():
                self.assertIsInstance(value, str, f"{name}: {key}")
        used = {v.split(":")[0] for s in self.services.values() for v in s.get("volumes", [])}
        self.assertEqual(set(self.compose["volumes"]) - used, set())

    def test_depends_on_has_no_circle(self):
        def above(name, way):
            self.assertNotIn(name, way)
            for other in self.services[name].get("depends_on", {}):
                above(other, way + [name])

        for name in self.services:
            above(name, [])

    def test_what_is_asked_for_is_there(self):
        self.assertEqual(len([n for n in self.services if n.startswith("kafka-")]), 3)
        self.assertEqual(len([n for n in self.services if n.startswith("weir-")]), 2)
        self.assertLessEqual({"topics", "producer", "prometheus", "grafana"}, set(self.services))

    def test_every_service_is_restricted(self):
        for name, service in self.services.items():
            limits = service["deploy"]["resources"]["limits"]
            self.assertIn("cpus", limits, name)
            self.assertIn("memory", limits, name)
            self.assertEqual(service["cap_drop"], ["ALL"], name)
            self.assertIn("no-new-privileges:true", service["security_opt"], name)
            self.assertIn("restart", service, name)
            self.assertIn("max-size", service["logging"]["options"], name)
            if name not in ONE_SHOT:
                self.assertIn("test", service["healthcheck"], name)
                self.assertEqual(service["restart"], "unless-stopped", name)
                self.assertTrue(service.get("volumes"), name)
            for port in service.get("ports", []):
                self.assertTrue(port.startswith("127.0.0.1:"), f"{name}: {port} would be open to others")
            image = service["image"]
            if "build" in service:  # Its user is the Dockerfile's.
                self.assertNotIn("user", service)
                continue
            self.assertRegex(image, r"^[\w./-]+:v?\d+\.\d+\.\d+$", name)
            self.assertNotIn(service["user"], ("root", "0"), name)

    def test_kafka_is_the_version_of_the_tests_and_a_cluster_of_three(self):
        pom = (ROOT / "scripts/kafka_pom.xml").read_text()
        version = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", pom).group(1)
        brokers = [n for n in self.services if n.startswith("kafka-")]
        for name in brokers + ["topics"]:
            self.assertEqual(self.services[name]["image"], f"apache/kafka:{version}")
        ids = set()
        for name in brokers:
            env = self.services[name]["environment"]
            ids.add(env["KAFKA_NODE_ID"])
            self.assertIn(f"{env['KAFKA_NODE_ID']}@{name}:9093", env["KAFKA_CONTROLLER_QUORUM_VOTERS"].split(","))
            self.assertEqual(env["KAFKA_ADVERTISED_LISTENERS"], f"PLAINTEXT://{name}:9092")
            self.assertEqual(self.services[name]["hostname"], name)
            self.assertEqual(env["KAFKA_AUTO_CREATE_TOPICS_ENABLE"], "false")
            self.assertIn(f"{name}:{env['KAFKA_LOG_DIRS']}", self.services[name]["volumes"])
        self.assertEqual(len(ids), 3)
        # A cluster id is 16 bytes in base64 for URLs: the brokers refuse another.
        self.assertRegex(self.services["kafka-1"]["environment"]["CLUSTER_ID"], r"^[\w-]{22}$")

    def test_the_script_that_makes_the_topics(self):
        service = self.services["topics"]
        script = service["command"][0].replace("$$", "$")
        with tempfile.TemporaryDirectory() as directory:
            tool = pathlib.Path(directory, "kafka-topics.sh")
            tool.write_text('#!/bin/bash\necho "$@"\n')
            tool.chmod(0o755)
            self.assertEqual(service["entrypoint"][0], "/bin/bash")
            out = run(service["entrypoint"] + [script.replace("/opt/kafka/bin/", directory + "/")])
        self.assertEqual(out.returncode, 0, out.stderr)
        lines = out.stdout.splitlines()
        self.assertEqual(len(lines), 2)
        partitions = self.setting("weir-1", "log.partitions")
        for line, topic in zip(lines, ("flights.logs", "flights.outcomes")):
            words = line.split()
            self.assertEqual(words[words.index("--topic") + 1], topic)
            self.assertEqual(words[words.index("--partitions") + 1], partitions)
            self.assertEqual(words[words.index("--replication-factor") + 1], "3")
            self.assertIn("message.timestamp.type=LogAppendTime", words)
            self.assertIn("--if-not-exists", words)

    def setting(self, service, key):
        found = [c.split("=", 2)[2] for c in self.services[service]["command"] if c.startswith(f"--set={key}=")]
        self.assertEqual(len(found), 1, f"{service}: {key}")
        return found[0]

    def test_commands_are_weirs_and_their_config_is_right(self):
        for name in ("weir-1", "weir-2"):
            command = self.services[name]["command"]
            self.assertEqual(command[0], "run")
            self.assertEqual(run([WEIR, "run", "--help"]).returncode, 0)
            checked = run([WEIR, "check", "--print"] + [c for c in command[1:]])
            self.assertEqual(checked.returncode, 0, checked.stderr)
            config = yaml.safe_load(checked.stdout)
            self.assertEqual(config["log"]["kind"], "kafka")
            self.assertEqual(config["http"]["token"], "file:/run/secrets/weir_http_token")
            for broker in config["log"]["brokers"].split(","):
                host, port = broker.split(":")
                self.assertIn(f"://{host}:{port}", self.services[host]["environment"]["KAFKA_ADVERTISED_LISTENERS"])
            self.assertEqual(config["sources"]["logs"]["files"], [])
            self.assertIn("weir_http_token", self.services[name]["secrets"])
            data = [c.split("=", 1)[1] for c in command if c.startswith("--data=")]
            self.assertEqual([v.split(":")[1] for v in self.services[name]["volumes"]], data)
            health = self.services[name]["healthcheck"]["test"]
            self.assertEqual(health[:2], ["CMD", "weir"])
            self.assertIn(data[0], health)
            with tempfile.TemporaryDirectory() as nobody:
                self.assertEqual(run([WEIR] + [nobody if word == data[0] else word for word in health[2:]]).returncode, 4)
        producer = self.services["producer"]["command"]
        options = [c for c in producer[2:] if not c.startswith("--data=")]
        self.assertEqual(options, [("--config=" + c) if c.startswith("configs/") else c for c in self.services["weir-1"]["command"]
                                   if c not in ("run",) and not c.startswith(("--data=", "--set=http."))])
        checked = run([WEIR, "check", options[0].removeprefix("--config=")] + options[1:])
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertTrue((ROOT / producer[0] / "events.jsonl.gz").is_file())

    def test_prometheus_asks_each_weir_with_its_token(self):
        config = load("configs/compose/prometheus.yml")
        job, = config["scrape_configs"]
        port = self.setting("weir-1", "http.listen").rsplit(":", 1)[1]
        self.assertEqual(job["static_configs"][0]["targets"], [f"{n}:{port}" for n in self.services if n.startswith("weir-")])
        for name in ("weir-1", "weir-2"):
            self.assertEqual(self.services[name]["hostname"], name)
        self.assertEqual(job["authorization"]["credentials_file"], "/run/secrets/" + self.services["prometheus"]["secrets"][0])
        self.assertEqual("file:" + job["authorization"]["credentials_file"], self.setting("weir-1", "http.token"))
        mounted = [v.split(":")[1] for v in self.services["prometheus"]["volumes"]]
        flags = dict(c.split("=", 1) for c in self.services["prometheus"]["command"])
        self.assertIn(flags["--config.file"], mounted)
        self.assertIn(flags["--storage.tsdb.path"], mounted)

    def test_grafana_finds_its_source_and_its_dashboard(self):
        source, = load("configs/compose/grafana_datasource.yml")["datasources"]
        self.assertEqual(source["url"], "http://prometheus:9090")
        provider, = load("configs/compose/grafana_dashboards.yml")["providers"]
        mounted = {v.split(":")[1]: v.split(":")[0] for v in self.services["grafana"]["volumes"]}
        home = self.services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        self.assertEqual(mounted[home], "./configs/compose/dashboard.json")
        self.assertEqual(os.path.dirname(home), provider["options"]["path"])
        dashboard = json.loads((ROOT / "configs/compose/dashboard.json").read_text())
        ids = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        places = set()
        for panel in dashboard["panels"]:
            at = panel["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            for x in range(at["x"], at["x"] + at["w"]):
                for y in range(at["y"], at["y"] + at["h"]):
                    self.assertNotIn((x, y), places, panel["title"])
                    places.add((x, y))
            for target in panel.get("targets", []):
                self.assertEqual(target["datasource"]["uid"], source["uid"], panel["title"])
        password = self.services["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"]
        self.assertEqual(password, "/run/secrets/" + self.services["grafana"]["secrets"][0])

    def test_no_secret_is_written_down(self):
        for name, secret in self.compose["secrets"].items():
            self.assertEqual(list(secret), ["environment"], name)
        for path in ("docker-compose.yml", "Dockerfile", "configs/compose/prometheus.yml", "configs/compose/grafana_datasource.yml"):
            self.assertNotRegex((ROOT / path).read_text(), r"(?i)(password|token|secret)[\"']?\s*[:=]\s*[\"']?(?!file:|/run/|\{|\[|\$|[\w.]*_?file\b)[a-z0-9]{8,}")


class Image(unittest.TestCase):
    def test_dockerfile_is_as_a_linter_wants_it(self):
        all_stages = stages()
        self.assertEqual(len(all_stages), 2)
        names = []
        for stage in all_stages:
            base = stage[0][2].split()
            self.assertRegex(base[0], r"^debian:12\.\d+-slim$")
            names += base[2:]
            shell = False
            for line, word, rest in stage:
                where = f"Dockerfile:{line}"
                self.assertNotEqual(word, "ADD", where)
                shell = shell or word == "SHELL"
                if word in ("CMD", "ENTRYPOINT", "SHELL", "VOLUME"):
                    self.assertIsInstance(json.loads(rest), list, where)
                if word == "WORKDIR":
                    self.assertTrue(rest.startswith("/"), where)
                if word == "RUN":
                    self.assertTrue(shell, where + ": a shell that stops at the first failure is set before")
                    self.assertNotRegex(rest, r"\b(sudo|curl|wget|apt |cd )", where)
                    if "install_dependencies" in rest or "apt-get" in rest:
                        self.assertIn("rm -rf /var/lib/apt/lists/*", rest, where)
                if word == "COPY" and "--from=" in rest:
                    self.assertIn(re.search(r"--from=(\S+)", rest).group(1), names, where)
        last = all_stages[-1]
        users = [rest for _, word, rest in last if word == "USER"]
        self.assertRegex(users[-1], r"^[1-9]\d*:[1-9]\d*$")
        self.assertLess([w for _, w, _ in last].index("USER"), [w for _, w, _ in last].index("ENTRYPOINT"))
        run_text = " ".join(rest for _, word, rest in last if word == "RUN")
        uid, gid = users[-1].split(":")
        self.assertIn(f"--uid {uid}", run_text)
        self.assertIn(f"--gid {gid}", run_text)

    def test_every_source_exists_in_the_context(self):
        files = set(context())
        folders = {parent.as_posix() for file in files for parent in pathlib.PurePosixPath(file).parents}
        for stage in stages():
            for line, word, rest in stage:
                bound = re.findall(r"--mount=type=bind,source=([^,\s]+)", rest)
                copied = shlex.split(rest)[:-1] if word == "COPY" and "--from" not in rest else []
                for source in bound + [c for c in copied if not c.startswith("--")]:
                    self.assertTrue(source in files or source in folders, f"Dockerfile:{line}: {source}")
        for path in ("configs/flights.yaml", "scripts/replay.sh", "data/flights/events.jsonl.gz"):
            self.assertIn(path, files)
        for path in files:
            self.assertFalse(path.startswith(("tests/", "docs/", "bench/", "build/", ".git")), path)

    def test_build_steps_run_on_the_context_alone(self):
        """Configures as the Dockerfile says; what Ninja would then compile must all be there."""
        with tempfile.TemporaryDirectory() as directory:
            for path in context():
                target = pathlib.Path(directory, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, target)
            command, = [rest for _, word, rest in stages()[0] if word == "RUN" and "cmake" in rest]
            steps = [step.strip() for step in command.split("&&")]
            self.assertEqual(len(steps), 3, steps)
            configured = run(shlex.split(steps[0]), cwd=directory)
            self.assertEqual(configured.returncode, 0, configured.stderr[-2000:])
            ninja = shlex.split(steps[1])
            self.assertEqual(ninja[0], "ninja")
            planned = run(ninja + ["-n"], cwd=directory)
            self.assertEqual(planned.returncode, 0, planned.stdout[-2000:] + planned.stderr)
            self.assertIn("Linking CXX executable weir", planned.stdout)
            stripped = shlex.split(steps[2])[1]
            copied, = [rest for _, word, rest in stages()[1] if word == "COPY" and "--from" in rest]
            self.assertEqual(shlex.split(copied)[1], "/src/" + stripped)

    def test_runtime_packages_are_what_the_program_names(self):
        listed = set(run(["scripts/install_dependencies.sh", "--list", "runtime"]).stdout.split())
        self.assertTrue(any("install_dependencies.sh runtime" in rest for _, word, rest in stages()[1] if word == "RUN"))
        dynamic = run(["readelf", "-d", WEIR]).stdout
        needed = re.findall(r"\(NEEDED\).*\[([^\]]+)\]", dynamic)
        self.assertGreater(len(needed), 5)
        where = dict(re.findall(r"^\s*(\S+) => (\S+)", run(["ldd", WEIR]).stdout, re.M))
        packages = set()
        for library in needed:
            if library.startswith(("ld-linux", "libasan", "libubsan", "libtsan", "libm.")):  # A sanitizer's own are the build's.
                continue
            path = os.path.realpath(where[library])
            found = run(["dpkg", "-S", path]).stdout or run(["dpkg", "-S", path.removeprefix("/usr")]).stdout
            self.assertTrue(found, f"{library}: no package has {path}")
            packages.add(found.split(":")[0])
        self.assertEqual(packages, listed - {"ca-certificates"})


class Running(unittest.TestCase):
    """The program as the containers run it, on its embedded log and a port of its own."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.data = self.directory.name + "/data"
        self.process = None
        self.options = ["--set=sources.logs.files=[]", "--set=sources.outcomes.files=[]", "--set=log.partitions=2", "--set=order=arrival", "--set=placement={pin: off, lock_memory: false}"]

    def tearDown(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.directory.cleanup()

    def wait_for(self, what, done):
        end = time.monotonic() + LIMIT_S
        while not done():
            self.assertIsNone(self.process.poll(), "the process has ended")
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    def start(self, token):
        token_file = pathlib.Path(self.directory.name, "token")
        token_file.write_text(token + "\n")
        self.process = subprocess.Popen([WEIR, "run", "configs/flights.yaml", "--quiet", "--data=" + self.data, "--set=http.listen=0.0.0.0:0",
                                         f"--set=http.token=file:{token_file}"] + self.options, cwd=ROOT)
        address = pathlib.Path(self.data, "run/http")
        self.wait_for("run/http", address.exists)
        self.wait_for("ready", lambda: run([WEIR, "status", "--data", self.data, "--ready"]).returncode == 0)
        return address.read_text().strip().replace("0.0.0.0", "127.0.0.1")

    def get(self, url, token=None):
        request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token} if token else {})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=LIMIT_S) as answer:
            return answer.read().decode()

    def test_replay_and_every_metric_that_the_dashboard_and_the_docs_name(self):
        url = self.start("sesame")
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.get(url + "/metrics")
        self.assertEqual(refused.exception.code, 401)
        refused.exception.close()
        self.assertEqual(json.loads(self.get(url + "/ready"))["status"], "ready")

        # The producer's script, on a small piece of the flights.
        piece = pathlib.Path(self.directory.name, "piece")
        piece.mkdir()
        for topic in ("events", "outcomes"):
            whole = subprocess.run(["gzip", "-dc", ROOT / f"data/flights/{topic}.jsonl.gz"], capture_output=True, check=True).stdout.splitlines(True)
            with subprocess.Popen(["gzip", "-c"], stdin=subprocess.PIPE, stdout=open(piece / f"{topic}.jsonl.gz", "wb")) as gzip:
                gzip.communicate(b"".join(whole[:500]))
        environment = dict(os.environ, PATH=f"{os.path.dirname(WEIR)}:{os.environ['PATH']}")
        replay = [ROOT / "scripts/replay.sh", piece, "200", "--config=configs/flights.yaml", "--data=" + self.data] + self.options
        out = run(replay, env=environment)
        self.assertEqual(out.returncode, 0, out.stderr)
        again = run(replay, env=environment)  # Goes on from where it was: at the end.
        self.assertEqual(again.returncode, 0, again.stderr)

        total = lambda name, page: sum(float(v) for v in re.findall(rf"^{name}{{[^}}]*}} (\S+)$", page, re.M))
        self.wait_for("all events", lambda: total("weir_events_total", self.get(url + "/metrics", "sesame")) >= 500)
        page = self.get(url + "/metrics", "sesame")
        self.assertEqual(total("weir_events_total", page), 500)
        names = set(re.findall(r"^# TYPE (\S+)", page, re.M))
        histograms = set(re.findall(r"^# TYPE (\S+) histogram", page, re.M))
        samples = names | {h + s for h in histograms for s in ("_bucket", "_sum", "_count")}

        dashboard = (ROOT / "configs/compose/dashboard.json").read_text()
        shown = set(re.findall(r"\b((?:weir|process)_[a-z_]+)\b(?=\{|,)", dashboard))
        self.assertGreater(len(shown), 25)
        self.assertEqual(shown - samples, set())
        labels = set(re.findall(r"by \(([^)]+)\)", dashboard))
        known = set(re.findall(r'[{,]([a-z]+)="', page))
        for group in labels:
            for label in group.split(", "):
                self.assertIn(label, known)

        docs = (ROOT / "docs/operations.md").read_text()
        documented = set(re.findall(r"`((?:weir|process)_[a-z_]+)`", docs))
        self.assertEqual(documented, names, "docs/operations.md and /metrics")
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(LIMIT_S), 0)
        verified = run([WEIR, "verify", "--data", self.data])
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def test_replay_says_what_is_wrong(self):
        script = ROOT / "scripts/replay.sh"
        for arguments in ([], ["d"], ["d", "0"], ["d", "x", "--data=/d"], ["d", "1"]):
            out = run([script] + arguments)
            self.assertEqual(out.returncode, 2, arguments)
            self.assertTrue(out.stderr, arguments)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", required=True)
    arguments, rest = parser.parse_known_args()
    WEIR = os.path.abspath(arguments.weir)
    unittest.main(argv=[sys.argv[0]] + rest, verbosity=2)
