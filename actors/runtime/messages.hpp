#pragma once
// The messages between runtime actors: control only. Rows travel by ring (input_ring), transactions by slot (commit_slot).

#include <caf/atom.hpp>

namespace weir {

using run_atom = caf::atom_constant<caf::atom("run")>;          // To itself: the next slice of its loop.
using stop_atom = caf::atom_constant<caf::atom("stop")>;        // Finish what is there and end.
using drained_atom = caf::atom_constant<caf::atom("drained")>;  // To the supervisor, with the child's number: Turn::kDrained.
using restart_atom = caf::atom_constant<caf::atom("restart")>;  // To the supervisor, from itself: the back-off is over.
using assign_atom = caf::atom_constant<caf::atom("assign")>;    // To the supervisor, with numbers of partitions: run these, no others.
using standby_atom = caf::atom_constant<caf::atom("standby")>;  // The same: of the others, stand by for these, no others.
using rebalance_atom = caf::atom_constant<caf::atom("rebalance")>;  // To the supervisor: partitions may be others' now; true: this process was taken for dead.
using failed_atom = caf::atom_constant<caf::atom("failed")>;  // To the supervisor, with an error that ends the process.
using tick_atom = caf::atom_constant<caf::atom("tick")>;        // To the monitor, from itself.

}  // namespace weir
