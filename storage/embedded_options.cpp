#include "storage/embedded_options.hpp"

#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

namespace weir {

rocksdb::DBOptions database_options(const EmbeddedLogOptions& options, rocksdb::Env* env) {
  rocksdb::DBOptions out;
  if (env != nullptr) out.env = env;
  out.create_if_missing = options.create_if_missing;
  out.create_missing_column_families = options.create_if_missing;
  out.max_total_wal_size = options.max_total_wal_bytes;
  // A kill leaves a torn last record: that one never committed. Damage before it is found by the sync mark.
  out.wal_recovery_mode = options.past_damage ? rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords : rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  out.track_and_verify_wals_in_manifest = true;  // A log file that is gone or short is damage, too.
  out.avoid_flush_during_recovery = true;        // Opening reads the write-ahead log and writes nothing.
  out.skip_stats_update_on_db_open = true;
  out.max_background_jobs = 2;
  out.allow_concurrent_memtable_write = false;  // One committer; and insertion with a hint needs it.
  out.max_open_files = 512;
  out.bytes_per_sync = 1u << 20;  // Spreads the writing out, so that a sync finds little left to do.
  out.wal_bytes_per_sync = 1u << 20;
  out.enable_write_thread_adaptive_yield = false;  // Writers that wait sleep: the other core is the tick's.
  out.info_log_level = rocksdb::WARN_LEVEL;
  out.keep_log_file_num = 2;
  out.max_log_file_size = 4u << 20;
  out.stats_dump_period_sec = 0;
  out.stats_persist_period_sec = 0;
  return out;
}

rocksdb::ColumnFamilyOptions log_options(const EmbeddedLogOptions& options) {
  rocksdb::ColumnFamilyOptions out;
  out.write_buffer_size = options.log_write_buffer_bytes;
  out.max_write_buffer_number = 3;
  out.compression = rocksdb::kNoCompression;
  // Batches go to blob files once, at the flush; compaction moves only their addresses.
  out.enable_blob_files = true;
  out.min_blob_size = 1024;
  out.blob_file_size = 256u << 20;
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;  // A block holds a hundred addresses; the blobs are read once.
  table.block_size = 16u << 10;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return out;
}

rocksdb::ColumnFamilyOptions state_options(const EmbeddedLogOptions& options) {
  rocksdb::ColumnFamilyOptions out;
  out.write_buffer_size = options.state_write_buffer_bytes;
  // A commit's changes come sorted: each goes in near the one before it. One hint for all keys.
  out.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(0));
  // Most lookups are of ids never seen: a filter in memory, too, before the skip list.
  out.memtable_whole_key_filtering = true;
  out.memtable_prefix_bloom_size_ratio = 0.02;
  out.max_write_buffer_number = 3;
  out.compression_per_level = {rocksdb::kNoCompression, rocksdb::kNoCompression, rocksdb::kLZ4Compression};
  out.level_compaction_dynamic_level_bytes = true;
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));  // Most lookups are of ids never seen.
  // Few shards, and filters and indexes in pieces: a whole filter of a large file (1 MB) is larger than a shard by default,
  // would never stay in the cache, and be read and checked again at every lookup.
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes, /*num_shard_bits=*/2);
  table.partition_filters = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.metadata_block_size = 4u << 10;
  table.pin_top_level_index_and_filter = true;
  table.block_size = 8u << 10;
  table.cache_index_and_filter_blocks = true;  // Inside the budget.
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return out;
}

rocksdb::ColumnFamilyOptions meta_options() {
  rocksdb::ColumnFamilyOptions out;
  out.write_buffer_size = 4u << 20;
  out.compression = rocksdb::kLZ4Compression;
  return out;
}

}  // namespace weir
