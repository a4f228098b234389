#pragma once
// What the system says of this process, under the names that Prometheus' own clients use.

#include "http/prometheus.hpp"

namespace weir {

// process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds … What the system does not tell is left out.
void append_process_metrics(PrometheusText& out);

}  // namespace weir
