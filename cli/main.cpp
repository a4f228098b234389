// weir: the command line. Arguments become structs here; each command is a function in its own file.
#ifdef WEIR_TCMALLOC
#include <gperftools/malloc_extension.h>
#endif
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "cli/commands.hpp"
#include "core/base/simd.hpp"

namespace {

using namespace weir;
using namespace weir::cli;

using Action = std::function<Result<int>()>;

void add_data(CLI::App& app, Pipeline& pipeline) {
  app.add_option("--data", pipeline.data, "Data directory (default: data_dir of the config)")->type_name("DIR");
}
void add_sets(CLI::App& app, Pipeline& pipeline) {
  app.add_option("--set", pipeline.sets, "Replaces one value of the config; VALUE is YAML; repeatable")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}
// The config as a positional argument, or, for commands that take other positionals, as --config.
void add_pipeline(CLI::App& app, Pipeline& pipeline, bool required) {
  auto* option = app.add_option("config", pipeline.config, required ? "The pipeline's YAML file" : "The pipeline's YAML file; not needed with --data of one that has run");
  option->type_name("CONFIG")->required(required);
  add_data(app, pipeline);
  add_sets(app, pipeline);
}
void add_named_pipeline(CLI::App& app, Pipeline& pipeline) {
  app.add_option("--config", pipeline.config, "The pipeline's YAML file; not needed with --data")->type_name("CONFIG");
  add_data(app, pipeline);
  add_sets(app, pipeline);
}

int fail(const Error& error) {
  const bool colour = ::isatty(STDERR_FILENO) != 0;
  std::fprintf(stderr, "%sweir: %s%s\n", colour ? "\x1b[31m" : "", error.what.c_str(), colour ? "\x1b[0m" : "");
  return exit_code_of(error.code);
}

}  // namespace

int main(int argc, char** argv) {
#ifdef WEIR_TCMALLOC
  // A transaction on Kafka is ten thousand messages of six blocks each, made and freed by one thread: with the default of 32 MiB
  // for all threads they go through the list that these share. What is not used goes back.
  MallocExtension::instance()->SetNumericProperty("tcmalloc.max_total_thread_cache_bytes", 128u << 20);
#endif
  std::signal(SIGXFSZ, SIG_IGN);  // A limit on file sizes is an error of write(), too.
  std::signal(SIGPIPE, SIG_IGN);  // A reader that leaves (`| head`) is an error of write(), no reason to die half-way.
  CLI::App app{"Weir learns from a log while the log is being written.", "weir"};
  app.require_subcommand(1);
  app.footer("Examples:\n"
             "  weir demo\n"
             "  weir run configs/flights.yaml --data flights-data\n"
             "  weir report --data flights-data\n"
             "  weir COMMAND --help\n"
             "Exit codes: 0 done, 1 internal, 2 usage or config, 3 input, 4 unavailable or I/O, 5 corruption or version,\n"
             "6 in use, 7 verify found a violation, 130/143 second signal.");
  Action action;

  RunArguments run;
  auto* run_app = app.add_subcommand("run", "Run a pipeline until its sources end; a second run goes on where the first stopped");
  add_pipeline(*run_app, run.pipeline, true);
  run_app->add_flag("--quiet,-q", run.quiet, "No progress, no closing line");
  run_app->footer("While it runs, /metrics (Prometheus), /health and /ready answer at the address that `weir status` shows (http.listen: off, or\n"
                  "ADDRESS:PORT; anything but this machine needs http.token).\n"
                  "Examples:\n"
                  "  weir run configs/flights.yaml\n"
                  "  weir run configs/flights.yaml --data d --set 'sources.logs.files=[a.jsonl.gz]' --set 'sources.outcomes.files=[b.jsonl.gz]'\n"
                  "  weir run configs/flights.yaml --set gate.coverage=0.95 --set learning=free\n"
                  "  weir run configs/flights.yaml --data d --set 'sources.logs.files=[]' --set http.listen=127.0.0.1:9464");
  run_app->callback([&] { action = [&] { return run_command(run); }; });

  CheckArguments check;
  auto* check_app = app.add_subcommand("check", "Say what is wrong with a config, without starting anything");
  add_pipeline(*check_app, check.pipeline, true);
  check_app->add_flag("--print", check.print, "Print the config with all its defaults");
  check_app->add_flag("--json", check.json, "The problems as one JSON object");
  check_app->add_flag("--connect", check.connect, "Also open every connection and look at files, brokers, topics and rights; writes nothing");
  check_app->footer("Examples:\n  weir check configs/flights.yaml --connect --set log.kind=kafka --set log.brokers=127.0.0.1:9092\n  weir check configs/flights.yaml\n  weir check configs/flights.yaml --print --set gate.coverage=0.95");
  check_app->callback([&] { action = [&] { return check_command(check); }; });

  InitArguments init;
  auto* init_app = app.add_subcommand("init", "Write a starter config from a sample of lines");
  init_app->add_option("logs", init.logs, "A file of log lines (plain, gzip, zstd), or - for standard input")->required()->type_name("FILE");
  init_app->add_option("--outcomes", init.outcomes, "A file of outcomes")->type_name("FILE");
  init_app->add_option("--label", init.label, "The field with the label: of the outcomes, or, without, of the lines themselves")->type_name("FIELD");
  init_app->add_option("--name", init.name, "The pipeline's name (default: the file's)");
  init_app->add_option("--output,-o", init.output, "Where to write it (default: NAME.yaml; - prints it)")->type_name("FILE");
  init_app->add_option("--data", init.data, "The data_dir that the config names")->type_name("DIR");
  init_app->add_flag("--force", init.force, "Replace a file that is there");
  init_app->footer("Examples:\n  weir init data/flights/events.jsonl.gz --outcomes data/flights/outcomes.jsonl.gz -o -\n  head -200 app.log | weir init - --name app\n  weir init orders.csv --label late");
  init_app->callback([&] { action = [&] { return init_command(init); }; });

  ProduceArguments produce;
  auto* produce_app = app.add_subcommand("produce", "Append lines to topic logs or outcomes");
  produce_app->add_option("topic", produce.topic, "logs or outcomes")->type_name("TOPIC")->capture_default_str();
  produce_app->add_option("files", produce.files, "Files of lines: plain, gzip or zstd (default, or -: standard input); CSV with its header")->type_name("FILE");
  add_named_pipeline(*produce_app, produce.pipeline);
  produce_app->add_option("--partition", produce.partition, "Put all lines there (default: each to the partition of its id)")->type_name("P");
  produce_app->footer("Examples:\n  tail -F app.log | weir produce logs --data d\n  weir produce outcomes sold.jsonl --config shop.yaml");
  produce_app->callback([&] { action = [&] { return produce_command(produce); }; });

  TailArguments tail;
  auto* tail_app = app.add_subcommand("tail", "Print the records of a topic, one JSON object a line");
  tail_app->add_option("topic", tail.topic, "predictions, examples, unjoined, dead-letters, models … (weir topics lists them)")->required()->type_name("TOPIC");
  add_named_pipeline(*tail_app, tail.pipeline);
  tail_app->add_option("--partition", tail.partition, "Only this one (default: all)")->type_name("P");
  tail_app->add_flag("--from-beginning", tail.from_beginning, "From the oldest record; else only what comes");
  tail_app->add_flag("--follow,-f", tail.follow, "Go on at the end, as long as the pipeline runs");
  tail_app->add_flag("--json", tail.json, "Values as JSON (the default)");
  tail_app->add_flag("--envelope", tail.envelope, "With topic, partition, offset, key and headers");
  tail_app->add_option("--limit,-n", tail.limit, "Stop after so many records")->type_name("N");
  tail_app->footer("Examples:\n  weir tail predictions --data d --from-beginning --json | head\n  weir tail predictions --data d --follow --envelope");
  tail_app->callback([&] { action = [&] { return tail_command(tail); }; });

  ShowArguments show;
  const auto add_show = [&](const char* name, const char* text, const char* footer, Result<int> (*command)(const ShowArguments&)) {
    auto* sub = app.add_subcommand(name, text);
    add_pipeline(*sub, show.pipeline, false);
    sub->add_flag("--json", show.json, "As JSON");
    sub->footer(footer);
    sub->callback([&action, &show, command] { action = [&show, command] { return command(show); }; });
  };
  add_show("topics", "List the topics of a data directory", "Examples:\n  weir topics --data d\n  weir topics configs/flights.yaml --json", topics_command);
  add_show("status", "What a running pipeline is doing, or where a stopped one stands", "Examples:\n  weir status --data d\n  weir status --data d --json\n  weir status --data d --ready && echo ready", status_command);
  app.get_subcommand("status")->add_flag("--ready", show.ready, "Print nothing; exit code 0 if a process runs there and all its tasks have recovered, else 4");
  add_show("report", "Counts, quality beside the baselines, coverage, latency", "Examples:\n  weir report --data d\n  weir report --data d --json", report_command);

  VerifyArguments verify;
  auto* verify_app = app.add_subcommand("verify", "Check that nothing was lost or counted twice; exit code 7 if something was");
  add_pipeline(*verify_app, verify.pipeline, false);
  verify_app->add_flag("--recompute", verify.recompute, "Compute everything again from the inputs and compare the bytes");
  verify_app->add_flag("--json", verify.json, "As JSON");
  verify_app->footer("Examples:\n  weir verify --data d\n  weir verify --data d --recompute");
  verify_app->callback([&] { action = [&] { return verify_command(verify); }; });

  InspectArguments inspect;
  auto* inspect_app = app.add_subcommand("inspect", "Look into the state of a directory that no process holds");
  add_pipeline(*inspect_app, inspect.pipeline, false);
  inspect_app->add_option("--task", inspect.task, "The task")->capture_default_str();
  inspect_app->add_option("--partition", inspect.partition, "Only this one (default: all)")->type_name("P");
  inspect_app->add_option("--prefix", inspect.prefix, "Only state entries that begin so, as in 'features/'");
  inspect_app->add_flag("--entries", inspect.entries, "List entries: key, bytes, CRC32C, first 64 bytes");
  inspect_app->add_flag("--order", inspect.order, "List commits: which inputs were taken in which order");
  inspect_app->add_option("--limit,-n", inspect.limit, "At most so many entries or commits")->capture_default_str();
  inspect_app->footer("Examples:\n  weir inspect --data d\n  weir inspect --data d --entries --prefix predictor/\n  weir inspect --data d --order --limit 5");
  inspect_app->callback([&, inspect_app] {
    if (inspect_app->get_subcommands().empty()) action = [&] { return inspect_command(inspect); };  // Else `sums` has said what to do.
  });

  InspectSumsArguments inspect_sums;
  auto* inspect_sums_app = inspect_app->add_subcommand("sums", "The sums of a network of hashtrons: latest, gold, margins, a neuron's trend");
  inspect_sums_app->add_option("--snapshot", inspect_sums.snapshot, "The snapshot of a training (weir train hashtron --snapshot)")->required()->type_name("FILE");
  inspect_sums_app->add_option("--neuron", inspect_sums.neuron, "All records of this one")->type_name("LAYER.POSITION");
  inspect_sums_app->add_flag("--json", inspect_sums.json, "As JSON");
  inspect_sums_app->footer("Examples:\n  weir inspect sums --snapshot roots.snap\n  weir inspect sums --snapshot roots.snap --neuron 0.17 --json");
  inspect_sums_app->callback([&] { action = [&] { return inspect_sums_command(inspect_sums); }; });

  TrainArguments train;
  auto* train_app = app.add_subcommand("train", "Train a model offline");
  train_app->require_subcommand(1);
  train_app->footer("Examples:\n  weir train hashtron --task sqrt-bit:C=5,b=3,noise=20");
  auto* hashtron_app = train_app->add_subcommand("hashtron", "Train a network of hashtrons on a generated task or a file of samples");
  hashtron_app->add_option("--config", train.config, "Task, layers and settings as YAML (configs/train has every key; default: its values)")->type_name("FILE");
  hashtron_app->add_option("--set", train.sets, "Replaces one value of the config; VALUE is YAML; repeatable")->type_name("PATH=VALUE")->allow_extra_args(false)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  hashtron_app->add_option("--task", train.task, "sqrt-bit:C=5,b=3,noise=20, sqrt, prior, majority, isalnum, or a file of samples (*.csv)")->type_name("TASK");
  hashtron_app->add_option("--seed", train.seed, "All chance comes from it");
  hashtron_app->add_option("--sweeps", train.sweeps, "From the output to the input, at most so often");
  hashtron_app->add_option("--out,-o", train.out, "Write the model there at the end: *.zlib packed, else text; what was there is kept as FILE.previous")->type_name("FILE");
  hashtron_app->add_option("--snapshot", train.snapshot, "Goes on from there, and keeps it up to date after every job")->type_name("FILE");
  hashtron_app->add_option("--from", train.from, "Go on with this model instead of a fresh network")->type_name("MODEL");
  hashtron_app->add_option("--rollback", train.rollback, "soft: the snapshot's network goes on forward; medium: its sums lose their influence; hard: the model of --out as it was before")->check(CLI::IsMember({"soft", "medium", "hard"}));
  hashtron_app->add_flag("--matrix", train.matrix, "All 140 generated tasks to their ends, and a table; without --config by selection: edge");
  hashtron_app->add_option("--scale", train.scale, "Of the matrix only the tasks with this C")->check(CLI::Range(4, 7));
  hashtron_app->add_option("--experiment", train.experiment, "Half of the matrix's tasks, by hash of this name and theirs, go to a second arm")->type_name("NAME");
  hashtron_app->add_option("--arm", train.arm_sets, "What the second arm does otherwise; repeatable")->type_name("PATH=VALUE")->allow_extra_args(false)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  hashtron_app->add_flag("--paired", train.paired, "Every task in both arms instead");
  hashtron_app->add_flag("--print", train.print, "Print the config with all its defaults, and do nothing");
  hashtron_app->add_flag("--json", train.json, "The summary as JSON");
  hashtron_app->add_flag("--quiet,-q", train.quiet, "No progress, no closing line");
  hashtron_app->footer("Examples:\n  weir train hashtron --task sqrt-bit:C=5,b=3,noise=20 --snapshot roots.snap --out roots.json.t.zlib\n"
                       "  weir train hashtron --config configs/train/hashtron.yaml --set direction=forward --set forward.jobs=500\n"
                       "  weir train hashtron --snapshot roots.snap --rollback soft --task sqrt-bit:C=5,b=3,noise=20\n"
                       "  weir train hashtron --matrix --scale 5 --experiment edge --arm selection=gold");
  hashtron_app->callback([&] { action = [&] { return train_command(train); }; });

  ModelsArguments models;
  auto* models_app = app.add_subcommand("models", "Networks of hashtrons in the text format of existing models, in and out");
  models_app->require_subcommand(1);
  models_app->footer("Examples:\n  weir models export --snapshot roots.snap -o roots.json.t.zlib\n  weir models import roots.json.t.zlib --config configs/train/hashtron.yaml");
  auto* import_app = models_app->add_subcommand("import", "Check a model against its layers, measure it, and make a snapshot of it that training goes on from");
  import_app->add_option("model", models.model, "The model's file: text, or packed by zlib")->required()->type_name("MODEL");
  import_app->add_option("--config", models.config, "Its layers (the file stores none), the task, and the settings to go on with")->type_name("FILE");
  import_app->add_option("--task", models.task, "As of weir train hashtron; its layers, where the config has none")->type_name("TASK");
  import_app->add_option("--set", models.sets, "Replaces one value of the config; VALUE is YAML; repeatable")->type_name("PATH=VALUE")->allow_extra_args(false)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  import_app->add_option("--snapshot", models.snapshot, "Where to write it; without: nothing is written")->type_name("FILE");
  import_app->footer("Examples:\n  weir models import roots.json.t.zlib --task sqrt-bit:C=5,b=3 --snapshot roots.snap");
  import_app->callback([&] { action = [&] { return models_import_command(models); }; });
  auto* export_app = models_app->add_subcommand("export", "Write a snapshot's network as a model's file");
  export_app->add_option("--snapshot", models.snapshot, "The snapshot of a training")->required()->type_name("FILE");
  export_app->add_option("--out,-o", models.model, "*.zlib packed, else text; - prints it")->required()->type_name("FILE");
  export_app->footer("Examples:\n  weir models export --snapshot roots.snap -o roots.json.t.zlib\n  weir models export --snapshot roots.snap -o -");
  export_app->callback([&] { action = [&] { return models_export_command(models); }; });

  RunArguments repair;
  auto* repair_app = app.add_subcommand("repair", "Go on from the newest whole backup of a damaged directory, and compare");
  add_pipeline(*repair_app, repair.pipeline, false);
  repair_app->add_flag("--quiet,-q", repair.quiet, "No progress");
  repair_app->footer("Examples:\n  weir repair --data d\n  weir repair configs/flights.yaml --data d");
  repair_app->callback([&] { action = [&] { return repair_command(repair); }; });

  std::string demo_data;
  auto* demo_app = app.add_subcommand("demo", "Run the shipped flights in a temporary directory, then report");
  demo_app->add_option("--data", demo_data, "Keep the data here instead")->type_name("DIR");
  demo_app->footer("Examples:\n  weir demo\n  weir demo --data demo-data");
  demo_app->callback([&] { action = [&] { return demo_command(demo_data); }; });

  bool version_json = false;
  auto* version_app = app.add_subcommand("version", "Print the version");
  version_app->add_flag("--json", version_json, "As JSON");
  version_app->footer("Examples:\n  weir version\n  weir version --json");
  version_app->callback([&] { action = [&] { return version_command(version_json); }; });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const auto named = [&](CLI::App* sub) { return sub->get_name() == argv[1]; };
    if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(named).empty())
      return fail({ErrorCode::kNotFound, "command '" + std::string(argv[1]) + "': there is none; weir --help lists them"});
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  if (const char* wanted = std::getenv("WEIR_SIMD_TARGET"); wanted != nullptr)
    if (const Result<void> known = use_simd_target(wanted); !known.ok()) return fail(known.error());
  try {
    const Result<int> result = action();
    return result.ok() ? *result : fail(result.error());
  } catch (const std::exception& error) {  // A mistake of ours, but one with a name and an exit code.
    std::fprintf(stderr, "weir: internal error: %s\n", error.what());
    return kInternal;
  }
}
