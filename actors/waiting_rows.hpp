#pragma once
// Answers, before a prediction is published, whether its id is taken: the outcome join knows, the gate publishes.

#include "actors/stage.hpp"

namespace weir {

class WaitingRows {
 public:
  virtual ~WaitingRows() = default;
  // Whether an event with this id, coming now, is a second one: the first waits for its outcome, or its mark is left.
  // Brings the clock to the event first; what that lets expire is written to `out`.
  virtual bool is_duplicate(const Event& event, Output& out) = 0;
};

}  // namespace weir
