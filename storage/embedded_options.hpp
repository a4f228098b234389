#pragma once
// RocksDB's settings for the three column families, and why. Internal to the embedded_* files.

#include <rocksdb/options.h>

#include "storage/embedded_log.hpp"

namespace weir {

rocksdb::DBOptions database_options(const EmbeddedLogOptions& options, rocksdb::Env* env);
rocksdb::ColumnFamilyOptions log_options(const EmbeddedLogOptions& options);
rocksdb::ColumnFamilyOptions state_options(const EmbeddedLogOptions& options);
rocksdb::ColumnFamilyOptions meta_options();

}  // namespace weir
