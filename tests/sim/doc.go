// Package sim runs histories of the whole corridor in virtual time: several handler processes and sweeps over models of
// Event Hubs and its host, of Table storage and of the scale sets, with faults of every kind that their facts name.
//
// The engine, the metric room, the rails and, in a share of the histories, the shipped policies are the product's own;
// only what lies behind the engine's ports is modelled. A history is a function of its seed: exactly one goroutine runs
// at a time, the order of everything follows from one queue of instants, and every choice is drawn from the seed. Each
// step is checked against the invariants by number (ARCHITECTURE.md); when the faults stop, every pool must come to rest
// where its policy and rails allow.
package sim
