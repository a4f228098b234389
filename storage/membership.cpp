#include "storage/membership.hpp"

#include <algorithm>

namespace weir {

std::vector<PartitionId> standby_partitions(const std::vector<Member>& members, const std::string& process, std::uint32_t standbys) {
  std::vector<PartitionId> out;
  const auto self = std::ranges::find(members, process, &Member::process);
  if (self == members.end()) return out;
  const auto at = static_cast<std::size_t>(self - members.begin());
  for (std::size_t before = 1; before <= standbys && before < members.size(); ++before) {
    const Member& owner = members[(at + members.size() - before) % members.size()];
    out.insert(out.end(), owner.partitions.begin(), owner.partitions.end());
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace weir
