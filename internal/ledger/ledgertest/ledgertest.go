// Package ledgertest is the ledger's contract as a test suite: every ledger runs it, and one that passes can take the
// place of another. Each test takes a ledger of its own and relies on nothing that another left.
package ledgertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"trimtab/internal/scale"
)

// Ledger is what a ledger can do: what the engine needs, and what the desk reads.
type Ledger interface {
	Load(ctx context.Context, pool string) (scale.Stored, error)
	Commit(ctx context.Context, pool string, commit scale.Commit) error
	Keep(ctx context.Context, letters []scale.DeadLetter) error
	Entries(ctx context.Context, pool string, before time.Time, n int) ([]scale.Entry, error)
	DeadLetters(ctx context.Context, n int) ([]scale.DeadLetter, error)
	Pools(ctx context.Context) ([]string, error)
	Trim(ctx context.Context, pool string, before time.Time, max int) (int, error)
	TrimLetters(ctx context.Context, before time.Time, max int) (int, error)
}

// Run runs the suite; open makes an empty ledger for each test.
func Run(t *testing.T, open func(t *testing.T) Ledger) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, l Ledger)
	}{
		{"a pool without rows is empty", missing},
		{"what is committed is loaded", roundTrip},
		{"what was committed or loaded can be changed without harm", isolation},
		{"control rows are compared before they are set", controlConflicts},
		{"windows are compared before they are set, each by itself", windowConflicts},
		{"a stale row among good ones stores none of them", atomic},
		{"of many that create a pool one wins", creation},
		{"of many that count, none loses a count", counting},
		{"a repeated commit is nil, also after others went on", repeated},
		{"an entry alone needs no version", entryAlone},
		{"large documents come back whole", large},
		{"entries come newest first and in pages", paging},
		{"an outcome is joined to its entry", outcomes},
		{"an entry written again keeps its outcome", rewritten},
		{"pools with alike names are apart", names},
		{"the pools of a group each keep a row, and the group is no pool", groups},
		{"trimming deletes what is old and nothing else", trimming},
		{"dead letters are kept once, the newest first", deadLetters},
		{"many dead letters are kept in one call", manyDeadLetters},
		{"old dead letters are trimmed and no others", trimmingLetters},
		{"what cannot be kept is refused", refusals},
		{"a call that nobody waits for is no conflict", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// Noon is the instant around which the suite's entries lie.
var Noon = time.Date(2025, 11, 20, 12, 0, 0, 123456789, time.UTC)

// Key is the key of an entry as the engine makes it: newest first, and a function of the evaluation.
func Key(at time.Time, n int) string {
	return fmt.Sprintf("%019d-%016x", math.MaxInt64-at.UnixNano(), n)
}

// Entry is an entry with something in every part of it.
func Entry(pool string, at time.Time, n int) *scale.Entry {
	mix := scale.Mix{Base: 2, RegularPercent: 20}
	from, to := scale.Capacity{Instances: 3, Mix: &mix}, scale.Capacity{Instances: 3 + n, Mix: &mix}
	return &scale.Entry{
		Version: scale.EntryVersion, Key: Key(at, n), Pool: pool, At: at,
		Trigger: scale.Trigger{Kind: "events", Source: "ns/hub/1", FirstSequence: 7, LastSequence: 9, Invocation: "i", Folded: 3},
		View: scale.View{
			Version: scale.ViewVersion, Now: at, Pool: pool, Policy: pool, Mode: scale.Enforce,
			Labels: map[string]string{"owner": "shop", "äöü": "<&>"}, Settings: json.RawMessage(`{"target":60,"of":"<a>"}`),
			Facts: scale.Facts{
				ReadAt: at, Capacity: 3, Mix: &mix, ETag: `"1"`, ProvisioningState: "Succeeded",
				Live: &scale.Live{ReadAt: at, Instances: 2, Regular: 1, Spot: 1, ByZone: map[string]scale.ZoneCount{"1": {Regular: 1, Spot: 1}}},
			},
			Signals: map[string]scale.SignalView{"cpu": {State: scale.SignalFresh, Value: 71234, HasValue: true, NewestAt: at}},
			Memory:  scale.Memory{Intended: &from, Recommendations: []scale.Recommendation{{At: at, Instances: 4}}},
		},
		Proposal: scale.Proposal{
			Known: true, Instances: 3 + n, Revision: "r1",
			Reasons: []scale.Reason{{Code: "track", State: scale.ReasonKnown, Instances: 3 + n, Numbers: map[string]int64{"target": 60}}},
		},
		Decision: scale.Decision{
			Action: scale.Scale, Direction: scale.Grow, From: from, To: to, Reason: "track", Act: true,
			Adjustments: []scale.Adjustment{{Rail: "limits", Code: "max", Before: 9, After: 3 + n}},
		},
		Note: "line one\nline two: Größe 𝄞",
	}
}

// Control is a control row with something in it.
func Control(at time.Time, n int) *scale.Control {
	return &scale.Control{
		Version: scale.ControlVersion, EvaluatedAt: at, Revision: "r1",
		Memory: scale.Memory{GrownAt: at, Intended: &scale.Capacity{Instances: n}},
		Intent: &scale.Intent{
			Entry: Key(at, n), Direction: scale.Grow, To: scale.Capacity{Instances: n, Mix: &scale.Mix{Base: 1}},
			Stage: scale.StageAccepted, Token: `{"token":"<opaque>"}`, StartedAt: at,
		},
		Facts: scale.Facts{ReadAt: at, Capacity: n, ETag: `"2"`},
	}
}

// Outcome is an outcome of the entry.
func Outcome(key string, at time.Time) *scale.Outcome {
	return &scale.Outcome{
		Entry: key, At: at, Result: scale.Failed, Class: scale.ClassQuota, Code: "OperationNotAllowed",
		Message: "quota of Größe 𝄞\nexceeded", Capacity: 4, Polls: 2,
	}
}

// attempt names a write that no other has named.
func attempt() string { return fmt.Sprintf("it's-%x", rand.Uint64()) }

func load(t *testing.T, l Ledger, pool string) scale.Stored {
	t.Helper()
	s, err := l.Load(t.Context(), pool)
	if err != nil {
		t.Fatalf("load %s: %v", pool, err)
	}
	return s
}

func commit(t *testing.T, l Ledger, pool string, c scale.Commit) {
	t.Helper()
	if c.Attempt == "" {
		c.Attempt = attempt()
	}
	if err := l.Commit(t.Context(), pool, c); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func conflict(t *testing.T, l Ledger, pool, what string, c scale.Commit) {
	t.Helper()
	c.Attempt = attempt()
	if err := l.Commit(t.Context(), pool, c); !errors.Is(err, scale.ErrConflict) {
		t.Errorf("%s: got %v, want a conflict", what, err)
	}
}

func entries(t *testing.T, l Ledger, pool string, before time.Time, n int) []scale.Entry {
	t.Helper()
	all, err := l.Entries(t.Context(), pool, before, n)
	if err != nil {
		t.Fatalf("read entries: %v", err)
	}
	return all
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}
