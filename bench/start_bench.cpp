// The size of the program, and how long it takes from its start in an empty directory to the first prediction: the process is
// started, asked until it answers, sent a record, and its prediction seen by a tail.
#include <filesystem>
#include <string>
#include <vector>

#include "bench/served_weir.hpp"

namespace weir::bench {
namespace {

std::string flight(int n) {
  return R"({"id":"first-)" + std::to_string(n) +
         R"(","ts":"2013-03-01T10:15:00Z","month":3,"weekday":1,"hour":5,"carrier":"UA","origin":"EWR","dest":"IAH","distance":1400,)"
         R"("sched_dur":184,"temp":39.02,"dewp":28.04,"humid":64.43,"wind_speed":12.66,"precip":0,"pressure":1011.9,"visib":10,"dep_delay":2})";
}

double start(const std::string& data) {
  const double since = now_seconds();
  ServedWeir weir(source_path("configs/flights.yaml"), data, {"--set", "sources.logs.files=[]", "--set", "sources.outcomes.files=[]",
                   "--set", "order=arrival"});
  return weir.first_prediction(since, "first-", flight);
}

void run() {
  Figures figures;
  const std::string stripped = scratch("size") + "/weir";
  if (Child::start({"/usr/bin/strip", "-o", stripped, weir_binary()}).wait().exit_code != 0) give_up("strip failed");
  figures.add("size of the program", double(std::filesystem::file_size(weir_binary())) / 1e6, "MB");
  figures.add("size of the program, stripped", double(std::filesystem::file_size(stripped)) / 1e6, "MB");
  std::vector<double> seconds;
  for (int i = 0; i < 5; ++i) seconds.push_back(start(scratch("start")));
  figures.add("start to first prediction", median(seconds), "s");
  remove(scratch("start"));
  remove(scratch("size"));
}

}  // namespace
}  // namespace weir::bench

int main() { weir::bench::run(); }
