package scale

// Membership is a pool's place in a group of pools that share vCPUs or money.
type Membership struct {
	Group string
	// Priority says who is cut first: the lower one. Among equals the later name is cut first.
	Priority int
	// VCPUs and PerHourMicro are what an instance of the pool takes: vCPUs, and millionths of a currency an hour.
	VCPUs        int
	PerHourMicro int64
}

// Sum is what several pools take together.
type Sum struct {
	VCPUs        int   `json:"vcpus"`
	PerHourMicro int64 `json:"per_hour_micro"`
}

// Add adds what n instances of a member take.
func (s *Sum) Add(m *Membership, n int) {
	s.VCPUs += n * m.VCPUs
	s.PerHourMicro += int64(n) * m.PerHourMicro
}

// GroupView is what the other pools of a group take, as a pool sees it at the instant of a decision.
type GroupView struct {
	// Each is what one instance of the pool itself takes.
	Each Sum `json:"each"`
	// Present is what all others have now, in flight included. Above is what those have or want that are cut after this
	// pool, whichever is more; Below what those must keep that are cut before it.
	Present Sum `json:"present"`
	Above   Sum `json:"above"`
	Below   Sum `json:"below"`
	// Others is how many pools that are; Silent how many of them have not said lately what they have, and are counted with
	// their upper limit.
	Others int `json:"others"`
	Silent int `json:"silent"`
	// SpentMicro is what all pools of the group, this one too, have spent in the period, in millionths of the currency, and
	// RemainingSeconds what is left of it. Uncounted is how many of them keep no account.
	SpentMicro       int64 `json:"spent_micro,omitempty"`
	RemainingSeconds int64 `json:"remaining_seconds,omitempty"`
	Uncounted        int   `json:"uncounted,omitempty"`
}

// GroupKey is the name under which a group's rows lie in the ledger: no pool has it.
func GroupKey(group string) string { return "group:" + group }
