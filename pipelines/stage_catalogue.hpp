#pragma once
// Makes the stages of a chain from the config.

#include "actors/runtime/task_plan.hpp"
#include "core/base/result.hpp"
#include "pipelines/pipeline_config.hpp"

namespace weir {

// ingestion → features → normalization → predictor → gate → outcome join [→ replay buffer, trainer if
// learning is coupled; networks of hashtrons: promotion, replay buffer, backward trainer].
Result<Chain> make_inference_chain(const PipelineConfig& config, PartitionId partition);
// Learning is free. promotion, replay buffer, trainer; of networks of hashtrons replay buffer and backward trainer, and two more
// chains: sum cache and capacity control, and promotion.
Result<Chain> make_learning_chain(const PipelineConfig& config, PartitionId partition);
Result<Chain> make_capacity_chain(const PipelineConfig& config, PartitionId partition);
Result<Chain> make_promotion_chain(const PipelineConfig& config, PartitionId partition);
// What the model predicts: classification labels are 0 or 1.
Result<TaskKind> task_kind(const PipelineConfig& config);
// kConfig: what only the stages themselves can say of the config.
Result<void> check_stages(const PipelineConfig& config);

}  // namespace weir
