#include "storage/kafka_group.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>

#include "storage/kafka_errors.hpp"

namespace weir {
namespace {

constexpr Duration kHeartbeat = std::chrono::milliseconds(500);  // Others are told of a change at their next one.
constexpr Duration kLookAgainAfter = std::chrono::milliseconds(300);
constexpr Duration kMembersLimit = std::chrono::seconds(2);  // Others wait for this member's poll.
constexpr Duration kLeaveLimit = std::chrono::seconds(1);
constexpr Duration kCoverAfter = std::chrono::seconds(1);        // An assignment has reached all members by then.
constexpr int kJoinAgainMax = 3;                                 // In a row.
constexpr Duration kPollMax = std::chrono::seconds(30);          // Who does not poll for so long has left.

// Through events, not callbacks: the group waits until a change has been told, so that nobody can own a partition before its
// former owner knows that it may be lost.
class KafkaGroup final : public Membership {
 public:
  KafkaGroup(std::string group, std::string topic, std::int32_t partitions, const MembershipOptions& options)
      : group_(std::move(group)), topic_(std::move(topic)), partitions_(partitions), process_(options.process), standbys_(options.standbys) {}

  ~KafkaGroup() override {
    if (leaves_) leave();
  }

  Result<void> open(const KafkaLogOptions& options, Duration session_timeout) {
    TRY_ASSIGN(handle_, make_kafka_handle(options, RD_KAFKA_CONSUMER,
                                          {{"group.id", group_},
                                           {"group.instance.id", process_},
                                           {"client.id", process_},  // The only name that describing the group shows.
                                           {"session.timeout.ms", std::to_string(milliseconds(session_timeout))},
                                           {"heartbeat.interval.ms", std::to_string(milliseconds(kHeartbeat))},
                                           {"max.poll.interval.ms", std::to_string(milliseconds(std::max(kPollMax, session_timeout)))},
                                           {"partition.assignment.strategy", "range"},  // The others are not safe in librdkafka 2.0.
                                           {"enable.auto.commit", "false"},
                                           {"enable.auto.offset.store", "false"}},
                                          [](rd_kafka_conf_t* conf) { rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR); }));
    rd_kafka_poll_set_consumer(handle_.get());
    queue_.reset(rd_kafka_queue_get_consumer(handle_.get()));
    return subscribe();
  }

  Result<void> poll(Duration wait, const Tell& tell) override {
    for (KafkaPtr<rd_kafka_event_t> event(rd_kafka_queue_poll(queue_.get(), milliseconds(wait))); event;
         event.reset(rd_kafka_queue_poll(queue_.get(), 0))) {
      if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_REBALANCE)
        rebalance(*event, tell);
      else if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR)
        TRY(failed(*event));
    }
    if (cover_at_ && !leaves_ && std::chrono::steady_clock::now() >= *cover_at_) TRY(cover());
    if (assigned_ && standbys_ > 0 && !leaves_ && std::chrono::steady_clock::now() >= look_at_) tell_standby(tell);
    return {};
  }

  void will_not_return() override { leaves_ = true; }

 private:
  // The request for it goes out once the revocation has been answered; nothing tells when it has arrived, but the members do.
  void leave() {
    const auto until = std::chrono::steady_clock::now() + kLeaveLimit;
    rd_kafka_unsubscribe(handle_.get());
    do {
      if (!poll(std::chrono::milliseconds(20), [](const MembershipChange&) {}).ok()) return;
      const auto members = kafka_group_members(handle_, group_, topic_, kLeaveLimit);
      if (members.ok() && std::ranges::find(*members, process_, &Member::process) == members->end()) return;
    } while (std::chrono::steady_clock::now() < until);
  }

  Result<void> subscribe() const {
    const KafkaPtr<rd_kafka_topic_partition_list_t> topics(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(topics.get(), topic_.c_str(), RD_KAFKA_PARTITION_UA);
    if (const auto code = rd_kafka_subscribe(handle_.get(), topics.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR)
      return kafka_error(code, what());
    return {};
  }

  // Who comes back within its session gets from the brokers what it had; partitions added to the topic meanwhile would be nobody's.
  // One that leaves and joins again has all of them dealt out anew.
  Result<void> cover() {
    cover_at_.reset();
    const auto members = kafka_group_members(handle_, group_, topic_, kMembersLimit);
    std::size_t owned = 0;
    if (members.ok())
      for (const Member& member : *members) owned += member.partitions.size();
    if (members.ok() && owned >= static_cast<std::size_t>(partitions_)) {
      joined_again_ = 0;
      return {};
    }
    if (!members.ok() || ++joined_again_ > kJoinAgainMax) {  // Then the others are asked again, but not bothered.
      cover_at_ = std::chrono::steady_clock::now() + 10 * kCoverAfter;
      return {};
    }
    rd_kafka_unsubscribe(handle_.get());
    return subscribe();
  }

  std::string what() const { return "process '" + process_ + "' in group '" + group_ + "'"; }

  void rebalance(rd_kafka_event_t& event, const Tell& tell) {
    if (rd_kafka_event_error(&event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
      MembershipChange change;
      const rd_kafka_topic_partition_list_t* list = rd_kafka_event_topic_partition_list(&event);
      for (int i = 0; list != nullptr && i < list->cnt; ++i)
        if (list->elems[i].topic == topic_) change.partitions.emplace_back(list->elems[i].partition);
      std::ranges::sort(change.partitions);
      tell(change);
      assigned_ = std::move(change.partitions);
      look_at_ = {};
      cover_at_ = std::chrono::steady_clock::now() + kCoverAfter;
      const KafkaPtr<rd_kafka_topic_partition_list_t> nothing(rd_kafka_topic_partition_list_new(0));
      rd_kafka_assign(handle_.get(), nothing.get());
      return;
    }
    assigned_.reset();
    cover_at_.reset();
    tell({rd_kafka_assignment_lost(handle_.get()) != 0 ? MembershipChange::Kind::kLost : MembershipChange::Kind::kRebalancing, {}});
    rd_kafka_assign(handle_.get(), nullptr);
  }

  // Who owns what the members do not tell each other, but the coordinator does, a moment after they have been told themselves.
  void tell_standby(const Tell& tell) {
    look_at_ = std::chrono::steady_clock::now() + kLookAgainAfter;
    const auto members = kafka_group_members(handle_, group_, topic_, kMembersLimit);
    if (!members.ok()) return;
    const auto self = std::ranges::find(*members, process_, &Member::process);
    if (self == members->end() || self->partitions != *assigned_) return;
    tell({MembershipChange::Kind::kStandby, standby_partitions(*members, process_, standbys_)});
    assigned_.reset();
  }

  Result<void> failed(rd_kafka_event_t& event) const {
    const char* text = rd_kafka_event_error_string(&event);
    rd_kafka_resp_err_t code = rd_kafka_event_error(&event);
    std::array<char, 512> fatal{};
    if (code == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_event_error_is_fatal(&event) != 0) {
      code = rd_kafka_fatal_error(handle_.get(), fatal.data(), fatal.size());
      text = fatal.data();
      if (code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
        return Error{ErrorCode::kFenced, what() + ": another process has joined under the same name; give each its own (process)"};
    }
    // The client goes on by itself; whom it cannot reach the tasks cannot reach either, and they say so.
    KafkaFailure failure = classify(code, {}, what(), text != nullptr ? text : "");
    if (failure.action != KafkaAction::kStop && fatal[0] == '\0') return {};
    return std::move(failure.error);
  }

  const std::string group_;
  const std::string topic_;
  const std::int32_t partitions_;
  const std::string process_;
  const std::uint32_t standbys_;
  std::atomic<bool> leaves_{false};
  std::optional<std::vector<PartitionId>> assigned_;  // Until it has been told for which others it stands by.
  std::chrono::steady_clock::time_point look_at_;
  std::optional<std::chrono::steady_clock::time_point> cover_at_;  // When to see whether the members have all partitions.
  int joined_again_ = 0;
  KafkaHandle handle_;
  KafkaPtr<rd_kafka_queue_t> queue_;  // Gone before the handle.
};

}  // namespace

Result<std::unique_ptr<Membership>> join_kafka_group(const KafkaLogOptions& options, const std::string& group, const std::string& topic,
                                                     std::int32_t partitions, const MembershipOptions& membership) {
  auto made = std::make_unique<KafkaGroup>(group, topic, partitions, membership);
  TRY(made->open(options, membership.session_timeout));
  return std::unique_ptr<Membership>(std::move(made));
}

std::vector<PartitionId> decode_kafka_assignment(std::string_view bytes, std::string_view topic) {
  std::vector<PartitionId> out;
  bool whole = true;
  const auto number = [&](std::size_t size) -> std::int64_t {  // Big-endian.
    if (!whole || bytes.size() < size) return whole = false, 0;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    bytes.remove_prefix(size);
    return static_cast<std::int64_t>(value);
  };
  number(2);  // Version: later ones only add at the end.
  const std::int64_t topics = number(4);
  for (std::int64_t t = 0; whole && t < topics; ++t) {
    const auto name_bytes = static_cast<std::size_t>(number(2));
    if (!whole || bytes.size() < name_bytes) return {};
    const std::string_view name = bytes.substr(0, name_bytes);
    bytes.remove_prefix(name_bytes);
    const std::int64_t count = number(4);
    for (std::int64_t p = 0; whole && p < count; ++p) {
      const auto partition = static_cast<std::int32_t>(number(4));
      if (whole && name == topic) out.emplace_back(partition);
    }
  }
  if (!whole) return {};
  std::ranges::sort(out);
  return out;
}

Result<std::vector<Member>> kafka_group_members(const KafkaHandle& handle, const std::string& group, const std::string& topic, Duration limit) {
  const rd_kafka_group_list* raw = nullptr;
  const auto code = rd_kafka_list_groups(handle.get(), group.c_str(), &raw, milliseconds(limit));
  const std::unique_ptr<const rd_kafka_group_list, void (*)(const rd_kafka_group_list*)> found(raw, rd_kafka_group_list_destroy);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__PARTIAL) return kafka_error(code, "members of group '" + group + "'", handle.said());
  std::vector<Member> out;
  for (int g = 0; found != nullptr && g < found->group_cnt; ++g) {
    const rd_kafka_group_info& info = found->groups[g];
    if (info.err != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_error(info.err, "members of group '" + group + "'");
    if (std::string_view(info.state) != "Stable") continue;
    for (int m = 0; m < info.member_cnt; ++m) {
      const rd_kafka_group_member_info& member = info.members[m];
      std::string_view host = member.client_host;
      if (host.starts_with('/')) host.remove_prefix(1);
      out.push_back({member.client_id, std::string(host), {},
                     decode_kafka_assignment({static_cast<const char*>(member.member_assignment), static_cast<std::size_t>(member.member_assignment_size)}, topic)});
    }
  }
  std::ranges::sort(out, {}, &Member::process);
  return out;
}

}  // namespace weir
