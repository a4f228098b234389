#include "actors/served_model.hpp"

#include <string>

#include "core/records/state_pages.hpp"

namespace weir {
namespace {
constexpr std::uint8_t kFormat = 1;

std::string describe(std::string_view kind, const ModelShape& shape) {
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
  parameters.clear_dirty();
  if (saved_ == served.version) return;
  saved_ = served.version;
  std::array<char, 64> value;
  const std::string_view kind = served.model->kind();
  const ModelShape& shape = served.model->shape();
  CHECK(kind.size() <= value.size() - 17);
  value[0] = kFormat;
  std::memcpy(&value[1], &served.version.value, 8);
  std::memcpy(&value[9], &shape.dense, 4);
  std::memcpy(&value[13], &shape.sparse, 4);
  std::memcpy(&value[17], kind.data(), kind.size());
  writer.put({&header_tag_, 1}, {value.data(), 17 + kind.size()});
}

Result<void> ServedModelState::load(ServedModel& served, const StageState& state) {
  std::string bytes;
  TRY_ASSIGN(const bool found, state.get({&header_tag_, 1}, bytes));
  if (!found) return {};
  ByteReader reader(bytes);
  const auto format = reader.fixed<std::uint8_t>();
  if (format > kFormat)
    return Error{ErrorCode::kVersion, "model state of " + state.prefix() + ": format " + std::to_string(format) +
                                          ", this program knows " + std::to_string(kFormat)};
  const auto version = reader.fixed<std::uint64_t>();
  ModelShape shape;
  shape.dense = reader.fixed<std::uint32_t>();
  shape.sparse = reader.fixed<std::uint32_t>();
  const std::string_view kind = reader.rest();
  if (!reader.ok() || format != kFormat)
    return Error{ErrorCode::kCorruption, "model state of " + state.prefix() + ": malformed header"};
  if (kind != served.model->kind() || shape != served.model->shape())
    return Error{ErrorCode::kConfig, "the data directory holds a model '" + describe(kind, shape) + "', the config describes '" +
                                         describe(served.model->kind(), served.model->shape()) +
                                         "': start with a new data directory, or set the config back"};
  TRY(load_pages(state, page_tag_, std::span<float>(served.parameters.data(), served.parameters.size()),
                 Parameters::kPageFloats));
  if (!served.parameters.finite())
    return Error{ErrorCode::kCorruption, "model state of " + state.prefix() + ": a parameter is not finite"};
  served.version = ModelVersion(version);
  saved_ = served.version;
  return {};
}

}  // namespace weir
