// Goal: who stands by for whom, and what the group's coordinator says that a member owns.
#include "storage/membership.hpp"

#include <gtest/gtest.h>

#include "storage/kafka_group.hpp"

namespace weir {
namespace {

using Partitions = std::vector<PartitionId>;

Member member(const std::string& process, const std::vector<int>& partitions) {
  Member out;
  out.process = process;
  for (const int p : partitions) out.partitions.emplace_back(p);
  return out;
}

TEST(Membership, EachStandsByForTheOnesBeforeIt) {
  const std::vector<Member> three = {member("a", {0, 1}), member("b", {2}), member("c", {3})};
  EXPECT_EQ(standby_partitions(three, "b", 1), (Partitions{PartitionId(0), PartitionId(1)}));
  EXPECT_EQ(standby_partitions(three, "c", 1), (Partitions{PartitionId(2)}));
  EXPECT_EQ(standby_partitions(three, "a", 1), (Partitions{PartitionId(3)}));
  EXPECT_EQ(standby_partitions(three, "a", 2), (Partitions{PartitionId(2), PartitionId(3)}));
  EXPECT_EQ(standby_partitions(three, "a", 16), (Partitions{PartitionId(2), PartitionId(3)}));  // Never its own.
  EXPECT_EQ(standby_partitions(three, "a", 0), Partitions());
  EXPECT_EQ(standby_partitions(three, "d", 1), Partitions());
  EXPECT_EQ(standby_partitions({member("a", {0})}, "a", 1), Partitions());
  EXPECT_EQ(standby_partitions({}, "a", 1), Partitions());
}

TEST(Membership, EachPartitionHasSoManyStandbys) {
  for (int members = 1; members <= 5; ++members)
    for (int standbys = 0; standbys <= 5; ++standbys) {
      std::vector<Member> all;
      for (int m = 0; m < members; ++m) all.push_back(member(std::string(1, static_cast<char>('a' + m)), {2 * m, 2 * m + 1}));
      std::vector<int> copies(static_cast<std::size_t>(2 * members));
      for (const Member& one : all)
        for (const PartitionId partition : standby_partitions(all, one.process, static_cast<std::uint32_t>(standbys))) ++copies[static_cast<std::size_t>(partition.value)];
      for (const int count : copies) EXPECT_EQ(count, std::min(standbys, members - 1));
    }
}

TEST(Membership, AnAssignmentIsReadAsTheConsumerProtocolWritesIt) {
  using namespace std::string_view_literals;
  // Version 0; two topics: "logs" with 2, 0, "other" with 1; no user data.
  constexpr auto kBytes = "\0\0" "\0\0\0\2" "\0\4logs" "\0\0\0\2" "\0\0\0\2" "\0\0\0\0" "\0\5other" "\0\0\0\1" "\0\0\0\1" "\xff\xff\xff\xff"sv;
  EXPECT_EQ(decode_kafka_assignment(kBytes, "logs"), (Partitions{PartitionId(0), PartitionId(2)}));
  EXPECT_EQ(decode_kafka_assignment(kBytes, "other"), (Partitions{PartitionId(1)}));
  EXPECT_EQ(decode_kafka_assignment(kBytes, "none"), Partitions());
  constexpr std::size_t kUserData = 4;
  for (std::size_t bytes = 0; bytes < kBytes.size() - kUserData; ++bytes) EXPECT_EQ(decode_kafka_assignment(kBytes.substr(0, bytes), "logs"), Partitions()) << bytes;
}

}  // namespace
}  // namespace weir
