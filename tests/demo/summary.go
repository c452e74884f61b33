package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"trimtab/internal/ledger"
	"trimtab/internal/scale"
)

// tally is what the demo counts while it plays.
type tally struct {
	mu sync.Mutex
	// posted events were handed to the handler, twice of them a second time on purpose.
	posted, twice, batches int
	// malformed events were among them, each of which must be a dead letter once.
	malformed int
	// heard is what the handler's log adds up to; accounted are the samples that it says what became of.
	heard     line
	accounted int
}

// summary is what a run came to, each number from where it happened: the posts, the handler's log, the journal, the
// emulator's own record of what reached it.
type summary struct {
	*stage
	patches int
	// From the journal.
	decisions, changes, unfinished int
	results                        map[scale.Result]int
	letters                        int
}

// journal counts what the ledger holds, once the handler has closed it.
func (s *summary) journal(ctx context.Context, dir string) error {
	l, err := ledger.OpenFileReader(filepath.Join(dir, "ledger"))
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	s.results = map[scale.Result]int{}
	pools, err := l.Pools(ctx)
	if err != nil {
		return err
	}
	for _, pool := range pools {
		entries, err := l.Entries(ctx, pool, time.Time{}, 1_000_000)
		if err != nil {
			return err
		}
		s.decisions += len(entries)
		for _, e := range entries {
			if e.Outcome != nil {
				s.results[e.Outcome.Result]++
				if e.Outcome.Result == scale.Applied {
					s.changes++
				}
			} else if e.Decision.Act {
				s.unfinished++
			}
		}
	}
	letters, err := l.DeadLetters(ctx, 1_000_000)
	s.letters = len(letters)
	return err
}

// draw lets the program draw the journal of the day.
func (s *stage) draw(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.root, "bin", "trimtab"), "report", "--out", filepath.Join(s.dir, "report.html"))
	cmd.Env = append(os.Environ(), "TRIMTAB_LEDGER=file:"+filepath.Join(s.dir, "ledger"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("draw the day: %w: %s", err, out)
	}
	return nil
}

// lost counts what was handed over and is nowhere: events that no answer speaks of, samples of which nobody knows what
// became, malformed events that are not among the dead letters.
func (s *summary) lost() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return abs(s.posted-s.heard.Events) + abs(s.heard.Samples-s.accounted) + abs(s.malformed-s.letters)
}

func (s *summary) print(w io.Writer, out string, took time.Duration) {
	fmt.Fprintf(w, "%d batches on %d partitions, %d events of them delivered twice; %d samples folded once each.\n",
		s.batches, partitions, s.twice, s.heard.Folded)
	fmt.Fprintf(w, "%d PATCHes reached Azure Resource Manager's stand-in. Outcomes: %s.\n", s.patches, outcomes(s.results))
	fmt.Fprintf(w, "The journal is %s, the handler's log %s.\n",
		filepath.Join(out, "ledger", "journal.jsonl"), filepath.Join(out, "handler.log"))
	fmt.Fprintf(w, "Look at the day:  %s (opens offline, in any browser)\n", filepath.Join(out, "report.html"))
	fmt.Fprintf(w, "Ask it why:  TRIMTAB_LEDGER=file:%s bin/trimtab explain web --at %s\n",
		filepath.Join(out, "ledger"), s.origin.Add(9*time.Hour).Format(time.RFC3339))
	fmt.Fprintf(w, "It took %.0f seconds.\n", took.Seconds())
	fmt.Fprintf(w, "run: events=%d decisions=%d changes=%d deadletters=%d lost=%d\n",
		s.posted, s.decisions, s.changes, s.letters, s.lost())
}

func outcomes(results map[scale.Result]int) string {
	var parts []string
	for _, r := range []scale.Result{scale.Applied, scale.Failed, scale.Preempted, scale.Superseded, scale.Refused, scale.Abandoned} {
		if n := results[r]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, r))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// verdict is an error when the run was not what it should be.
func (s *summary) verdict() error {
	switch {
	case s.lost() > 0:
		return fmt.Errorf("%d lost", s.lost())
	case s.changes == 0:
		return fmt.Errorf("no change was applied: see %s", s.log.Name())
	case s.patches < s.changes:
		return fmt.Errorf("%d changes applied, but only %d PATCHes", s.changes, s.patches)
	}
	return nil
}

func abs(n int) int { return max(n, -n) }

// own is a body in Trimtab's own format, as policies/schemas/sample.json describes it.
func own(set string, at time.Time, metric string, v float64) string {
	text, err := json.Marshal(map[string]any{
		"trimtab": 1, "resource": group + set, "metric": metric, "time": at.Format(time.RFC3339), "grain": "PT30S", "value": v,
	})
	if err != nil {
		return err.Error()
	}
	return string(text)
}
