package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"trimtab/tests/armemu/golden"
)

// replay is "armemu replay": it replays a transcript against a server that is up, Azure's own or an emulator's, and writes
// what differs into a file. Differences are a failure.
func replay(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("armemu replay", flag.ContinueOnError)
	flags.SetOutput(stderr)
	endpoint := flags.String("endpoint", "https://management.azure.com", "base URL of Resource Manager")
	token := flags.String("token-file", "", "file that holds a bearer token (required)")
	out := flags.String("out", "differences.json", "file for what differs")
	pause := flags.Duration("pause", 5*time.Second, "time between two questions about an operation")
	vars := map[string]string{}
	flags.Func("var", "a variable of the transcript, NAME=VALUE; repeat it for each", func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("want NAME=VALUE")
		}
		vars[name] = value
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *token == "" || flags.NArg() != 1 {
		return errors.New("usage: armemu replay -token-file FILE [-endpoint URL] [-var NAME=VALUE] [-out FILE] TRANSCRIPT")
	}
	secret, err := os.ReadFile(*token)
	if err != nil {
		return fmt.Errorf("read the token: %w", err)
	}
	text, err := os.Open(flags.Arg(0))
	if err != nil {
		return fmt.Errorf("read the transcript: %w", err)
	}
	defer func() { _ = text.Close() }()
	steps, err := golden.Parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", flags.Arg(0), err)
	}
	found, err := golden.Replay(ctx, golden.Server{
		Endpoint: strings.TrimRight(*endpoint, "/"), Token: strings.TrimSpace(string(secret)), Client: http.DefaultClient, Pause: *pause, Most: 360,
	}, steps, vars)
	if found == nil {
		found = []golden.Difference{}
	}
	data, encodeErr := json.MarshalIndent(found, "", "  ")
	if encodeErr == nil {
		encodeErr = writeWhole(*out, append(data, '\n'))
	}
	if err = errors.Join(err, encodeErr); err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("%d differences in %d calls, written to %s", len(found), len(steps), *out)
	}
	_, err = fmt.Fprintf(stdout, "armemu: replayed %d calls without a difference\n", len(steps))
	return err
}
