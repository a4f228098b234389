#pragma once
// What a snapshot has around its body: eight letters that say of what it is, version u32; CRC32C u32 over all before it.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"

namespace weir {

struct SnapshotFrame {
  std::string_view magic;
  std::uint32_t version = 1;
  std::string_view name;  // For errors: "sum cache snapshot".

  // The body is appended to it.
  ByteBuffer begin() const;
  static std::string end(ByteBuffer out);
  // A reader of the body, in `snapshot`. kCorruption: not one, or damaged. kVersion: of a newer program.
  Result<ByteReader> open(std::string_view snapshot) const;
  // kCorruption, with the size of what was found.
  Error corrupt(std::string_view snapshot, std::string_view what) const;
};

}  // namespace weir
