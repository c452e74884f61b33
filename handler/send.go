package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"trimtab/internal/hub"
	"trimtab/internal/metric"
	"trimtab/internal/record"
	"trimtab/internal/scale"
)

// The settings by which the Functions host reaches the hub; send, record and consume use the same.
const (
	setHubString    = "MetricsHub"
	setHubNamespace = "MetricsHub__fullyQualifiedNamespace"
	setHubName      = "METRICS_HUB"
)

// sending is what the send command was asked for.
type sending struct {
	lines, force, recorded, keep bool
	rate, pace                   float64
}

// sendCommand puts samples into the hub that the handler reads.
func sendCommand(h *hall) *cobra.Command {
	var s sending
	cmd := &cobra.Command{
		Use:   "send [FILE...|-]",
		Short: "Send bodies, or a recording, to the event hub that the handler reads",
		Long: `send puts bodies into the hub that ` + setHubString + ` (a connection string) or ` + setHubNamespace + ` and
` + setHubName + ` name: the settings by which the Functions host reads it. Each file is one event; with --lines each line is.
A body that the handler would not understand is refused before anything is sent, with the reason that decode gives.

With --recorded the files are recordings, as record writes them: bodies, partition keys and all properties that a sender may
set are sent as they were, in the order of each partition, and nothing is refused; an event without a message ID is given
one. Instants within bodies stay as they are.
With --pace a recording is read into memory first, because its partitions are to be sent side by side.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"-"}
			}
			return s.run(cmd.Context(), h, cmd.InOrStdin(), args)
		},
	}
	cmd.Flags().BoolVar(&s.lines, "lines", false, "each line is an event of its own")
	cmd.Flags().BoolVar(&s.force, "force", false, "send what the handler would not understand, too")
	cmd.Flags().BoolVar(&s.recorded, "recorded", false, "the files are recordings")
	cmd.Flags().BoolVar(&s.keep, "keep-partitions", false, "send each recorded event to the partition that it was read from")
	cmd.Flags().Float64Var(&s.rate, "rate", 0, "events a second; as fast as the hub takes them unless given")
	cmd.Flags().Float64Var(&s.pace, "pace", 0, "send a recording at its own pace times this: 1 as it was, 60 a minute in a second")
	return cmd
}

func (s *sending) run(ctx context.Context, h *hall, stdin io.Reader, files []string) (err error) {
	switch {
	case s.rate < 0 || s.pace < 0 || (s.rate > 0 && s.pace > 0):
		return errors.New("--rate and --pace are above 0, and only one of them is given")
	case !s.recorded && (s.pace > 0 || s.keep):
		return errors.New("--pace and --keep-partitions are for recordings; right would be --recorded with them")
	case s.recorded && s.lines:
		return errors.New("--lines is for bodies; a recording has one event a line anyway")
	}
	var next func() (hub.Outgoing, time.Time, error)
	if s.recorded {
		var closeAll func()
		next, closeAll = s.recordings(files, stdin)
		defer closeAll()
		if s.pace > 0 {
			if next, err = arrived(next); err != nil {
				return err
			}
		}
	} else {
		bodies, err := s.bodies(files, stdin)
		if err != nil {
			return err
		}
		next = func() (o hub.Outgoing, at time.Time, err error) {
			if len(bodies) == 0 {
				return o, at, io.EOF
			}
			o = hub.Outgoing{Body: bodies[0], ContentType: "application/json"}
			bodies = bodies[1:]
			return o, at, nil
		}
	}
	options, err := hubOptions(h)
	if err != nil {
		return err
	}
	sender, err := hub.NewSender(options)
	if err != nil {
		return err
	}
	defer func() { _ = sender.Close(ctx) }()
	sent, err := s.paced(ctx, next, sender.Send)
	if err != nil {
		return fmt.Errorf("%d events sent: %w", sent, err)
	}
	if sent == 0 {
		return errors.New("nothing to send")
	}
	fmt.Fprintf(h.stdout, "%d events sent\n", sent)
	return nil
}

// bodies reads the bodies of files, and refuses what the handler would not understand.
func (s *sending) bodies(files []string, stdin io.Reader) (bodies [][]byte, err error) {
	for _, name := range files {
		more, err := readBodies(name, stdin, s.lines)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, more...)
	}
	if len(bodies) == 0 {
		return nil, errors.New("nothing to send")
	}
	if err := understood(bodies); err != nil && !s.force {
		return nil, fmt.Errorf("%w\nnothing was sent; --force sends what the handler will keep as dead letters", err)
	}
	return bodies, nil
}

// recordings reads recorded events one by one, file after file, as they are to be sent.
func (s *sending) recordings(files []string, stdin io.Reader) (next func() (hub.Outgoing, time.Time, error), closeAll func()) {
	var reader *record.Reader
	var file *os.File
	closeAll = func() {
		if file != nil {
			_ = file.Close()
		}
	}
	next = func() (o hub.Outgoing, at time.Time, err error) {
		for {
			if reader == nil {
				if len(files) == 0 {
					return o, at, io.EOF
				}
				in := stdin
				if files[0] != "-" {
					closeAll()
					if file, err = os.Open(files[0]); err != nil {
						return o, at, err
					}
					in = file
				}
				if reader, err = record.NewReader(in); err != nil {
					return o, at, fmt.Errorf("%s: %w", files[0], err)
				}
			}
			e, err := reader.Next()
			if errors.Is(err, io.EOF) {
				reader, files = nil, files[1:]
				continue
			}
			if err != nil {
				return o, at, fmt.Errorf("%s: %w", files[0], err)
			}
			return s.outgoing(&e), e.EnqueuedAt, nil
		}
	}
	return next, closeAll
}

// arrived reads all there is and gives it in the order of arrival: a recording holds one partition's events after
// another's, and events of the same instant are due together whatever their partitions.
func arrived(next func() (hub.Outgoing, time.Time, error)) (func() (hub.Outgoing, time.Time, error), error) {
	type event struct {
		o  hub.Outgoing
		at time.Time
	}
	var all []event
	for {
		o, at, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		all = append(all, event{o, at})
	}
	slices.SortStableFunc(all, func(a, b event) int { return a.at.Compare(b.at) })
	return func() (hub.Outgoing, time.Time, error) {
		if len(all) == 0 {
			return hub.Outgoing{}, time.Time{}, io.EOF
		}
		e := all[0]
		all = all[1:]
		return e.o, e.at, nil
	}, nil
}

// outgoing makes an event of a recorded one.
func (s *sending) outgoing(e *record.Event) hub.Outgoing {
	o := hub.Outgoing{Body: e.Body, Key: e.Key, Properties: e.Properties, System: e.System}
	if s.keep {
		o.Key, o.Partition = "", e.Partition
	}
	return o
}

// mostTogether bounds how many events are gathered before they are sent.
const mostTogether = 500

// paced sends events when each is due, those that are due together in one go.
func (s *sending) paced(ctx context.Context, next func() (hub.Outgoing, time.Time, error), send func(context.Context, []hub.Outgoing) (int, error)) (sent int, err error) {
	begun := time.Now()
	var first time.Time
	var gathered []hub.Outgoing
	flush := func() error {
		// Order holds within a partition and a key only: those of one go together, or each would be a batch of its own.
		slices.SortStableFunc(gathered, func(a, b hub.Outgoing) int {
			return cmp.Or(strings.Compare(a.Partition, b.Partition), strings.Compare(a.Key, b.Key))
		})
		n, err := send(ctx, gathered)
		sent += n
		gathered = gathered[:0]
		return err
	}
	for i := 0; ; i++ {
		o, at, err := next()
		if errors.Is(err, io.EOF) {
			return sent, flush()
		}
		if err != nil {
			return sent, errors.Join(flush(), err)
		}
		if i == 0 {
			first = at
		}
		if wait := time.Until(begun.Add(s.due(i, at.Sub(first)))); wait > 0 {
			if err := flush(); err != nil {
				return sent, err
			}
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return sent, ctx.Err()
			}
		}
		if gathered = append(gathered, o); len(gathered) == mostTogether {
			if err := flush(); err != nil {
				return sent, err
			}
		}
	}
}

// due is how long after the beginning the i-th event is sent, which arrived so long after the first.
func (s *sending) due(i int, after time.Duration) time.Duration {
	switch {
	case s.rate > 0:
		return time.Duration(float64(i) / s.rate * float64(time.Second))
	case s.pace > 0:
		return time.Duration(float64(after) / s.pace)
	}
	return 0
}

// understood joins what the decoder would reject.
func understood(bodies [][]byte) error {
	decoder := metric.NewDecoder()
	var errs []error
	for i, body := range bodies {
		_, rejected := decoder.Decode(body, scale.Source{})
		for _, r := range rejected {
			errs = append(errs, fmt.Errorf("event %d, element %d: %s: %s", i+1, r.Element, r.Reason, r.Detail))
		}
	}
	return errors.Join(errs...)
}

// hubOptions reads the hub's settings from the environment.
func hubOptions(h *hall) (hub.Options, error) {
	r := newReader(h.environ)
	o, err := r.hub()
	if err != nil || o.Connection != "" {
		return o, err
	}
	o.Credential, err = newCredential(&Config{OnPlatform: r.env[setIdentity] != "", ClientID: r.env[setClientID]})
	return o, err
}
