// Package force breaks the built program on purpose and looks at what is left. Real handler processes, Azurite behind a
// proxy that loses replies, and the ARM emulator with its knobs turning at random serve a model of a hub whose partitions
// move between hosts; processes are killed about once a second. Then it grows calm, and a judge reads the ledger and the
// emulator's request log: each event folded once, each change made once, every rail kept, every decision repeatable.
//
// The judge knows nothing of how the run went, only what was sent and what is there afterwards, so it can be shown wrong
// evidence and must object. Everything random comes from one seed; what processes and the network make of it does not
// repeat exactly.
package force
