#include "tests/end_to_end/doc_pages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

#include "tests/support/run_process.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

namespace fs = std::filesystem;

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

}  // namespace

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::size_t run_page(const fs::path& page, const std::string& kind, const std::vector<std::pair<std::string, std::string>>& replace) {
  TemporaryDirectory directory;
  for (const char* name : {"configs", "data", "docs", "scripts"}) fs::create_directory_symlink(project_directory() / name, directory / name);
  fs::create_directory(directory / "bin");
  fs::create_symlink(weir_binary(), directory / "bin/weir");
  ProcessOptions options;
  options.directory = directory.path();
  options.env = {{"PATH", (directory / "bin").string() + ":" + std::getenv("PATH")}};
  std::string printed;
  bool ran = true;  // Whether the last block of commands was one of those that are run.
  std::size_t run = 0;
  for (Block& block : blocks_of(page)) {
    const std::string where = page.string() + ":" + std::to_string(block.line);
    for (const auto& [from, to] : replace)
      for (std::size_t at = 0; (at = block.text.find(from, at)) != std::string::npos; at += to.size()) block.text.replace(at, from.size(), to);
    if (block.kind == kind) {
      const ProcessResult result = run_process({"/bin/bash", "-eu", "-c", block.text}, options, std::chrono::minutes(3));
      EXPECT_EQ(result.exit_code, 0) << where << "\n" << block.text << result.out << result.err;
      printed = result.out + result.err;
      ran = true;
      ++run;
    } else if (block.kind == "text expected") {
      EXPECT_TRUE(!ran || contains(printed, block.text)) << where << ": printed was\n" << printed.substr(0, 5000);
    } else if (block.kind.starts_with("file ")) {
      std::ofstream(directory / block.kind.substr(5), std::ios::binary) << block.text;
    } else {
      ran = ran && !block.kind.starts_with("sh");
      EXPECT_TRUE(block.kind.find("runnable") == std::string::npos || kind != "sh runnable") << where << ": '" << block.kind << "'";
    }
  }
  return run;
}

}  // namespace weir
