package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"trimtab/internal/hub"
	"trimtab/internal/record"
)

// recording is what the record command was asked for.
type recording struct {
	out, group, from, to string
	partitions           []string
	most                 int
	follow               bool
	length               time.Duration
}

// recordCommand writes what a hub holds to a file.
func recordCommand(h *hall) *cobra.Command {
	var r recording
	cmd := &cobra.Command{
		Use:   "record --out FILE",
		Short: "Write what the event hub holds to a file that send and replay read",
		Long: `record writes events of the hub that ` + setHubString + ` or ` + setHubNamespace + ` and ` + setHubName + ` name to a file, one JSON
object a line, compressed where the file's name ends in .gz; "-" is standard output. It reads what the hub holds at that
moment, all of it or a part, and with --follow what comes.

It claims no partition and moves no checkpoint. A consumer group whose partitions have owners lets nobody else in, so the
group must be one of its own: neither the trigger's nor that of consume.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context(), h, time.Now()) },
	}
	cmd.Flags().StringVar(&r.out, "out", "", "file to write, .gz for a compressed one, - for standard output")
	cmd.Flags().StringVar(&r.group, "group", "$Default", "consumer group to read in")
	cmd.Flags().StringVar(&r.from, "from", "", "instant of arrival to begin at, in RFC 3339, or how long ago, such as 2h; the oldest event unless given")
	cmd.Flags().StringVar(&r.to, "to", "", "instant of arrival to end before, likewise")
	cmd.Flags().StringSliceVar(&r.partitions, "partition", nil, "partitions to read, all unless given")
	cmd.Flags().IntVar(&r.most, "count", 0, "events to read at most; no bound unless given")
	cmd.Flags().BoolVar(&r.follow, "follow", false, "go on with what comes, until --to, --for, --count or Ctrl+C")
	cmd.Flags().DurationVar(&r.length, "for", 0, "how long to go on")
	return cmd
}

func (r *recording) run(ctx context.Context, h *hall, now time.Time) (err error) {
	if r.out == "" {
		return errors.New("--out names no file; right would be one such as events.jsonl.gz, or -")
	}
	options, err := hubOptions(h)
	if err != nil {
		return err
	}
	s := hub.Stretch{Hub: options, Group: r.group, Partitions: r.partitions, Most: r.most, Follow: r.follow || r.length > 0, Now: time.Now}
	if s.From, err = instant("--from", r.from, now); err != nil {
		return err
	}
	if s.To, err = instant("--to", r.to, now); err != nil {
		return err
	}
	if r.most < 0 || (!s.To.IsZero() && !s.From.Before(s.To)) {
		return errors.New("--count is below 0, or --from is not before --to")
	}
	if r.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.length)
		defer cancel()
	}
	n, err := r.write(ctx, h, s)
	if err != nil {
		return fmt.Errorf("%d events written: %w", n, err)
	}
	fmt.Fprintf(h.stderr, "%d events written to %s\n", n, r.out)
	return nil
}

// write reads the stretch into the file. What was read before an error stays there, whole lines of it; until there is
// something to write, the file keeps what it held.
func (r *recording) write(ctx context.Context, h *hall, s hub.Stretch) (n int, err error) {
	var out io.Writer = h.stdout
	if r.out != "-" {
		file, failure := os.OpenFile(r.out, os.O_CREATE|os.O_WRONLY, 0o600)
		if failure != nil {
			return 0, failure
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = &replacing{file: file}
	}
	w := record.NewWriter(out, strings.HasSuffix(r.out, ".gz"))
	defer func() {
		if n == 0 && err != nil {
			return
		}
		// Nothing at all is a recording too, and takes the place of the one before.
		_, failure := out.Write(nil)
		err = errors.Join(err, failure, w.Close())
	}()
	name := strings.ToLower(s.Hub.Name())
	s.Each = func(e hub.Event) error {
		return w.Write(&record.Event{
			Hub: name, Partition: e.Partition, Sequence: e.Sequence, Offset: e.Offset, EnqueuedAt: e.EnqueuedAt, Key: e.Key,
			Properties: e.Properties, System: e.System, Body: e.Body,
		})
	}
	return hub.Read(ctx, s)
}

// replacing writes to a file in the place of what it held, which stays until the first write: a hub that cannot be reached
// costs nobody an earlier recording.
type replacing struct {
	file  *os.File
	begun bool
}

func (r *replacing) Write(b []byte) (int, error) {
	if !r.begun {
		r.begun = true
		// Pipes and devices hold nothing, and cannot be cut.
		if info, err := r.file.Stat(); err == nil && info.Mode().IsRegular() {
			if err := r.file.Truncate(0); err != nil {
				return 0, err
			}
		}
	}
	return r.file.Write(b)
}

// instant reads an instant, or how long ago one was; zero where the text is empty.
func instant(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%s %s: is neither an instant nor a duration; right would be 2026-05-04T09:00:00Z, or 2h", flag, text)
	}
	return at, nil
}
