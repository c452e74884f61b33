package scale

// HistorySource is the name under which a pool's history of loads lies beside its windows: no partition has it, for theirs
// are "namespace/hub/partition".
const HistorySource = "history"

// RosterSource is the name under which the names of a scale set's machines lie there.
const RosterSource = "machines"

// Stored is what the ledger holds for a pool, read in one call.
type Stored struct {
	Control Control
	// ControlVersion is the token for compare-and-set, empty if the pool has no control row yet.
	ControlVersion string
	Windows        []StoredWindow
}

// Commit is one atomic write to a pool's rows: all of it is stored or none.
type Commit struct {
	// Attempt names this write; it is unique among all processes, and it is stored with the rows that it writes.
	Attempt string
	// Control is nil when the control row is left alone; else it replaces the version that was read.
	Control        *Control
	ControlVersion string
	// Windows replace the versions that were read, each by its own.
	Windows []StoredWindow
	// Entry is added to the journal; a repeated key replaces its own row.
	Entry *Entry
	// Outcome is joined to the entry that it names.
	Outcome *Outcome
}
