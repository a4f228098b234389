#pragma once
// Networks of hashtrons as text, and packed: the format of existing models, byte for byte.
//
// A neuron is [ pairs , "filter" ]: each pair [salt XOR the salt before it, d], d the first modulo, then by how much the modulo
// fell (negative where it grew); the filter in lower-case hex, high digit first, left out where it is empty. A network is
// "[\n", its neurons in layer order with ",\n" between, "]\n". The architecture is not in it: who reads must know the net.
//
//   [
//   [[9,16],[9,7],[2,5],[8,2]],
//   [[12345,16],"004820"]]
//
// Packed is a zlib stream of the text (files *.json.t.zlib and *.lzw). Packed bytes differ from one compressor to the next:
// compare texts. Read in more generously than written: white space between any two parts, hex in capitals.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/models/hashtron.hpp"

namespace weir {

inline constexpr std::size_t kHashtronTextBytesMax = std::size_t{1} << 30;

// REQUIRES: each neuron has one bit and is not negated: the format has no place for that.
std::string to_hashtron_text(std::span<const Hashtron> neurons);
// kInvalidInput: names the neuron, the byte, what was found and what was expected. Time and memory follow the text's length.
Result<std::vector<Hashtron>> parse_hashtron_text(std::string_view text);

std::string pack_hashtron_text(std::string_view text);
// kCorruption: not a zlib stream, cut short, with something behind its end, or of more than `text_bytes_max` unpacked.
Result<std::string> unpack_hashtron_text(std::string_view packed, std::size_t text_bytes_max = kHashtronTextBytesMax);

}  // namespace weir
