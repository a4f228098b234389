// Reads every #include of the tree and fails on an arrow that points the wrong way (docs/architecture.md §5), and reads the
// pure layers for what would make them depend on the machine, the clock or chance.
//
// A layer is a folder. It may include the layers named beside it and whatever those may include.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/run_process.hpp"

namespace weir {
namespace {

using Names = std::vector<std::string_view>;

const std::map<std::string_view, Names> kLayers = {
    {"core/base", {}},
    {"core/records", {"core/base"}},
    {"core/stats", {"core/records"}},  // records: state goes through StateReader and StateWriter.
    {"core/models", {"core/stats"}},
    {"core/learning", {"core/models"}},
    {"core/solvers", {"core/models"}},
    {"core/features", {"core/records"}},
    {"storage", {"core/records"}},
    {"sources", {"core/records"}},
    {"actors", {"core/learning", "core/solvers", "core/features"}},
    {"actors/runtime", {"actors", "sources", "storage"}},
    {"pipelines", {"actors/runtime"}},
    {"http", {"pipelines"}},
    {"cli", {"http"}},
    {"tests", {"cli", "bench"}},  // The proofs that a bench makes are tested, too.
    {"bench", {"cli"}},
};

// Which folders and files may include a third party's headers; a header matches by its beginning.
struct ThirdParty {
  std::string_view header;
  Names allowed;  // Beginnings of paths.
};
const std::vector<ThirdParty> kThirdParties = {
    {"caf/", {"actors/runtime/", "tests/", "bench/"}},
    {"rocksdb/", {"storage/embedded", "storage/kafka", "tests/", "bench/"}},
    {"librdkafka/", {"storage/kafka", "tests/", "bench/kafka"}},
    {"yaml-cpp/", {"pipelines/", "tests/"}},
    {"simdjson.h", {"core/records/", "tests/", "bench/"}},
    {"google/protobuf/", {"core/records/", "tests/"}},
    {"weir.pb.h", {"core/records/", "tests/"}},
    {"boost/asio", {"pipelines/", "http/", "cli/", "tests/"}},
    {"boost/beast", {"http/", "cli/", "tests/"}},
    {"CLI/", {"cli/"}},
    {"spdlog/", {"actors/runtime/", "pipelines/", "http/", "cli/", "tests/"}},
    {"zlib.h", {"core/models/hashtron_text", "sources/", "storage/", "tests/", "bench/"}},
    {"hwy/", {"core/models/", "tests/", "bench/"}},
    {"zstd.h", {"sources/", "storage/", "tests/", "bench/"}},
    {"gtest/", {"tests/"}},
    {"gmock/", {"tests/"}},
    {"rapidcheck", {"tests/"}},
    {"benchmark/", {"bench/"}},
};

// The pure layers: no file, socket, thread, wall clock, global chance.
const Names kPure = {"core/", "actors/"};
const Names kImpure = {"actors/runtime/"};
const Names kPureForbidsHeaders = {
    "condition_variable", "ctime", "fcntl.h", "filesystem", "fstream",  "future", "iostream", "mutex", "random",
    "shared_mutex",       "sys/",  "thread",  "time.h",     "unistd.h", "chrono",
};
// std:: functions whose bits differ from one processor or library to the next (core/base/math has ours), and clocks and chance.
const Names kPureForbidsWords = {
    "std::exp",     "std::exp2",    "std::expm1",    "std::log",
    "std::log2",    "std::log10",   "std::log1p",    "std::pow",
    "std::tanh",    "std::sinh",    "std::cosh",     "std::sin",
    "std::cos",     "std::tan",     "std::atan",     "std::atan2",
    "std::erf",     "std::erfc",    "std::cbrt",     "std::hypot",
    "std::tgamma",  "std::lgamma",  "std::rand",     "std::srand",
    "std::shuffle", "std::time",    "random_device", "mt19937",
    "mt19937_64",   "steady_clock", "system_clock",  "high_resolution_clock",
    "getenv",       "std::getenv",
};
const std::map<std::string_view, Names> kExceptions = {
    {"core/base/clock.hpp", {"chrono", "system_clock"}},  // The interface, and the one real clock behind it.
    {"core/base/clock.cpp", {"chrono", "system_clock", "steady_clock"}},
    {"core/base/crash_point.cpp",
     {"fcntl.h", "unistd.h", "getenv", "std::getenv", "mutex"}},  // Told by the environment; it kills.
    {"core/base/crc32c.cpp", {"sys/"}},                           // Asks which instructions there are.
    {"core/base/wide_room.cpp", {"sys/"}},                        // Asks for huge pages.
};

bool begins_with_any(std::string_view text, const Names& beginnings) {
  return std::ranges::any_of(beginnings, [&](std::string_view b) { return text.starts_with(b); });
}

bool excepted(std::string_view path, std::string_view word) {
  const auto found = kExceptions.find(path);
  return found != kExceptions.end() && std::ranges::find(found->second, word) != found->second.end();
}

// The longest layer that the path lies in; empty if none.
std::string_view layer_of(std::string_view path) {
  std::string_view best;
  for (const auto& [layer, _] : kLayers)
    if (path.starts_with(layer) && path.substr(layer.size()).starts_with('/') && layer.size() > best.size()) best = layer;
  return best;
}

bool may_include(std::string_view from, std::string_view to) {
  if (from == to) return true;
  return std::ranges::any_of(kLayers.at(from), [&](std::string_view next) { return may_include(next, to); });
}

// The backend of a storage file, which open_storage alone may name: embedded_log.hpp is "embedded". Empty: an interface.
std::string_view backend_of(std::string_view path) {
  for (std::string_view backend : {"embedded", "kafka", "memory"})
    if (path.starts_with("storage/") && path.substr(8).starts_with(backend)) return backend;
  return {};
}

// Blanks comments and the inside of string and character literals; keeps the line breaks.
std::string code_only(std::string_view text) {
  std::string out(text);
  const auto blank = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to && i < out.size(); ++i)
      if (out[i] != '\n') out[i] = ' ';
  };
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    if (text.substr(i, 2) == "//") {
      end = std::min(text.find('\n', i), text.size());
      blank(i, end);
    } else if (text.substr(i, 2) == "/*") {
      end = std::min(text.find("*/", i + 2), text.size() - 2) + 2;
      blank(i, end);
    } else if (text.substr(i, 2) == "R\"") {
      const std::string close = ")" + std::string(text.substr(i + 2, text.find('(', i) - i - 2)) + "\"";
      end = std::min(text.find(close, i), text.size() - close.size()) + close.size();
      blank(i, end);
    } else if (text[i] == '"' || (text[i] == '\'' && (i == 0 || !std::isalnum(static_cast<unsigned char>(text[i - 1]))))) {
      while (end < text.size() && text[end] != text[i] && text[end] != '\n') end += text[end] == '\\' ? 2 : 1;
      blank(i + 1, end);
      ++end;
    }
    i = end;
  }
  return out;
}

bool has_word(std::string_view code, std::string_view word) {
  const auto part_of_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == ':'; };
  for (std::size_t at = code.find(word); at != code.npos; at = code.find(word, at + 1)) {
    const bool begins = at == 0 || !part_of_word(code[at - 1]) || code[at - 1] == ':';
    const std::size_t end = at + word.size();
    const bool ends = end >= code.size() || !part_of_word(code[end]) || code[end] == ':';
    if (begins && ends) return true;
  }
  return false;
}

struct Include {
  std::string header;
  bool ours = false;  // "…" rather than <…>.
};

std::vector<Include> includes_of(std::string_view text) {
  std::vector<Include> out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    const auto skip = [&] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
    skip();
    if (!line.starts_with('#')) continue;
    line.remove_prefix(1);
    skip();
    if (!line.starts_with("include")) continue;
    line.remove_prefix(7);
    skip();
    if (line.empty() || (line[0] != '"' && line[0] != '<')) continue;
    const bool ours = line[0] == '"';
    const std::size_t close = line.find(ours ? '"' : '>', 1);
    out.push_back({.header = std::string(line.substr(1, close == line.npos ? close : close - 1)), .ours = ours});
  }
  return out;
}

// What is wrong with one file; its path is relative to the project.
std::vector<std::string> violations_in(std::string_view path, std::string_view text) {
  std::vector<std::string> out;
  const auto complain = [&](const std::string& what) { out.push_back(std::string(path) + ": " + what); };
  const std::string_view layer = layer_of(path);
  if (layer.empty()) {
    complain("in no layer of docs/architecture.md §5");
    return out;
  }
  const bool pure = begins_with_any(path, kPure) && !begins_with_any(path, kImpure);

  for (const Include& include : includes_of(text)) {
    const std::string& header = include.header;
    for (const ThirdParty& party : kThirdParties)
      if (header.starts_with(party.header) && !begins_with_any(path, party.allowed))
        complain("<" + header + ">: " + std::string(party.header) + " belongs to " + std::string(party.allowed.front()));
    if (pure)
      for (std::string_view forbidden : kPureForbidsHeaders)
        if ((forbidden.ends_with('/') ? header.starts_with(forbidden) : header == forbidden) && !excepted(path, forbidden))
          complain("<" + header + ">: a pure layer has no file, thread, clock or chance");
    if (!include.ours || header == "weir.pb.h") continue;

    const std::string_view target = layer_of(header);
    if (target.empty()) {
      complain("\"" + header + "\": an include of ours starts at the project's root");
      continue;
    }
    if (!may_include(layer, target))
      complain("\"" + header + "\": " + std::string(layer) + " may not include " + std::string(target));
    const std::string_view backend = backend_of(header);
    const bool may_name_backends = path.starts_with("storage/open_storage") || layer == "tests" || layer == "bench";
    if (!backend.empty() && backend != backend_of(path) && !may_name_backends)
      complain("\"" + header + "\": only storage/open_storage names a backend");
    if (header.starts_with("storage/open_storage") && layer == "actors/runtime")
      complain("\"" + header + "\": actors/runtime is handed the interfaces");
  }
  if (pure) {
    const std::string code = code_only(text);
    for (std::string_view word : kPureForbidsWords)
      if (has_word(code, word) && !excepted(path, word))
        complain("'" + std::string(word) +
                 "' in a pure layer: time, chance and such functions come in from outside (core/base)");
  }
  return out;
}

bool is_source(const std::filesystem::path& path) {
  const auto extension = path.extension();
  return extension == ".hpp" || extension == ".cpp" || extension == ".h" || extension == ".cc";
}

// Every C++ file of ours, relative to the project, in a fixed order.
std::set<std::string> our_sources(const std::filesystem::path& root) {
  std::set<std::string> out;
  for (auto it = std::filesystem::recursive_directory_iterator(root); it != std::filesystem::recursive_directory_iterator();
       ++it) {
    const std::string name = it->path().filename();
    if (it->is_directory() && (name.starts_with('.') || name == "node_modules" || (it.depth() == 0 && name == "build")))
      it.disable_recursion_pending();
    else if (it->is_regular_file() && is_source(it->path()))
      out.insert(std::filesystem::relative(it->path(), root));
  }
  return out;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Layering, EveryArrowPointsDown) {
  const auto root = project_directory();
  const auto sources = our_sources(root);
  EXPECT_GT(sources.size(), 40u);
  EXPECT_TRUE(sources.contains("core/base/result.hpp"));
  for (const std::string& path : sources)
    for (const std::string& violation : violations_in(path, read_file(root / path))) ADD_FAILURE() << violation;
}

TEST(Layering, EveryIncludeOfOursExists) {
  const auto root = project_directory();
  for (const std::string& path : our_sources(root))
    for (const Include& include : includes_of(read_file(root / path)))
      if (include.ours && include.header != "weir.pb.h") {
        EXPECT_TRUE(std::filesystem::exists(root / include.header)) << path << ": \"" << include.header << '"';
      }
}

TEST(Layering, HasNoCircle) {
  for (const auto& [layer, below] : kLayers)
    for (std::string_view next : below) EXPECT_FALSE(may_include(next, layer)) << layer << " and " << next;
}

struct Planted {
  std::string_view path;
  std::string_view text;
};

TEST(Layering, FindsEachKindOfWrongArrow) {
  const Planted planted[] = {
      {"core/base/result.cpp", "#include \"core/records/record.hpp\"\n"},
      {"core/stats/running_moments.hpp", "#include \"core/models/model.hpp\"\n"},
      {"core/features/aggregates.cpp", "  #  include \"core/learning/losses.hpp\"\n"},
      {"core/records/codec.cpp", "#include \"storage/topic_log.hpp\"\n"},
      {"storage/topic_log.hpp", "#include \"actors/stage.hpp\"\n"},
      {"sources/merge.cpp", "#include \"storage/topic_log.hpp\"\n"},
      {"actors/predictor.cpp", "#include \"storage/task_store.hpp\"\n"},
      {"actors/predictor.cpp", "#include \"actors/runtime/messages.hpp\"\n"},
      {"actors/predictor.cpp", "#include <caf/all.hpp>\n"},
      {"actors/runtime/committer.cpp", "#include \"pipelines/launcher.hpp\"\n"},
      {"actors/runtime/committer.cpp", "#include \"storage/open_storage.hpp\"\n"},
      {"actors/runtime/committer.cpp", "#include \"storage/embedded_log.hpp\"\n"},
      {"pipelines/launcher.cpp", "#include \"storage/memory_log.hpp\"\n"},
      {"pipelines/launcher.cpp", "#include \"http/server.hpp\"\n"},
      {"storage/memory_log.cpp", "#include \"storage/embedded_log.hpp\"\n"},
      {"storage/memory_log.cpp", "#include <rocksdb/db.h>\n"},
      {"storage/embedded_log.cpp", "#include <librdkafka/rdkafka.h>\n"},
      {"cli/check.cpp", "#include <yaml-cpp/yaml.h>\n"},
      {"core/models/logistic.cpp", "#include <fstream>\n"},
      {"actors/gate.cpp", "#include <sys/mman.h>\n"},
      {"core/models/logistic.cpp", "double f(double x) { return std::exp(x); }\n"},
      {"actors/gate.cpp", "auto now() { return std::chrono::steady_clock::now(); }\n"},
      {"core/learning/replay_buffer.cpp", "std::mt19937 generator;\n"},
      {"core/base/result.cpp", "#include \"result.hpp\"\n"},
      {"attic/old.cpp", ""},
  };
  for (const Planted& p : planted) EXPECT_EQ(violations_in(p.path, p.text).size(), 1u) << p.path << ": " << p.text;
}

TEST(Layering, AllowsWhatIsRight) {
  const Planted right[] = {
      {"core/learning/bptt.cpp", "#include \"core/base/math.hpp\"\n#include <span>\n"},
      {"actors/predictor.cpp", "#include \"core/models/model.hpp\"\n"},
      {"actors/runtime/committer.cpp", "#include <caf/all.hpp>\n#include \"storage/task_store.hpp\"\n"},
      {"storage/open_storage.cpp", "#include \"storage/embedded_log.hpp\"\n"},
      {"storage/embedded_log.cpp", "#include <rocksdb/db.h>\n#include \"storage/embedded_keys.hpp\"\n"},
      {"pipelines/launcher.cpp", "#include \"storage/open_storage.hpp\"\n#include \"core/base/result.hpp\"\n"},
      {"core/models/logistic.cpp", "// std::exp differs with the processor.\ndouble x = weir::exp(std::sqrt(1'000.0));\n"},
      {"core/models/logistic.cpp",
       "auto text = \"std::exp\"; auto raw = R\"(std::log)\"; std::exponential e; std::log_thing l;\n"},
      {"actors/runtime/task_actor.cpp", "#include <thread>\nauto now() { return std::chrono::steady_clock::now(); }\n"},
  };
  for (const Planted& p : right) EXPECT_EQ(violations_in(p.path, p.text), std::vector<std::string>{}) << p.path;
}

}  // namespace
}  // namespace weir
