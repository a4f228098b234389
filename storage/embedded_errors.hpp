#pragma once
// RocksDB's Status as our Error: the one table for it.

#include <string_view>

#include "core/base/result.hpp"

namespace rocksdb {
class Status;
}

namespace weir {

// `what`: which object and what was attempted. REQUIRES: !status.ok().
Error to_error(const rocksdb::Status& status, std::string_view what);

}  // namespace weir
