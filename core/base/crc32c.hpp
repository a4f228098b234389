#pragma once
// CRC-32C (Castagnoli), as in iSCSI, RocksDB and Kafka. Hardware instruction where there is one, else a table.

#include <cstdint>
#include <string_view>

namespace weir {

// crc32c("123456789") == 0xe3069283. `crc`: of what came before, to go on.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0);

namespace detail {
std::uint32_t crc32c_table(std::string_view bytes, std::uint32_t crc);  // For tests: the fallback.
}

}  // namespace weir
