#pragma once
// A network of hashtrons as a model kind: what a predictor serves, a gate judges and promotion compares.
//
// It reads hashed features (ModelShape::hashed) and answers with a bit. Its score is the logit of how often the label was 1 where
// the network gave that answer, counted over labelled samples that it does not learn from: with n1 labels of 1 and n0 of 0,
// ln((n1 + 1) / (n0 + 1)). So a fresh network says 1/2, one that is right nine times out of ten says about 0.9, and one whose answer
// tells nothing says the base rate, whatever it does on what it has learnt. Counts fade: an answer's newest label weighs 1, the
// one before 1 - 1 / kAnswerMemory, and so on.
//
// Parameters: the f32 block "answers", counts by [answer][label], and a block of bytes "neuron.N" for each neuron: the network text of
// that neuron alone (core/models/hashtron_text.hpp).

#include "core/models/hashtron_network.hpp"
#include "core/models/model.hpp"

namespace weir {

inline constexpr float kAnswerMemory = 512.0f;

// The small net of the task family that such networks are measured on: 25 neurons, 5, and one that answers.
std::vector<HashtronLayer> default_hashtron_layers();

// REQUIRES, all four: parameters of a hashtron model.
const HashtronNetwork& network_of(const Parameters& parameters);
bool answer_of(const Parameters& parameters, const Sample& sample);
// Marks the block as changed, if the neuron is another one.
void replace_neuron(Parameters& parameters, std::uint32_t n, const Hashtron& neuron);
// One more labelled sample that got this answer. Label: 0 or 1.
void count_answer(Parameters& parameters, bool answer, double label);

}  // namespace weir
