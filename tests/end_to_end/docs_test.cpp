// The docs are true: their commands run, their links lead somewhere, the configs that ship work on a small input.
//
// What is run is told in doc_pages.hpp; the commands of docs/clients.md need a broker: clients_test runs them.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

#include "tests/end_to_end/doc_pages.hpp"
#include "tests/support/run_process.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> pages() {
  std::vector<fs::path> out = {project_directory() / "README.md", project_directory() / "CONTRIBUTING.md", project_directory() / "CHANGELOG.md"};
  for (const auto& entry : fs::directory_iterator(project_directory() / "docs"))
    if (entry.path().extension() == ".md") out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

TEST(Docs, CommandsRun) {
  std::size_t run = 0;
  for (const fs::path& page : pages()) {
    run += run_page(page, "sh runnable");
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
