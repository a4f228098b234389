#include "pipelines/lag.hpp"

#include <algorithm>
#include <map>

#include "pipelines/topology.hpp"

namespace weir {
namespace {

class Lags {
 public:
  Lags(TopicLog& log, const Clock& clock) : log_(log), clock_(clock) {}

  Result<void> add(const InputPlan& input, Offset next, std::vector<InputLag>& out) {
    InputLag lag;
    lag.input = input.input;
    lag.partition = input.partition;
    lag.next = next;
    TRY_ASSIGN(const Offset end, end_of(input));
    if (next < end) TRY(look(input, end, lag));
    out.push_back(lag);
    return {};
  }

 private:
  Result<Offset> end_of(const InputPlan& input) {
    auto known = ends_.find(input.topic);
    if (known == ends_.end()) {
      TRY_ASSIGN(TopicDescription description, log_.describe(input.topic));
      known = ends_.emplace(input.topic, std::move(description)).first;
    }
    for (const PartitionDescription& partition : known->second.partitions)
      if (partition.partition == input.partition) return partition.end;
    return Offset(0);
  }

  // An end beyond the position does not mean that there is a record.
  Result<void> look(const InputPlan& input, Offset end, InputLag& lag) {
    TRY_ASSIGN(const auto reader, log_.open_reader(input.topic, input.partition, lag.next));
    TRY_ASSIGN(const auto batch, reader->poll(Duration(0)));
    if (batch == nullptr) return {};
    const Offset first = std::max(batch->base(), lag.next);
    lag.records = static_cast<std::uint64_t>(std::max<std::int64_t>(end.value - first.value, 1));
    lag.seconds = std::max(0.0, double(clock_.wall_us() - batch->append_time_us()) * 1e-6);
    return {};
  }

  TopicLog& log_;
  const Clock& clock_;
  std::map<Topic, TopicDescription> ends_;
};

}  // namespace

Result<std::vector<TaskOverview>> overview_of(const std::vector<TaskPlan>& tasks, TopicLog& log, const Clock& clock, const std::string& process,
                                              const TaskStatuses& statuses, const std::vector<Member>& members) {
  std::vector<TaskOverview> out;
  Lags lags(log, clock);
  for (const TaskPlan& task : tasks) {
    TaskOverview& one = out.emplace_back();
    one.task = task.name;
    one.partition = task.partition;
    for (const auto& status : statuses)
      if (status->task == task.name && status->partition == task.partition) one.here = status;
    const TaskPhase phase = one.here != nullptr ? one.here->phase.load() : TaskPhase::kGivenUp;
    const bool ours = phase != TaskPhase::kGivenUp && phase != TaskPhase::kStandby;
    if (ours) one.process = process;
    else
      for (const Member& member : members)
        if ((member.only.empty() || names_task(member.only, task.name)) && std::ranges::find(member.partitions, task.partition) != member.partitions.end())
          one.process = member.process;
    if (ours) {
      one.commits = one.here->commits;
      one.last_commit_us = one.here->last_commit_us;
      if (phase == TaskPhase::kStarting) continue;  // Its positions are not known yet.
      for (const InputStatus* input : one.here->inputs.all()) {
        if (input->topic.empty()) continue;
        const InputStatus::Lag lag = input->lag(clock.wall_us());
        one.inputs.push_back({input->input, input->partition, input->next(), lag.records, lag.seconds});
      }
      continue;
    }
    const auto progress = log.progress({task.name, task.partition});
    if (!progress.ok()) {
      if (progress.error().code != ErrorCode::kNotFound) return progress.error();
      continue;
    }
    one.commits = progress->last_commit.value;
    one.last_commit_us = progress->last_commit_us;
    for (const InputPlan& input : task.inputs) {
      if (input.open_source) continue;
      Offset next{0};
      for (const Position& position : progress->positions)
        if (position.input == input.input && position.partition == input.partition) next = position.next;
      TRY(lags.add(input, next, one.inputs));
    }
  }
  return out;
}

}  // namespace weir
