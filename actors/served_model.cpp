#include "actors/served_model.hpp"

#include <string>

#include "core/records/state_pages.hpp"

namespace weir {
namespace {
constexpr std::uint8_t kFormat = 1;         // Numbers alone.
constexpr std::uint8_t kFormatOpaque = 2;   // Hashed features, and blocks of bytes.

std::string describe(std::string_view kind, const ModelShape& shape) {
  if (shape.hashed != 0) return std::string(kind) + " of " + std::to_string(shape.hashed) + " hashed features";
  return std::string(kind) + " of " + std::to_string(shape.dense) + " dense and " + std::to_string(shape.sparse) +
         " sparse inputs";
}
}  // namespace

Result<std::shared_ptr<ServedModel>> make_served_model(const ModelSettings& settings, Rng rng) {
  TRY_ASSIGN(std::unique_ptr<Model> model, make_model(settings));
  auto out = std::make_shared<ServedModel>();
  out->parameters = model->initial(rng);
  out->model = std::move(model);
  return out;
}

void ServedModelState::save(ServedModel& served, StateWriter& writer) {
  Parameters& parameters = served.parameters;
  for_each_dirty(parameters.dirty_pages(), [&](std::uint32_t page) {
    save_page(writer, page_tag_, page, parameters.values(), Parameters::kPageFloats);
  });
  ByteBuffer block;
  for_each_dirty(parameters.dirty_opaque(), [&](std::uint32_t at) {
    block.clear();
    parameters.opaque()->append(at, block);
    writer.put(view_of(page_key(block_tag_, at)), block.view());
  });
  parameters.clear_dirty();
  if (saved_ == served.version) return;
  saved_ = served.version;
  std::array<char, 64> value;
  const std::string_view kind = served.model->kind();
  const ModelShape& shape = served.model->shape();
  const OpaqueBlocks* opaque = parameters.opaque();
  const std::size_t fixed = opaque == nullptr ? 17 : 29;
  CHECK(kind.size() <= value.size() - fixed);
  value[0] = opaque == nullptr ? kFormat : kFormatOpaque;
  std::memcpy(&value[1], &served.version.value, 8);
  std::memcpy(&value[9], &shape.dense, 4);
  std::memcpy(&value[13], &shape.sparse, 4);
  if (opaque != nullptr) {
    const std::uint64_t digest = opaque->digest();
    std::memcpy(&value[17], &shape.hashed, 4);
    std::memcpy(&value[21], &digest, 8);
  }
  std::memcpy(&value[fixed], kind.data(), kind.size());
  writer.put({&header_tag_, 1}, {value.data(), fixed + kind.size()});
}

Result<void> ServedModelState::load(ServedModel& served, const StageState& state) {
  std::string bytes;
  TRY_ASSIGN(const bool found, state.get({&header_tag_, 1}, bytes));
  if (!found) return {};
  ByteReader reader(bytes);
  const auto format = reader.fixed<std::uint8_t>();
  if (format > kFormatOpaque)
    return Error{ErrorCode::kVersion, "model state of " + state.prefix() + ": format " + std::to_string(format) +
                                          ", this program knows " + std::to_string(kFormatOpaque)};
  const auto version = reader.fixed<std::uint64_t>();
  ModelShape shape;
  shape.dense = reader.fixed<std::uint32_t>();
  shape.sparse = reader.fixed<std::uint32_t>();
  std::uint64_t digest = 0;
  if (format == kFormatOpaque) {
    shape.hashed = reader.fixed<std::uint32_t>();
    digest = reader.fixed<std::uint64_t>();
  }
  const std::string_view kind = reader.rest();
  if (!reader.ok() || format == 0)
    return Error{ErrorCode::kCorruption, "model state of " + state.prefix() + ": malformed header"};
  if (kind != served.model->kind() || shape != served.model->shape())
    return Error{ErrorCode::kConfig, "the data directory holds a model '" + describe(kind, shape) + "', the config describes '" +
                                         describe(served.model->kind(), served.model->shape()) +
                                         "': start with a new data directory, or set the config back"};
  OpaqueBlocks* opaque = served.parameters.opaque();
  if (opaque != nullptr && digest != opaque->digest())
    return Error{ErrorCode::kConfig, "the data directory holds a model '" + describe(kind, shape) +
                                         "' with other layers than `model.layers` of the config: start with a new data directory, or "
                                         "set the config back"};
  TRY(load_pages(state, page_tag_, std::span<float>(served.parameters.data(), served.parameters.size()),
                 Parameters::kPageFloats));
  Result<void> blocks;
  if (opaque != nullptr) {
    TRY(state.scan({&block_tag_, 1}, [&](std::string_view key, std::string_view value) {
      std::uint64_t block = 0;
      for (std::size_t i = 1; i < key.size(); ++i) block = block << 8 | static_cast<unsigned char>(key[i]);
      if (key.size() != 5 || block >= opaque->count())
        blocks = Error{ErrorCode::kCorruption, "found a block that the model does not have"};
      else
        blocks = opaque->set(static_cast<std::uint32_t>(block), value);
      if (!blocks.ok())
        blocks = Error{ErrorCode::kCorruption, "model state of " + state.prefix() + ": " + blocks.error().what};
      return blocks.ok();
    }));
  }
  TRY(blocks);
  if (!served.parameters.finite())
    return Error{ErrorCode::kCorruption, "model state of " + state.prefix() + ": a parameter is not finite"};
  served.version = ModelVersion(version);
  saved_ = served.version;
  return {};
}

}  // namespace weir
