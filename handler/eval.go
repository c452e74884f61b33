package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/internal/whatif"
)

// evalCommand answers what would be done if things were otherwise.
func evalCommand(h *hall) *cobra.Command {
	e := &evaluating{hall: h}
	cmd := &cobra.Command{
		Use:   "eval [FILE|-]",
		Short: "Show what would be decided on a view: what would you do if …",
		Long: `eval walks a view through policy and rails and explains the decision: every reason, every rail with the number before
and after, and what would have to change for another. Nothing is read from Azure or from a ledger, and nothing is changed.

The view is what trimtab explain --json prints, or its part "view"; with --pool NAME in place of a file it is a quiet one of
that pool's definition, with each signal missing until --set gives it a value.

  trimtab explain web --json > view.json
  trimtab eval view.json --set signals.cpu.value=85 --set capacity=12
  trimtab eval --pool web --capacity 6 --set signals.cpu.value=85 --set signals.requests.value=40

--set takes a field by its path in the view; numbers of signals are given in the signal's unit, without _milli, and value
moves everything that was measured of the signal in proportion.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return e.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&e.set, "set", nil, "something of the view, as path=value; may be given again")
	flags.StringVar(&e.pool, "pool", "", "make a view of this pool's definition in place of reading one")
	flags.IntVar(&e.capacity, "capacity", -1, "with --pool: the instances there are; else the default count, or the minimum")
	flags.StringVar(&e.at, "at", "", "with --pool: the instant of the view (RFC 3339); else now")
	flags.BoolVar(&e.current, "definition", false, "take rails, settings and labels from the pool's definition of now, not from the file")
	flags.StringVar(&e.folder, "policies", "", "folder of policies, in place of what "+setPolicies+" names")
	flags.BoolVar(&e.asJSON, "json", false, "print view, proposal, decision, rails and turns as JSON")
	return cmd
}

type evaluating struct {
	*hall
	set              []string
	pool, at, folder string
	capacity         int
	current, asJSON  bool
}

func (e *evaluating) run(cmd *cobra.Command, args []string) error {
	if (len(args) == 0) == (e.pool == "") {
		return errors.New("give a file with a view, or --pool NAME, and not both")
	}
	bundle, err := bundleOf(cmd.Context(), e.hall, e.folder)
	if err != nil {
		return err
	}
	view, err := e.view(bundle, args, cmd.InOrStdin())
	if err != nil {
		return err
	}
	for _, each := range e.set {
		path, value, ok := strings.Cut(each, "=")
		if !ok || path == "" {
			return fmt.Errorf("--set %s: path=value is right, such as signals.cpu.value=85", each)
		}
		if view, err = whatif.Set(view, path, value); err != nil {
			return err
		}
	}
	a := whatif.Ask(cmd.Context(), bundle, view)
	entry := scale.Entry{
		Version: scale.EntryVersion, Key: "none: it is in no journal", Pool: view.Pool, At: view.Now, Trigger: scale.Trigger{Kind: "question"},
		View: *view, Proposal: a.Proposal, Decision: a.Decision,
	}
	x := explanation{Entry: &entry, Rails: whatif.Rails(&a.Proposal, &a.Decision), Turns: whatif.Turns(cmd.Context(), bundle, view)}
	if x.Turns == nil {
		x.Turns = []whatif.Turn{}
	}
	if e.asJSON {
		return x.json(e.stdout)
	}
	return x.text(e.stdout)
}

// view is the one that is asked about, before anything is set.
func (e *evaluating) view(bundle *policy.Bundle, args []string, stdin io.Reader) (*scale.View, error) {
	if e.pool != "" {
		p, err := poolNamed(bundle, e.pool)
		if err != nil {
			return nil, err
		}
		now := time.Now().UTC().Truncate(time.Second)
		if at, err := readInstant(e.at); err != nil {
			return nil, err
		} else if !at.IsZero() {
			now = at
		}
		n := e.capacity
		if n < 0 {
			n = max(p.Rails.Limits.Default, p.Rails.Limits.Min)
		}
		return whatif.View(p, n, now), nil
	}
	text, err := readFile(args[0], stdin)
	if err != nil {
		return nil, err
	}
	view, err := whatif.Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	if e.current {
		p, err := poolNamed(bundle, view.Pool)
		if err != nil {
			return nil, err
		}
		view.Policy, view.Mode, view.Labels, view.Rails, view.Settings = p.Policy, p.Mode, p.Labels, p.Rails, p.Settings
	}
	return view, nil
}

func poolNamed(bundle *policy.Bundle, name string) (*scale.Pool, error) {
	var names []string
	for i := range bundle.Pools {
		if bundle.Pools[i].Name == name {
			return &bundle.Pools[i], nil
		}
		names = append(names, bundle.Pools[i].Name)
	}
	return nil, fmt.Errorf("no pool %q: the policies have %s", name, strings.Join(names, ", "))
}

// explanation is an entry with the way of its number and what would change it.
type explanation struct {
	*scale.Entry
	Rails []whatif.Rail `json:"rails"`
	Turns []whatif.Turn `json:"turns"`
	// Reckoned says of which policies the turns are where they are not the entry's own, or why there are none.
	Reckoned string `json:"reckoned,omitempty"`
}

func (x *explanation) json(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(x)
}
