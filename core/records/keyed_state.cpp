#include "core/records/keyed_state.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "core/base/hash.hpp"

namespace weir {
namespace {

constexpr std::uint32_t kNotDirty = UINT32_MAX;
constexpr std::size_t kSlabBytes = 64 << 10;
constexpr std::size_t kClassCount = 33;       // 64 bytes to 16 KiB, four per doubling.
constexpr std::uint8_t kLargeClass = 255;     // From malloc, one by one.
constexpr std::size_t kGuardGroups = 65536;  // 512 KiB.
constexpr std::size_t kBytesPerHint = 128;    // Of the budget. Most entries are smaller than that, and some hints lost.
constexpr int kEvictionSteps = 24;            // Slots looked at per lookup that made an entry resident.

// One entry's block: this header, the key ('k' before it, as stored) padded to 8 bytes, the value.
struct Entry {
  std::uint64_t hash;
  std::uint64_t commit;      // The last commit that its changes were part of; 0: as loaded, or never saved.
  std::uint32_t size;        // Of the value.
  std::uint32_t dirty_at;    // Its place in the dirty list.
  std::uint32_t capacity;    // Bytes of the value that the block has room for.
  std::uint16_t key_bytes;   // With the 'k'.
  std::uint8_t size_class;
  bool absent : 1;           // Known not to exist (erased, or looked up in vain).
  bool stored : 1;           // The store may hold it.

  char* key_data() { return reinterpret_cast<char*>(this + 1); }
  std::string_view stored_key() { return {key_data(), key_bytes}; }
  bool has_key(std::string_view key) {
    if (key.size() + 1 != key_bytes) return false;
    if (key.size() == 8) return std::memcmp(key_data() + 1, key.data(), 8) == 0;  // One comparison, no call.
    return std::memcmp(key_data() + 1, key.data(), key.size()) == 0;
  }
  static std::size_t key_room(std::size_t key_bytes) { return (key_bytes + 7) & ~std::size_t{7}; }
  char* value() { return key_data() + key_room(key_bytes); }
};
static_assert(sizeof(Entry) == 32);

// Only for the index: never stored. Keys of 8 bytes are hashes already.
std::uint64_t index_hash(std::string_view key) {
  if (key.size() != 8) return hash64(key);
  std::uint64_t x;
  std::memcpy(&x, key.data(), 8);
  x *= 0x9e3779b97f4a7c15ULL;
  return x ^ (x >> 32);
}

struct ClassTable {
  std::array<std::uint32_t, kClassCount> bytes{};
  constexpr ClassTable() {
    for (std::size_t i = 0; i < kClassCount; ++i) {
      const std::uint32_t base = 64u << (i / 4);
      bytes[i] = base + base / 4 * static_cast<std::uint32_t>(i % 4);
    }
  }
};
constexpr ClassTable kClasses;

std::size_t class_of(std::size_t bytes) {
  if (bytes <= 64) return 0;
  const auto top = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;  // 2^top <= bytes - 1 < 2^(top + 1).
  const std::size_t quarter = ((bytes - 1) - (std::size_t{1} << top)) >> (top - 2);
  return (top - 6) * 4 + quarter + 1;
}

// Blocks of a few sizes, cut from slabs that any size can take over once they are empty.
class SlabAllocator {
 public:
  ~SlabAllocator() {
    for (Slab* slab : slabs_) std::free(slab);
  }

  void* allocate(std::size_t size_class) {
    Slab*& open = open_[size_class];
    if (open == nullptr) open = new_slab(size_class);
    Slab* slab = open;
    void* block;
    if (slab->free != nullptr) {
      block = slab->free;
      std::memcpy(&slab->free, block, sizeof(void*));
    } else {
      block = reinterpret_cast<char*>(slab) + slab->unused_at;
      slab->unused_at += kClasses.bytes[size_class];
    }
    ++slab->used;
    if (full(*slab)) unlink(slab);
    return block;
  }

  void release(void* block) {
    Slab* slab = reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(block) & ~(kSlabBytes - 1));
    const bool was_full = full(*slab);
    std::memcpy(block, &slab->free, sizeof(void*));
    slab->free = block;
    --slab->used;
    if (was_full) link(slab);
    if (slab->used == 0 && (slab->next != nullptr || slab->previous != nullptr)) {  // Not the last open one of its size.
      unlink(slab);
      slab->next = empty_;
      empty_ = slab;
    }
  }

 private:
  struct Slab {
    Slab* next;
    Slab* previous;
    void* free;
    std::uint32_t used;
    std::uint32_t unused_at;   // Where the part that was never handed out begins.
    std::uint32_t size_class;
  };
  static constexpr std::uint32_t kHeaderBytes = 64;

  static bool full(const Slab& slab) {
    return slab.free == nullptr && slab.unused_at + kClasses.bytes[slab.size_class] > kSlabBytes;
  }
  void link(Slab* slab) {
    slab->previous = nullptr;
    slab->next = open_[slab->size_class];
    if (slab->next != nullptr) slab->next->previous = slab;
    open_[slab->size_class] = slab;
  }
  void unlink(Slab* slab) {
    if (slab->previous != nullptr) slab->previous->next = slab->next;
    else open_[slab->size_class] = slab->next;
    if (slab->next != nullptr) slab->next->previous = slab->previous;
    slab->next = slab->previous = nullptr;
  }
  Slab* new_slab(std::size_t size_class) {
    Slab* slab = empty_;
    if (slab != nullptr) {
      empty_ = slab->next;
    } else {
      slab = static_cast<Slab*>(std::aligned_alloc(kSlabBytes, kSlabBytes));
      CHECK(slab != nullptr);
      slabs_.push_back(slab);
    }
    *slab = {nullptr, nullptr, nullptr, 0, kHeaderBytes, static_cast<std::uint32_t>(size_class)};
    return slab;
  }

  std::array<Slab*, kClassCount> open_{};  // Slabs with room, by size.
  Slab* empty_ = nullptr;
  std::vector<Slab*> slabs_;
};

// Which keys are resident, for threads that may not look: one word a key, by its hash; the last one that came stands there. A
// reader thread need not fetch what is resident, and asks that it stays until the tick has looked it up.
class ResidentHints {
 public:
  explicit ResidentHints(std::size_t budget_bytes) : words_(std::bit_ceil(std::max<std::size_t>(budget_bytes / kBytesPerHint, 1024))) {}
  // The owner's.
  void add(std::uint64_t hash) { word(hash).store(mark_of(hash), std::memory_order_relaxed); }
  void remove(std::uint64_t hash) {
    if ((word(hash).load(std::memory_order_relaxed) & ~kWanted) == mark_of(hash)) word(hash).store(0, std::memory_order_relaxed);
  }
  // Whether it was asked for since the last time.
  bool take_wanted(std::uint64_t hash) {
    if (word(hash).load(std::memory_order_relaxed) != (mark_of(hash) | kWanted)) return false;
    word(hash).store(mark_of(hash), std::memory_order_relaxed);
    return true;
  }
  // Any thread. A guess: whoever trusts it looks up what was evicted in the meantime, or fetches what is there.
  bool ask_for(std::uint64_t hash) {
    const std::uint32_t now = word(hash).load(std::memory_order_relaxed);
    if ((now & ~kWanted) != mark_of(hash)) return false;
    if ((now & kWanted) == 0) word(hash).fetch_or(kWanted, std::memory_order_relaxed);
    return true;
  }
  std::size_t bytes() const { return words_.size() * sizeof(words_[0]); }

 private:
  static constexpr std::uint32_t kWanted = 1;
  static std::uint32_t mark_of(std::uint64_t hash) { return (static_cast<std::uint32_t>(hash >> 32) | 2) & ~kWanted; }
  std::atomic<std::uint32_t>& word(std::uint64_t hash) { return words_[hash & (words_.size() - 1)]; }
  std::vector<std::atomic<std::uint32_t>> words_;
};

}  // namespace

struct KeyedState::Impl {
  // Where an entry is: open addressing with linear probing. The lowest bit of the pointer is the clock's "used since".
  struct Slot {
    std::uint64_t hash = 0;
    std::uintptr_t entry = 0;  // 0: free.
  };
  static Entry* entry_of(const Slot& slot) { return reinterpret_cast<Entry*>(slot.entry & ~std::uintptr_t{1}); }

  struct Erasure {
    std::uint64_t commit;
    std::uint64_t hash;
  };

  explicit Impl(std::size_t budget) : budget_bytes(budget), slots(1024), hints(budget) { mask = slots.size() - 1; }

  // How many entries are not resident, by the key's first byte, and of all. Counted by the owner, asked by any thread: who is late to
  // learn of one leaves a read to the tick.
  static constexpr std::uint64_t kUncounted = std::uint64_t{1} << 62;  // Some were left behind by load().
  std::array<std::atomic<std::uint64_t>, 256> cold{};
  std::atomic<std::uint64_t> all_cold{0};
  static std::size_t kind_of(std::string_view key) { return key.empty() ? 0 : static_cast<unsigned char>(key[0]); }
  bool may_be_cold(std::string_view key) const { return cold[kind_of(key)].load(std::memory_order_relaxed) != 0; }
  void leave_cold(std::string_view key) {
    add(cold[kind_of(key)], 1);
    add(all_cold, 1);
  }
  // It is resident now, or erased.
  void warm_up(std::string_view key) {
    auto& count = cold[kind_of(key)];
    const std::uint64_t before = count.load(std::memory_order_relaxed);
    if (before >= kUncounted) return;
    CHECK(before > 0);
    add(count, ~std::uint64_t{0});
    add(all_cold, ~std::uint64_t{0});
  }
  static void add(std::atomic<std::uint64_t>& count, std::uint64_t more) {  // Written by one thread.
    count.store(count.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
  ~Impl() { drop_everything(); }

  std::size_t budget_bytes;
  std::vector<Slot> slots;
  std::size_t mask = 0;
  std::size_t count = 0;
  std::size_t entry_bytes = 0;
  SlabAllocator slabs;
  ResidentHints hints;
  std::vector<Entry*> dirty;
  std::vector<Erasure> erasures;  // Saved, not yet committed; ascending by commit.
  std::size_t erasures_begin = 0;
  std::uint64_t committed = 0;
  std::vector<std::uint64_t> changed_and_gone = std::vector<std::uint64_t>(kGuardGroups);  // Per group of keys: the latest commit of one that left.
  std::size_t hand = 0;
  std::shared_ptr<const StateReader> reader;
  std::string prefix;
  std::string scratch_key;
  std::string scratch_value;
  std::optional<Error> error;
  std::uint64_t cold_reads = 0;
  std::uint64_t evictions = 0;
  std::uint64_t refused = 0;

  std::size_t resident_bytes() const { return entry_bytes + slots.size() * sizeof(Slot) + hints.bytes(); }

  void drop_everything() {
    for (Slot& slot : slots) {
      if (slot.entry != 0) {
        hints.remove(slot.hash);
        free_block(entry_of(slot));
      }
      slot = {};
    }
    count = 0;
    dirty.clear();
    erasures.clear();
    erasures_begin = 0;
    std::fill(changed_and_gone.begin(), changed_and_gone.end(), 0);
  }

  Entry* new_block(std::size_t key_bytes, std::uint32_t size) {
    CHECK(key_bytes <= UINT16_MAX);
    const std::size_t fixed = sizeof(Entry) + Entry::key_room(key_bytes);
    const std::size_t bytes = fixed + size;
    const std::size_t size_class = class_of(bytes);
    Entry* entry;
    std::size_t block_bytes = bytes;
    if (size_class < kClassCount) {
      entry = static_cast<Entry*>(slabs.allocate(size_class));
      block_bytes = kClasses.bytes[size_class];
      entry->size_class = static_cast<std::uint8_t>(size_class);
    } else {
      entry = static_cast<Entry*>(std::malloc(bytes));
      CHECK(entry != nullptr);
      entry->size_class = kLargeClass;
    }
    entry->capacity = static_cast<std::uint32_t>(block_bytes - fixed);
    entry->key_bytes = static_cast<std::uint16_t>(key_bytes);
    entry_bytes += block_bytes;
    return entry;
  }
  void free_block(Entry* entry) {
    if (entry->size_class == kLargeClass) {
      entry_bytes -= sizeof(Entry) + Entry::key_room(entry->key_bytes) + entry->capacity;
      std::free(entry);
    } else {
      entry_bytes -= kClasses.bytes[entry->size_class];
      slabs.release(entry);
    }
  }

  // The slot that holds the key, or the free one where it would go.
  std::size_t probe(std::uint64_t hash, std::string_view key) const {
    std::size_t i = hash & mask;
    while (slots[i].entry != 0) {
      if (slots[i].hash == hash && entry_of(slots[i])->has_key(key)) break;
      i = (i + 1) & mask;
    }
    return i;
  }

  void grow_index() {
    std::vector<Slot> old(slots.size() * 2);
    old.swap(slots);
    mask = slots.size() - 1;
    hand = 0;
    for (const Slot& slot : old) {
      if (slot.entry == 0) continue;
      std::size_t i = slot.hash & mask;
      while (slots[i].entry != 0) i = (i + 1) & mask;
      slots[i] = slot;
    }
  }

  // A new clean entry at the free slot `at`; its value is not set.
  Entry* insert(std::size_t at, std::uint64_t hash, std::string_view key, std::uint32_t size, bool absent, bool stored) {
    if ((count + 1) * 10 > slots.size() * 7) {
      grow_index();
      at = probe(hash, key);
    }
    Entry* entry = new_block(key.size() + 1, size);
    entry->hash = hash;
    entry->commit = 0;
    entry->size = size;
    entry->dirty_at = kNotDirty;
    entry->absent = absent;
    entry->stored = stored;
    entry->key_data()[0] = 'k';
    if (!key.empty()) std::memcpy(entry->key_data() + 1, key.data(), key.size());
    slots[at] = {hash, reinterpret_cast<std::uintptr_t>(entry) | 1};
    hints.add(hash);
    ++count;
    return entry;
  }

  // Takes the entry out of the index and frees it; later entries of its run move up.
  void remove_at(std::size_t at) {
    Entry* entry = entry_of(slots[at]);
    CHECK(entry->dirty_at == kNotDirty);
    std::uint64_t& gone = changed_and_gone[(entry->hash >> 40) % kGuardGroups];
    gone = std::max(gone, entry->commit);
    hints.remove(entry->hash);
    free_block(entry);
    --count;
    std::size_t hole = at;
    for (std::size_t i = (at + 1) & mask; slots[i].entry != 0; i = (i + 1) & mask) {
      const std::size_t home = slots[i].hash & mask;
      if (((i - home) & mask) >= ((i - hole) & mask)) {
        slots[hole] = slots[i];
        hole = i;
      }
    }
    slots[hole] = {};
  }

  // The clock's hand goes through the slots in runs of a cache line or two that lie all over the index. In order, it would
  // leave the part behind it empty and the part ahead full, and lookups there would probe for ever.
  std::size_t hand_slot() const {
    return (((hand >> 4) * 0x9e3779b1U << 4) | (hand & 15)) & mask;
  }

  // Looks at a few slots; `keep` is never evicted.
  void evict(const Entry* keep) {
    for (int step = 0; step < kEvictionSteps && resident_bytes() > budget_bytes; ++step) {
      const std::size_t at = hand_slot();
      Slot& slot = slots[at];
      if (slot.entry == 0) {
        ++hand;
      } else if ((slot.entry & 1) != 0) {
        slot.entry &= ~std::uintptr_t{1};
        ++hand;
      } else {
        Entry* entry = entry_of(slot);
        if (entry == keep || entry->dirty_at != kNotDirty || entry->commit > committed || hints.take_wanted(entry->hash)) {
          ++hand;
        } else {
          if (!entry->absent) leave_cold(entry->stored_key().substr(1));
          ++evictions;
          remove_at(at);  // The next of its run may have moved here: the hand stays.
        }
      }
    }
  }

  void mark_dirty(Entry* entry) {
    if (entry->dirty_at != kNotDirty) return;
    entry->dirty_at = static_cast<std::uint32_t>(dirty.size());
    dirty.push_back(entry);
  }
  void unmark_dirty(Entry* entry) {
    if (entry->dirty_at == kNotDirty) return;
    Entry* last = dirty.back();
    dirty[entry->dirty_at] = last;
    last->dirty_at = entry->dirty_at;
    dirty.pop_back();
    entry->dirty_at = kNotDirty;
  }

  // Gives the entry room for `size` bytes of value, in another block if need be: a bigger one, or a smaller one where most of
  // the block would lie idle.
  Entry* resize(std::size_t at, std::uint32_t size) {
    Entry* entry = entry_of(slots[at]);
    const bool idle = entry->capacity > 128 && size < entry->capacity / 4;
    if (size > entry->capacity || idle) {
      Entry* moved = new_block(entry->key_bytes, size);
      moved->hash = entry->hash;
      moved->commit = entry->commit;
      moved->size = std::min(entry->size, size);
      moved->dirty_at = entry->dirty_at;
      moved->absent = entry->absent;
      moved->stored = entry->stored;
      std::memcpy(moved->key_data(), entry->key_data(), Entry::key_room(entry->key_bytes) + moved->size);
      if (moved->dirty_at != kNotDirty) dirty[moved->dirty_at] = moved;
      slots[at].entry = reinterpret_cast<std::uintptr_t>(moved) | 1;
      free_block(entry);
      entry = moved;
    }
    if (size > entry->size) std::memset(entry->value() + entry->size, 0, size - entry->size);
    entry->size = size;
    return entry;
  }
};

KeyedState::KeyedState(std::size_t budget_bytes) : impl_(std::make_unique<Impl>(budget_bytes)) {}
KeyedState::~KeyedState() = default;

Result<void> KeyedState::load(const StageState& state, std::size_t preload_bytes) {
  Impl& s = *impl_;
  s.drop_everything();
  s.committed = 0;
  s.error.reset();
  s.reader = state.reader();
  s.prefix = state.prefix() + "k";
  std::size_t left = std::min(preload_bytes, s.budget_bytes / 2);
  s.all_cold.store(0, std::memory_order_relaxed);
  for (auto& cold : s.cold) cold.store(0, std::memory_order_relaxed);
  TRY(state.scan("k", [&](std::string_view key, std::string_view value) {
    const bool fits = key.size() + value.size() <= left;
    key.remove_prefix(1);
    if (!fits) {  // They come in the order of their keys.
      for (std::size_t kind = Impl::kind_of(key); kind < s.cold.size(); ++kind) s.cold[kind].store(Impl::kUncounted, std::memory_order_relaxed);
      s.all_cold.store(Impl::kUncounted, std::memory_order_relaxed);
      return false;
    }
    left -= 1 + key.size() + value.size();
    const std::uint64_t hash = index_hash(key);
    Entry* entry = s.insert(s.probe(hash, key), hash, key, static_cast<std::uint32_t>(value.size()), false, true);
    if (!value.empty()) std::memcpy(entry->value(), value.data(), value.size());
    return true;
  }));
  return {};
}

Result<void> KeyedState::scan_committed(std::string_view prefix, const std::function<void(std::string_view, std::string_view)>& fn) const {
  const Impl& s = *impl_;
  if (s.reader == nullptr) return {};
  return s.reader->scan(s.prefix + std::string(prefix), [&](std::string_view key, std::string_view value) {
    fn(key.substr(s.prefix.size()), value);
    return true;
  });
}

namespace {
KeyedState::Found found_of(Entry* entry) { return {entry->value(), entry->size, true, entry}; }
}  // namespace

void KeyedState::prefetch_index(std::string_view key) const {
  const Impl& s = *impl_;
  __builtin_prefetch(&s.slots[index_hash(key) & s.mask]);
}

void KeyedState::prefetch_entry(std::string_view key) const {
  const Impl& s = *impl_;
  const Impl::Slot& slot = s.slots[index_hash(key) & s.mask];
  if (slot.entry == 0) return;
  const Entry* entry = Impl::entry_of(slot);  // Most often the right one; a few stand behind it.
  __builtin_prefetch(entry);
  __builtin_prefetch(reinterpret_cast<const char*>(entry) + 64);
}

KeyedState::Found KeyedState::find(std::string_view key) {
  Impl& s = *impl_;
  const std::uint64_t hash = index_hash(key);
  const std::size_t at = s.probe(hash, key);
  if (s.slots[at].entry != 0) {
    s.slots[at].entry |= 1;
    Entry* entry = Impl::entry_of(s.slots[at]);
    return entry->absent ? Found{} : found_of(entry);
  }
  if (!s.may_be_cold(key)) return {};
  ++s.cold_reads;
  s.scratch_key.assign(s.prefix);
  s.scratch_key.append(key);
  s.scratch_value.clear();
  const Result<bool> read = s.reader->get(s.scratch_key, s.scratch_value);
  if (!read.ok()) {
    if (!s.error) s.error = read.error();
    return {};
  }
  if (*read) s.warm_up(key);
  const auto size = *read ? static_cast<std::uint32_t>(s.scratch_value.size()) : 0;
  Entry* entry = s.insert(at, hash, key, size, !*read, *read);
  if (size != 0) std::memcpy(entry->value(), s.scratch_value.data(), size);
  s.evict(entry);
  return entry->absent ? Found{} : found_of(entry);
}

KeyedState::Found KeyedState::upsert(std::string_view key, std::uint32_t size) {
  Impl& s = *impl_;
  const std::uint64_t hash = index_hash(key);
  std::size_t at = s.probe(hash, key);
  if (s.slots[at].entry == 0 && s.may_be_cold(key)) {
    find(key);  // Brings it in, or the knowledge that it is absent.
    at = s.probe(hash, key);
  }
  bool found = false;
  Entry* entry;
  if (s.slots[at].entry == 0) {
    entry = s.insert(at, hash, key, size, false, false);
    if (size != 0) std::memset(entry->value(), 0, size);
  } else {
    s.slots[at].entry |= 1;
    entry = Impl::entry_of(s.slots[at]);
    found = !entry->absent;
    if (!found) entry->size = 0;
    entry = s.resize(at, size);
    entry->absent = false;
  }
  s.mark_dirty(entry);
  s.evict(entry);
  Found out = found_of(entry);
  out.found = found;
  return out;
}

KeyedState::Found KeyedState::make(std::string_view key, std::uint32_t size) {
  Impl& s = *impl_;
  const std::uint64_t hash = index_hash(key);
  const std::size_t at = s.probe(hash, key);
  if (s.slots[at].entry != 0) return upsert(key, size);  // Known to be absent.
  Entry* entry = s.insert(at, hash, key, size, false, false);
  if (size != 0) std::memset(entry->value(), 0, size);
  s.mark_dirty(entry);
  s.evict(entry);
  return found_of(entry);
}

void KeyedState::touch(const Found& found) {
  CHECK(found.entry != nullptr);
  impl_->mark_dirty(static_cast<Entry*>(found.entry));
}

void KeyedState::erase(std::string_view key) {
  Impl& s = *impl_;
  if (!find(key).found) return;
  const std::size_t at = s.probe(index_hash(key), key);
  Entry* entry = Impl::entry_of(s.slots[at]);
  if (!entry->stored) {  // Never saved: nothing to erase but this.
    s.unmark_dirty(entry);
    s.remove_at(at);
    return;
  }
  entry->absent = true;
  entry->size = 0;
  s.mark_dirty(entry);
}

void KeyedState::erase_existing(std::string_view key) {
  Impl& s = *impl_;
  const std::uint64_t hash = index_hash(key);
  if (const std::size_t at = s.probe(hash, key); s.slots[at].entry == 0) {
    s.warm_up(key);
    Entry* entry = s.insert(at, hash, key, 0, /*absent=*/true, /*stored=*/true);
    s.mark_dirty(entry);
    s.evict(entry);
    return;
  }
  erase(key);
}

void KeyedState::save(StateWriter& writer) {
  Impl& s = *impl_;
  const std::uint64_t commit = writer.commit().value;
  for (Entry* entry : s.dirty) {
    entry->dirty_at = kNotDirty;
    entry->commit = commit;
    if (entry->absent) {
      writer.erase(entry->stored_key());
      s.erasures.push_back({commit, entry->hash});
    } else {
      writer.put(entry->stored_key(), {entry->value(), entry->size});
      entry->stored = true;
    }
  }
  s.dirty.clear();
}

void KeyedState::committed(CommitId id) {
  Impl& s = *impl_;
  s.committed = std::max(s.committed, id.value);
  while (s.erasures_begin < s.erasures.size() && s.erasures[s.erasures_begin].commit <= s.committed) {
    const std::uint64_t hash = s.erasures[s.erasures_begin++].hash;
    std::size_t i = hash & s.mask;
    while (s.slots[i].entry != 0) {
      Entry* entry = Impl::entry_of(s.slots[i]);
      if (s.slots[i].hash == hash && entry->absent && entry->dirty_at == kNotDirty && entry->commit <= s.committed) {
        s.remove_at(i);  // Another of its run may have moved here.
      } else {
        i = (i + 1) & s.mask;
      }
    }
  }
  if (s.erasures_begin == s.erasures.size()) {
    s.erasures.clear();
    s.erasures_begin = 0;
  } else if (s.erasures_begin > s.erasures.size() / 2) {
    s.erasures.erase(s.erasures.begin(), s.erasures.begin() + static_cast<std::ptrdiff_t>(s.erasures_begin));
    s.erasures_begin = 0;
  }
  s.evict(nullptr);
}

Result<void> KeyedState::fetch(FetchedEntries& entries) const {
  Impl& s = *impl_;
  entries.as_of = s.reader->visible();  // Before the reads: they may show more than this, never less.
  KeyList wanted, full;
  for (std::size_t i = 0; i < entries.keys.count(); ++i) {
    const std::string_view key = entries.keys.key(i);
    if (!s.may_be_cold(key) || s.hints.ask_for(index_hash(key))) continue;
    wanted.add(key);
    full.add(s.prefix, key);
  }
  entries.keys = std::move(wanted);
  std::vector<std::string_view> views(full.count());
  for (std::size_t i = 0; i < views.size(); ++i) views[i] = full.key(i);
  return s.reader->get_many(views, entries.values, entries.found);
}

void KeyedState::adopt(const FetchedEntries& entries) {
  Impl& s = *impl_;
  for (std::size_t i = 0; i < entries.keys.count(); ++i) {
    const std::string_view key = entries.keys.key(i);
    const std::uint64_t hash = index_hash(key);
    const std::size_t at = s.probe(hash, key);
    if (s.slots[at].entry != 0) continue;
    if (entries.as_of.value < s.changed_and_gone[(hash >> 40) % kGuardGroups]) {
      ++s.refused;
      continue;
    }
    const bool found = entries.found[i] != 0;
    if (!found && !s.may_be_cold(key)) continue;  // Known anyway.
    if (found) s.warm_up(key);
    const auto size = found ? static_cast<std::uint32_t>(entries.values[i].size()) : 0;
    Entry* entry = s.insert(at, hash, key, size, !found, found);
    if (size != 0) std::memcpy(entry->value(), entries.values[i].data(), size);
    s.evict(entry);
  }
}

bool KeyedState::needs_fetch() const { return impl_->all_cold.load(std::memory_order_relaxed) != 0; }
const Error* KeyedState::error() const { return impl_->error ? &*impl_->error : nullptr; }
std::size_t KeyedState::resident_bytes() const { return impl_->resident_bytes(); }
std::size_t KeyedState::resident_count() const { return impl_->count; }
std::uint64_t KeyedState::cold_reads() const { return impl_->cold_reads; }
std::uint64_t KeyedState::evictions() const { return impl_->evictions; }
std::uint64_t KeyedState::refused_adoptions() const { return impl_->refused; }

}  // namespace weir
