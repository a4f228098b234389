#pragma once
// What a process is called among those that share a pipeline's partitions, unless the config says.

#include <string>

namespace weir {

// Host name and a hash of the directory's path: the same at each start, another one for each directory.
std::string process_name(const std::string& data_dir);

}  // namespace weir
