// Networks of hashtrons from text and packed: any bytes are read or refused with a reason; what was read comes back the same
// once it is written again, its neurons answer, and written text is a fixed point.
#include <string>

#include "core/models/hashtron_text.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace {

using namespace weir;

void text(std::string_view bytes) {
  const auto first = parse_hashtron_text(bytes);
  if (!first.ok()) {
    FUZZ_CHECK(is_utf8(first.error().what) && first.error().what.size() < 300);
    return;
  }
  const std::string written = to_hashtron_text(*first);
  const auto second = parse_hashtron_text(written);
  FUZZ_CHECK(second.ok() && *second == *first);
  FUZZ_CHECK(to_hashtron_text(*second) == written);
  for (const Hashtron& neuron : *first)
    for (const std::uint32_t feature : {0U, 1U, 0xffffffffU})
      FUZZ_CHECK(neuron.bit(feature) == ((neuron.output(feature) & 1) != 0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    text(body);
    const auto same = unpack_hashtron_text(pack_hashtron_text(body));
    FUZZ_CHECK(same.ok() && *same == body);
  } else {
    const auto unpacked = unpack_hashtron_text(body, 1 << 20);
    if (unpacked.ok())
      text(*unpacked);
    else
      FUZZ_CHECK(unpacked.error().code == ErrorCode::kCorruption && is_utf8(unpacked.error().what));
  }
  return 0;
}
