#pragma once
// The pages of the docs as tests see them.
//
// A fenced block that opens with ```sh runnable (or another word, for what needs more than this build) is run by `bash -eu`, all
// blocks of one page in order in one directory. There `weir` is this build's program; configs/, data/, docs/ and scripts/ are those
// of the project. A block of ```file NAME is written there. A block of ```text expected after a block that was run must be part of
// what that one printed; `…` in it stands for anything.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace weir {

std::string text_of(const std::filesystem::path& path);

// Runs the blocks that open with `kind` ("sh runnable"); returns how many there were. `replace`: what stands for another text in
// commands and in what is expected, as a broker's address. Expectations fail, with page and line, where a block does.
std::size_t run_page(const std::filesystem::path& page, const std::string& kind,
                     const std::vector<std::pair<std::string, std::string>>& replace = {});

}  // namespace weir
