// Package replay answers what a span of time would have looked like under a policy: the capacity, the shortage, the cost,
// the changes and the Spot interruptions, beside the policies that people run today.
//
// A policy walks the same corridor as in production, internal/engine through its ports, with its rails, a ledger in
// memory and virtual time; only the world behind the ports is modelled, and every assumption of the model is named in the
// result with its value. The same inputs and seed give the same result, byte for byte, on any number of workers.
package replay
