#pragma once
// A `weir run` in a process of its own, spoken to as other processes do: through its control socket.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/bench_support.hpp"
#include "pipelines/control_socket.hpp"

namespace weir::bench {

class ServedWeir {
 public:
  // `weir run CONFIG --data DATA --quiet ARGUMENTS…`; does not wait for it to answer.
  ServedWeir(const std::string& config, const std::string& data, const std::vector<std::string>& arguments = {});

  // Whole lines, each with its newline; false if the process has gone.
  bool produce(std::string_view topic, std::string_view lines);
  std::string status();       // Its JSON; empty while it does not answer.
  Child& child() { return child_; }

  // Asks again and again until it answers, then sends what `line(n)` gives as log records, one every 10 ms, with a tail on
  // `predictions` open: how long after `since` that tail shows one whose id `line` has made, which must begin with `id`.
  double first_prediction(double since, std::string_view id, const std::function<std::string(int)>& line);

 private:
  std::string data_;
  Child child_;
};

}  // namespace weir::bench
