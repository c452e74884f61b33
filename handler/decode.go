package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// decodeCommand answers why a metric is not seen: what its event holds, and which signals listen to it.
func decodeCommand(h *hall) *cobra.Command {
	var lines bool
	var folder string
	cmd := &cobra.Command{
		Use:   "decode [FILE...|-]",
		Short: "Show what the handler makes of the body of an event",
		Long: `decode reads bodies of events, from files or from standard input, and prints one JSON line for each sample, with
the signals that listen to it, and one for each element that could not be understood, with the reason.

Each file is one body; with --lines each line of it is one.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			pools, err := poolsOf(cmd.Context(), h, folder)
			if err != nil {
				return err
			}
			d := &decoding{out: json.NewEncoder(h.stdout), pools: pools, decoder: metric.NewDecoder(), lines: lines}
			if len(args) == 0 {
				args = []string{"-"}
			}
			for _, name := range args {
				if err := d.file(name, cmd.InOrStdin()); err != nil {
					return err
				}
			}
			fmt.Fprintf(h.stderr, "%d bodies: %d samples, %d of them with a signal that listens; %d rejections\n",
				d.bodies, d.samples, d.heard, d.rejections)
			return nil
		},
	}
	cmd.Flags().BoolVar(&lines, "lines", false, "each line is a body of its own")
	cmd.Flags().StringVar(&folder, "policies", "", "folder of the pools to match with, in place of what "+setPolicies+" names")
	return cmd
}

// poolsOf loads the pools of a folder; without one, those that serve would load in the same environment.
func poolsOf(ctx context.Context, h *hall, folder string) ([]scale.Pool, error) {
	c := &Config{Policies: folder}
	if folder == "" {
		// Only the choice of policies matters at this desk: a ledger that is not set up is no reason to decode nothing.
		r := newReader(h.environ)
		c.Policies = r.policies()
		if err := errors.Join(r.problems...); err != nil {
			return nil, err
		}
	}
	bundle, err := loadPolicies(ctx, c)
	if err != nil {
		return nil, err
	}
	return bundle.Pools, nil
}

// decoding prints what becomes of bodies and counts it.
type decoding struct {
	out                                *json.Encoder
	pools                              []scale.Pool
	decoder                            *metric.Decoder
	lines                              bool
	bodies, samples, heard, rejections int
}

// sampleLine and rejectionLine are the lines that decode prints.
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

type rejectionLine struct {
	From    string `json:"from"`
	Element int    `json:"element"`
	Reason  string `json:"rejected"`
	Detail  string `json:"detail"`
}

func (d *decoding) file(name string, stdin io.Reader) error {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	if !d.lines {
		body, err := io.ReadAll(in)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		return d.body(name, body)
	}
	s := bufio.NewScanner(in)
	s.Buffer(nil, 32<<20)
	for n := 1; s.Scan(); n++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		if err := d.body(fmt.Sprintf("%s:%d", name, n), s.Bytes()); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

func (d *decoding) body(from string, body []byte) error {
	d.bodies++
	samples, rejected := d.decoder.Decode(body, scale.Source{})
	var errs []error
	for i := range samples {
		d.samples++
		errs = append(errs, d.out.Encode(d.sample(from, &samples[i])))
	}
	for _, r := range rejected {
		d.rejections++
		errs = append(errs, d.out.Encode(rejectionLine{from, r.Element, r.Reason, r.Detail}))
	}
	return errors.Join(errs...)
}

func (d *decoding) sample(from string, s *scale.Sample) sampleLine {
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
	sameResource, sameSeries := false, false
	for i := range d.pools {
		for j := range d.pools[i].Signals {
			g := &d.pools[i].Signals[j]
			sameResource = sameResource || g.Resource == s.Resource
			sameSeries = sameSeries || (g.Resource == s.Resource && g.Metric == s.Metric)
			if metric.Listens(g, s) {
				l.Signals = append(l.Signals, d.pools[i].Name+"."+g.Name)
			}
		}
	}
	switch {
	case len(l.Signals) > 0:
		d.heard++
		if s.Has == scale.HasCount && s.Count == 0 {
			l.Note = "count 0: nothing was measured, so nothing is folded"
		}
	case sameSeries:
		l.Note = "a signal names this resource and metric, but other dimensions"
	case sameResource:
		l.Note = "signals name this resource, but other metrics"
	default:
		l.Note = "no signal names this resource"
	}
	return l
}
