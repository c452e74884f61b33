package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"trimtab/internal/engine"
	"trimtab/internal/metric"
	"trimtab/internal/policy"
	"trimtab/internal/scale"
)

// decodeCommand answers why a metric is not seen: what its event holds, and which signals listen to it.
func decodeCommand(h *hall) *cobra.Command {
	var lines bool
	var folder, properties string
	var single []string
	cmd := &cobra.Command{
		Use:   "decode [FILE...|-]",
		Short: "Show what the handler makes of the body of an event",
		Long: `decode reads bodies of events, from files or from standard input, and prints one JSON line for each sample, with
the signals that listen to it, one for each notice (of an eviction, a machine's health, a rival), and one for each element
that could not be understood, with the reason.

Each file is one body; with --lines each line of it is one. What stands beside the body in the hub may matter: a
CloudEvent in binary mode lies in the properties. --properties names a file that holds them as a JSON object, or as
{"properties":{…},"system":{…}}; --property adds one.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			pools, err := poolsOf(cmd.Context(), h, folder)
			if err != nil {
				return err
			}
			beside, err := propertiesOf(properties, single)
			if err != nil {
				return err
			}
			d := &decoding{out: json.NewEncoder(h.stdout), pools: pools, decoder: metric.NewDecoder(), properties: beside, name: engine.Named(pools)}
			if len(args) == 0 {
				args = []string{"-"}
			}
			for _, name := range args {
				if err := eachBody(name, cmd.InOrStdin(), lines, d.body); err != nil {
					return err
				}
			}
			fmt.Fprintf(h.stderr, "%d bodies: %d samples, %d of them with a signal that listens; %d notices; %d rejections\n",
				d.bodies, d.samples, d.heard, d.notices, d.rejections)
			return nil
		},
	}
	cmd.Flags().BoolVar(&lines, "lines", false, "each line is a body of its own")
	cmd.Flags().StringVar(&properties, "properties", "", "file of the events' properties")
	cmd.Flags().StringArrayVar(&single, "property", nil, "one property, NAME=VALUE; may be given several times")
	cmd.Flags().StringVar(&folder, "policies", "", "folder of the pools to match with, in place of what "+setPolicies+" names")
	return cmd
}

// poolsOf loads the pools of a folder; without one, those that serve would load in the same environment.
func poolsOf(ctx context.Context, h *hall, folder string) ([]scale.Pool, error) {
	bundle, err := bundleOf(ctx, h, folder)
	if err != nil {
		return nil, err
	}
	return bundle.Pools, nil
}

// bundleOf is the same with the policies themselves.
func bundleOf(ctx context.Context, h *hall, folder string) (*policy.Bundle, error) {
	c := &Config{Policies: folder}
	if folder == "" {
		// Only the choice of policies matters at this desk: a ledger that is not set up is no reason to decode nothing.
		r := newReader(h.environ)
		c.Policies = r.policies()
		if err := errors.Join(r.problems...); err != nil {
			return nil, err
		}
	}
	return loadPolicies(ctx, c)
}

// decoding prints what becomes of bodies and counts it.
type decoding struct {
	out        *json.Encoder
	pools      []scale.Pool
	decoder    *metric.Decoder
	properties metric.Properties
	// name gives a sample that bears a set's mere name the set's ID, as the handler does.
	name func(*scale.Sample)

	bodies, samples, heard, notices, rejections int
}

// sampleLine, noticeLine and rejectionLine are the lines that decode prints.
type sampleLine struct {
	From       string             `json:"from"`
	Element    int                `json:"element"`
	Resource   string             `json:"resource"`
	Metric     string             `json:"metric"`
	Dimensions string             `json:"dimensions,omitempty"`
	At         time.Time          `json:"at"`
	Grain      string             `json:"grain,omitempty"`
	Unit       string             `json:"unit,omitempty"`
	Values     map[string]float64 `json:"values"`
	Signals    []string           `json:"signals"`
	Note       string             `json:"note,omitempty"`
}

type noticeLine struct {
	From     string           `json:"from"`
	Element  int              `json:"element"`
	Notice   scale.NoticeKind `json:"notice"`
	Resource string           `json:"resource"`
	At       time.Time        `json:"at"`
	Machines []string         `json:"machines,omitempty"`
	State    string           `json:"state,omitempty"`
	Over     bool             `json:"over,omitempty"`
	By       string           `json:"by,omitempty"`
	Before   *int             `json:"before,omitempty"`
	After    *int             `json:"after,omitempty"`
}

type rejectionLine struct {
	From    string `json:"from"`
	Element int    `json:"element"`
	Reason  string `json:"rejected"`
	Detail  string `json:"detail"`
}

func (d *decoding) body(from string, body []byte) error {
	d.bodies++
	samples, rejected := d.decoder.DecodeWith(body, d.properties, scale.Source{})
	var errs []error
	for i := range samples {
		d.samples++
		errs = append(errs, d.out.Encode(d.sample(from, &samples[i])))
	}
	for _, n := range d.decoder.Notices() {
		d.notices++
		errs = append(errs, d.out.Encode(noticeLine{from, n.Source.Element, n.Kind, n.Resource, n.At, n.Machines, n.State, n.Over, n.By, n.From, n.To}))
	}
	for _, r := range rejected {
		d.rejections++
		errs = append(errs, d.out.Encode(rejectionLine{from, r.Element, r.Reason, r.Detail}))
	}
	return errors.Join(errs...)
}

func (d *decoding) sample(from string, s *scale.Sample) sampleLine {
	d.name(s)
	l := sampleLine{
		From: from, Element: s.Source.Element, Resource: s.Resource, Metric: s.Metric, Dimensions: s.Dimensions, At: s.At,
		Unit: s.Unit, Values: map[string]float64{}, Signals: []string{},
	}
	if s.Grain > 0 {
		l.Grain = s.Grain.String()
	}
	for _, v := range []struct {
		has   scale.Has
		name  string
		value float64
	}{
		{scale.HasAverage, "average", s.Average},
		{scale.HasMinimum, "minimum", s.Minimum},
		{scale.HasMaximum, "maximum", s.Maximum},
		{scale.HasTotal, "total", s.Total},
		{scale.HasCount, "count", s.Count},
	} {
		if s.Has&v.has != 0 {
			l.Values[v.name] = v.value
		}
	}
	sameResource, sameSeries, misfit := false, false, ""
	for i := range d.pools {
		for j := range d.pools[i].Signals {
			g := &d.pools[i].Signals[j]
			heard := metric.Hears(g, s.Resource)
			sameResource = sameResource || heard
			sameSeries = sameSeries || (heard && g.Metric == s.Metric)
			if !metric.Listens(g, s) {
				continue
			}
			if _, fits := metric.InUnit(g, *s); fits {
				l.Signals = append(l.Signals, d.pools[i].Name+"."+g.Name)
			} else {
				misfit = fmt.Sprintf("signal %s.%s names this series, but is in %s, which %s is no unit of", d.pools[i].Name, g.Name, g.Unit, metric.UnitOf(s))
			}
		}
	}
	switch {
	case len(l.Signals) > 0:
		d.heard++
		if s.Has == scale.HasCount && s.Count == 0 {
			l.Note = "count 0: nothing was measured, so nothing is folded"
		}
	case misfit != "":
		l.Note = misfit
	case sameSeries:
		l.Note = "a signal names this resource and metric, but other dimensions"
	case sameResource:
		l.Note = "signals name this resource, but other metrics"
	default:
		l.Note = "no signal names this resource"
	}
	return l
}
