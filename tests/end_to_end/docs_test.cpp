// The docs are true: their commands run, their links lead somewhere, the configs that ship work on a small input.
//
// A fenced block that opens with ```sh runnable is run by `bash -eu`, all blocks of one page in order in one directory. There
// `weir` is this build's program, and configs/ and data/ are those of the project. A block of ```text expected after it must be
// part of what the block printed; `…` in it stands for anything.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

#include "tests/support/run_process.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> pages() {
  std::vector<fs::path> out = {project_directory() / "README.md", project_directory() / "CONTRIBUTING.md", project_directory() / "CHANGELOG.md"};
  for (const auto& entry : fs::directory_iterator(project_directory() / "docs"))
    if (entry.path().extension() == ".md") out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

struct Block {
  std::size_t line = 0;  // Of its first line of text.
  std::string kind;      // What follows the opening ```.
  std::string text;
};

std::vector<Block> blocks_of(const fs::path& page) {
  std::vector<Block> out;
  std::istringstream in(text_of(page));
  bool open = false;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.starts_with("```")) {
      if (!open) out.push_back({number + 1, line.substr(3), ""});
      open = !open;
    } else if (open) {
      out.back().text += line + "\n";
    }
  }
  EXPECT_FALSE(open) << page << ": a ``` that is not closed";
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == '\n') text.remove_prefix(1);
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return text;
}

// Whether every piece of `expected` between two `…` comes in `found`, in order.
bool contains(std::string_view found, std::string_view expected) {
  constexpr std::string_view kAnything = "…";
  while (!expected.empty()) {
    const std::size_t end = std::min(expected.find(kAnything), expected.size());
    const std::string_view piece = trimmed(expected.substr(0, end));
    const std::size_t at = found.find(piece);
    if (at == std::string_view::npos) return false;
    found.remove_prefix(at + piece.size());
    expected.remove_prefix(std::min(end + kAnything.size(), expected.size()));
  }
  return true;
}

TEST(Docs, CommandsRun) {
  std::size_t run = 0;
  for (const fs::path& page : pages()) {
    TemporaryDirectory directory;
    for (const char* name : {"configs", "data"}) fs::create_directory_symlink(project_directory() / name, directory / name);
    fs::create_directory(directory / "bin");
    fs::create_symlink(weir_binary(), directory / "bin/weir");
    ProcessOptions options;
    options.directory = directory.path();
    options.env = {{"PATH", (directory / "bin").string() + ":" + std::getenv("PATH")}};
    std::string printed;
    for (const Block& block : blocks_of(page)) {
      const std::string where = page.string() + ":" + std::to_string(block.line);
      if (block.kind == "sh runnable") {
        const ProcessResult result = run_process({"/bin/bash", "-eu", "-c", block.text}, options, std::chrono::minutes(3));
        EXPECT_EQ(result.exit_code, 0) << where << "\n" << block.text << result.out << result.err;
        printed = result.out + result.err;
        ++run;
      } else if (block.kind == "text expected") {
        EXPECT_TRUE(contains(printed, block.text)) << where << ": printed was\n" << printed;
      } else if (block.kind.starts_with("file ")) {
        std::ofstream(directory / block.kind.substr(5), std::ios::binary) << block.text;
      } else {
        EXPECT_TRUE(block.kind.find("runnable") == std::string::npos) << where << ": '" << block.kind << "'";
      }
    }
  }
  EXPECT_GE(run, 5u);
}

TEST(Docs, RelativeLinksLeadSomewhere) {
  const std::regex link(R"(\]\(([^)#\s]+)(#[^)\s]*)?\))");
  std::size_t seen = 0;
  for (const fs::path& page : pages()) {
    const std::string text = text_of(page);
    for (std::sregex_iterator at(text.begin(), text.end(), link), end; at != end; ++at) {
      const std::string target = (*at)[1];
      if (target.find("://") != std::string::npos) continue;
      EXPECT_TRUE(fs::exists(page.parent_path() / target)) << page << ": " << target;
      ++seen;
    }
  }
  EXPECT_GE(seen, 5u);
}

TEST(Docs, PathsInBackticksExist) {
  const std::regex path(R"(`((?:actors|bench|cli|cmake|configs|core|docs|pipelines|scripts|sources|storage|tests)/[A-Za-z0-9_./-]*)`)");
  for (const fs::path& page : pages()) {
    const std::string text = text_of(page);
    for (std::sregex_iterator at(text.begin(), text.end(), path), end; at != end; ++at) {
      const fs::path target = project_directory() / (*at)[1].str();
      EXPECT_TRUE(fs::exists(target) || fs::exists(target.string() + ".cpp") || fs::exists(target.string() + ".hpp")) << page << ": " << target;
    }
  }
}

TEST(Configs, RunOnASmallInput) {
  std::size_t seen = 0;
  for (const auto& entry : fs::directory_iterator(project_directory() / "configs")) {
    if (entry.path().extension() != ".yaml") continue;
    ++seen;
    TemporaryDirectory directory;
    std::string logs, outcomes;
    if (entry.path().filename() == "reference.yaml") {
      for (int i = 0; i < 50; ++i) {
        const std::string head = "{\"id\":\"" + std::to_string(i) + "\",\"ts\":\"2024-01-01T00:00:" + std::to_string(10 + i) + "Z\",";
        logs += head + "\"user\":\"u\",\"amount\":" + std::to_string(i) + ",\"shop\":\"s\",\"text\":\"a b\"}\n";
        outcomes += head + "\"label\":" + std::to_string(i % 2) + "}\n";
      }
    } else {
      logs = run_process({"/bin/bash", "-c", "zcat data/flights/events.jsonl.gz | head -n 50; true"}, {.directory = project_directory()}).out;
      outcomes = run_process({"/bin/bash", "-c", "zcat data/flights/outcomes.jsonl.gz | head -n 50; true"}, {.directory = project_directory()}).out;
    }
    std::ofstream(directory / "logs.jsonl") << logs;
    std::ofstream(directory / "outcomes.jsonl") << outcomes;
    const ProcessResult run = run_weir({"run", entry.path().string(), "--data", (directory / "d").string(), "--set", "sources.logs.files=[" + (directory / "logs.jsonl").string() + "]",
                                        "--set", "sources.outcomes.files=[" + (directory / "outcomes.jsonl").string() + "]"});
    EXPECT_EQ(run.exit_code, 0) << entry.path() << run.err;
    const ProcessResult report = run_weir({"report", "--data", (directory / "d").string(), "--json"});
    EXPECT_NE(report.out.find("\"events\":50,\"predicted\":50,"), std::string::npos) << entry.path() << report.out << report.err;
  }
  EXPECT_GE(seen, 3u);
}

}  // namespace
}  // namespace weir
