package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/spf13/cobra"

	"trimtab/internal/doctor"
	"trimtab/internal/engine"
	"trimtab/internal/guard"
	"trimtab/internal/hub"
	"trimtab/internal/ledger"
	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/internal/vmss"
)

// The exit codes of doctor beyond the program's own.
const (
	exitProblems = 3
	exitUnknown  = 4
)

// codedError is an error with an exit code of its own.
type codedError struct {
	error
	code int
}

// lookFor bounds each thing that the doctor asks a service.
const lookFor = 20 * time.Second

// evaluatedWithin is how old a pool's last evaluation may be: sweeps come each minute, and leave a pool at rest alone for
// five minutes at most.
const evaluatedWithin = 10 * time.Minute

// doctorCommand looks over an installation.
func doctorCommand(h *hall) *cobra.Command {
	var asJSON, quiet bool
	cmd := &cobra.Command{
		Use:   "doctor [POOL...]",
		Short: "Look over settings, services, rights and scale sets, and say what to do",
		Long: `doctor looks at everything that Trimtab depends on and changes nothing: settings and policies, the ledger, the event hub,
Azure Resource Manager, the clock, the rights of the identity, each pool's scale set with its rivals and traps, and each
pool's signals. It says of each finding what to do about it. Named pools are looked at alone.

Exit codes: 0 nothing is wrong (there may be warnings), ` + fmt.Sprint(exitProblems) + ` there are problems, ` + fmt.Sprint(exitUnknown) +
			` nothing wrong was found, but something could not be
looked at, 1 and 2 doctor itself failed. docs/doctor.md explains every check.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := examine(cmd.Context(), h, args)
			if err != nil {
				return err
			}
			if asJSON {
				out := json.NewEncoder(h.stdout)
				out.SetIndent("", "  ")
				err = out.Encode(report)
			} else {
				err = printReport(h.stdout, report, quiet)
			}
			switch {
			case err != nil:
				return err
			case report.Problems > 0:
				return codedError{errors.New("there are problems"), exitProblems}
			case report.Unknown > 0:
				return codedError{errors.New("something could not be looked at"), exitUnknown}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "leave out what is well")
	return cmd
}

// printReport writes a finding on a line, what to do below it, and the numbers last.
func printReport(w io.Writer, r doctor.Report, quiet bool) error {
	var b strings.Builder
	for _, f := range r.Findings {
		if quiet && f.Level == doctor.OK {
			continue
		}
		fmt.Fprintf(&b, "%-8s %-18s %-20s %s\n", f.Level, f.Subject, f.Check, f.Says)
		if f.Do != "" {
			fmt.Fprintf(&b, "%-8s %s\n", "", "do: "+f.Do)
		}
	}
	fmt.Fprintln(&b, r)
	_, err := io.WriteString(w, b.String())
	return err
}

// examination is one run of the doctor.
type examination struct {
	config     *Config
	credential azcore.TokenCredential
	bundle     *policy.Bundle
	pools      []scale.Pool
	series     []doctor.Series
	findings   []doctor.Finding
}

func (x *examination) add(f ...doctor.Finding) { x.findings = append(x.findings, f...) }

func (x *examination) found(subject, check string, level doctor.Level, says, do string) {
	x.add(doctor.Finding{Check: check, Subject: subject, Level: level, Says: says, Do: do})
}

// examine looks at everything in the order in which one depends on another. It fails only when asked for pools that are
// not there.
func examine(ctx context.Context, h *hall, names []string) (doctor.Report, error) {
	x := &examination{}
	config, err := readConfig(h.environ, false)
	for _, problem := range joined(err) {
		x.found("settings", "settings", doctor.Problem, problem.Error(), "correct the setting; trimtab serve --help lists them all")
	}
	x.config = config
	if err == nil {
		x.found("settings", "settings", doctor.OK, "all are known and well formed", "")
	}
	if config.Freeze {
		x.found("settings", "freeze", doctor.Warning, "everything is frozen: decisions are recorded and no scale set is changed", "take "+setFreeze+" away to thaw")
	}
	x.bundle, err = loadPolicies(ctx, config)
	if err != nil {
		x.found("policies", "policies", doctor.Problem, err.Error(), "correct the policies; `make policy` checks them before they are deployed")
		return doctor.NewReport(x.findings), nil
	}
	x.found("policies", "policies", doctor.OK, fmt.Sprintf("%d pools compiled, revision %.12s", len(x.bundle.Pools), x.bundle.Revision()), "")
	if err := x.choose(names); err != nil {
		return doctor.Report{}, err
	}
	if x.credential, err = newCredential(config); err != nil {
		x.found("identity", "identity", doctor.Problem, err.Error(), "assign a managed identity to the app, or sign in with az login")
		return doctor.NewReport(x.findings), nil
	}
	stored := x.ledger(ctx)
	x.hub(ctx, h)
	x.sets(ctx, stored)
	return doctor.NewReport(x.findings), nil
}

// joined takes a joined error apart.
func joined(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // only what readConfig itself has joined
		return many.Unwrap()
	}
	return []error{err}
}

// choose keeps the pools that were asked for, all of them where none was.
func (x *examination) choose(names []string) error {
	if len(names) == 0 {
		x.pools = x.bundle.Pools
		return nil
	}
	var known []string
	byName := map[string]scale.Pool{}
	for _, p := range x.bundle.Pools {
		byName[p.Name], known = p, append(known, p.Name)
	}
	for _, name := range names {
		p, ok := byName[name]
		if !ok {
			return fmt.Errorf("there is no pool %q; there are: %s", name, strings.Join(known, ", "))
		}
		x.pools = append(x.pools, p)
	}
	return nil
}

// kept is what the ledger holds of a pool.
type kept struct {
	control scale.Control
	last    *scale.Entry
}

// ledger looks at the memory and reads what it holds of each pool; nil where it could not be read.
func (x *examination) ledger(ctx context.Context) map[string]kept {
	subject := "ledger"
	switch x.config.Ledger.Kind {
	case InMemory:
		x.found(subject, "ledger", doctor.Warning, "memory is lost at exit, cooldowns and changes under way with it", "set "+setLedger+" to table")
		return nil
	case InTable:
		if !x.table(ctx) {
			return nil
		}
	}
	l, err := openReading(x.config)
	if err != nil {
		x.found(subject, "ledger", doctor.Problem, err.Error(), "correct "+setLedger)
		return nil
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	all := map[string]kept{}
	for _, p := range x.pools {
		entries, err := l.Entries(ctx, p.Name, time.Time{}, 1)
		if err != nil {
			x.found(p.Name, "ledger", doctor.Unknown, err.Error(), "run doctor again")
			continue
		}
		k := kept{}
		if len(entries) > 0 {
			k.last = &entries[0]
			k.control = scale.Control{EvaluatedAt: entries[0].At, Memory: entries[0].View.Memory, FactsProblem: entries[0].View.FactsProblem}
		}
		all[p.Name] = k
	}
	x.unrouted(ctx, l)
	letters, err := l.DeadLetters(ctx, 100)
	if err != nil {
		x.found(subject, "dead_letters", doctor.Unknown, err.Error(), "run doctor again")
		return all
	}
	x.add(doctor.Letters(subject, letters))
	return all
}

// unrouted looks at what comes and no signal listens to.
func (x *examination) unrouted(ctx context.Context, l reading) {
	loader, can := l.(interface {
		Load(ctx context.Context, pool string) (scale.Stored, error)
	})
	if !can {
		return
	}
	census, err := engine.ReadCensus(ctx, loader)
	if err != nil {
		x.found("ledger", "unrouted", doctor.Unknown, err.Error(), "run doctor again")
		return
	}
	for _, s := range census.Series {
		x.series = append(x.series, doctor.Series{Resource: s.Resource, Metric: s.Metric, Dimensions: s.Dimensions, Samples: s.Samples})
	}
	x.add(doctor.Unrouted("ledger", x.series))
}

// table looks at the table service, and reports whether there are rows to be read.
func (x *examination) table(ctx context.Context) bool {
	const subject = "ledger"
	table, err := ledger.NewTable(ledger.TableOptions{
		ConnectionString: x.config.Ledger.Connection, Endpoint: x.config.Ledger.Endpoint, Credential: x.credential, Table: x.config.Ledger.Table,
	})
	if err != nil {
		x.found(subject, "table", doctor.Problem, err.Error(), "correct "+setTableURL+" or "+setTableString)
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	var answered *http.Response
	asked := x.config.Clock.Now()
	there, err := table.Probe(azpolicy.WithCaptureResponse(ctx, &answered))
	switch {
	case ledger.Denied(err):
		x.found(subject, "table", doctor.Problem, err.Error(), "assign Storage Table Data Contributor on the storage account to the app's identity")
	case err != nil:
		x.found(subject, "table", doctor.Problem, err.Error(), "look at the storage account's name, its firewall and the network between")
	case !there:
		x.found(subject, "table", doctor.Warning, "table "+x.config.Ledger.Table+" is not there yet", "start the app: its first invocation creates the table")
	default:
		x.found(subject, "table", doctor.OK, "table "+x.config.Ledger.Table+" can be read and written", "")
	}
	if answered != nil && !x.config.Clock.Virtual() {
		at, _ := http.ParseTime(answered.Header.Get("Date"))
		x.add(doctor.Skew(subject, at, asked, x.config.Clock.Now()))
	}
	return err == nil && there
}

// hub looks at the event hub.
func (x *examination) hub(ctx context.Context, h *hall) {
	const subject = "hub"
	options, err := hubOptions(h)
	if err != nil {
		x.found(subject, "hub", doctor.Unknown, err.Error(), "give doctor the settings that the app has")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	sight, err := hub.Look(ctx, options)
	switch {
	case hub.Refused(err):
		x.found(subject, "hub", doctor.Problem, err.Error(), "assign Azure Event Hubs Data Receiver on the hub to the app's identity")
		return
	case err != nil:
		x.found(subject, "hub", doctor.Problem, err.Error(), "look at the namespace's and the hub's name, the firewall and the network between")
		return
	}
	x.add(doctor.Hub(subject, sight.Name, arrivals(sight), x.config.Clock.Now()))
}

func arrivals(s hub.Sight) (at []time.Time) {
	for _, p := range s.Partitions {
		at = append(at, p.EnqueuedAt)
	}
	return at
}

// sets looks at each pool's scale set, and at what the ledger knows of the pool.
func (x *examination) sets(ctx context.Context, stored map[string]kept) {
	fleet, err := vmss.New(x.credential, vmss.Options{Endpoint: x.config.ARM.Endpoint, Audience: x.config.ARM.Audience, Now: x.config.Clock.Now})
	if err != nil {
		x.found("arm", "arm", doctor.Problem, err.Error(), "correct "+setARMEndpoint)
		return
	}
	skewed := x.config.Clock.Virtual()
	for i := range x.pools {
		p := &x.pools[i]
		k, read := stored[p.Name]
		for _, m := range members(p) {
			if in := x.set(ctx, fleet, &m, k.last, &skewed); in != nil {
				x.around(ctx, fleet, &m.Pool, in)
			}
		}
		if read {
			x.add(doctor.Offer(doctor.Pool(p, &k.control, k.last, x.config.Clock.Now(), evaluatedWithin), p, x.series)...)
		}
	}
}

// member is a pool as one of its scale sets: the only one, whose role is empty, or one of a pair.
type member struct {
	scale.Pool
	role scale.Role
}

func members(p *scale.Pool) []member {
	if p.SpotScaleSet == "" {
		return []member{{Pool: *p}}
	}
	regular, spot := member{*p, scale.RoleRegular}, member{*p, scale.RoleSpot}
	spot.Name, spot.ScaleSet = p.Name+scale.SpotSuffix, p.SpotScaleSet
	return []member{regular, spot}
}

// set looks at one scale set's model; nil where it could not be read. The first answer's clock is compared with ours.
func (x *examination) set(ctx context.Context, fleet *vmss.Fleet, p *member, last *scale.Entry, skewed *bool) *scale.Inspection {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	in, err := fleet.Inspect(ctx, p.ScaleSet)
	if !*skewed && !in.ServerAt.IsZero() {
		x.add(doctor.Skew("arm", in.ServerAt, in.AskedAt, in.AnsweredAt))
		*skewed = true
	}
	if err != nil {
		x.add(doctor.Unread(p.Name, "scale_set", fleetError(err)))
		return nil
	}
	if in.Facts.Autoscale, err = fleet.Autoscale(ctx, p.ScaleSet); err != nil {
		x.add(doctor.Unlooked(p.Name, "autoscale", fleetError(err)))
	}
	if in.Facts.Live, err = fleet.Count(ctx, p.ScaleSet, in.Facts); err != nil {
		x.add(doctor.Unlooked(p.Name, "attached", fleetError(err)))
	}
	if p.role != "" {
		// The split of a pair is Trimtab's own: neither set has a mix.
		x.add(doctor.Set(&p.Pool, &in, guard.Wish{})...)
		x.add(doctor.Member(p.Name, p.role, &in)...)
		return &in
	}
	x.add(doctor.Set(&p.Pool, &in, x.wish(ctx, &p.Pool, &in, last))...)
	return &in
}

// around looks at what the caller may do at a scale set.
func (x *examination) around(ctx context.Context, fleet *vmss.Fleet, p *scale.Pool, in *scale.Inspection) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	if granted, err := fleet.Permissions(ctx, p.ScaleSet); err != nil {
		x.add(doctor.Unlooked(p.Name, "rights", fleetError(err)))
	} else {
		x.add(doctor.Rights(p, in.Facts.Orchestration, granted)...)
	}
	if err := fleet.Usable(ctx, p.ScaleSet, in.Facts.Location); err != nil {
		x.add(doctor.Usages(p.Name, fleetError(err)))
	} else {
		x.found(p.Name, "usages", doctor.OK, "quota and usage of "+in.Facts.Location+" can be read", "")
	}
}

// wish asks the pool's newest decision, or where there is none the policy itself, whether it blends regular and Spot
// machines.
func (x *examination) wish(ctx context.Context, p *scale.Pool, in *scale.Inspection, last *scale.Entry) guard.Wish {
	of := func(b *scale.Blend) guard.Wish { return guard.Wish{Mix: b != nil, StandIn: b != nil && b.StandIn} }
	if last != nil && last.Proposal.Revision == x.bundle.Revision() {
		return of(last.Proposal.Blend)
	}
	view := &scale.View{
		Version: scale.ViewVersion, Now: x.config.Clock.Now(), Pool: p.Name, Policy: p.Policy, Mode: p.Mode, Labels: p.Labels,
		Orchestration: p.Orchestration, Rails: p.Rails, Settings: p.Settings, Facts: in.Facts,
		Signals: map[string]scale.SignalView{}, Schedules: map[string]scale.ScheduleView{},
	}
	for _, s := range p.Signals {
		view.Signals[s.Name] = scale.SignalView{State: scale.SignalMissing, Unit: s.Unit}
	}
	for _, s := range p.Schedules {
		view.Schedules[s.Name] = scale.ScheduleView{}
	}
	proposal := x.bundle.Propose(ctx, view)
	return of(proposal.Blend)
}

// fleetError is the error of a scale set's room as what it is.
func fleetError(err error) *scale.FleetError {
	var fe *scale.FleetError
	if errors.As(err, &fe) {
		return fe
	}
	return &scale.FleetError{Class: scale.ClassUnknown, Message: err.Error(), Err: err}
}
