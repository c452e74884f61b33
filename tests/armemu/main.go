// Command armemu serves the ARM emulator to whole binaries: Resource Manager over TLS, a managed-identity endpoint and a
// control port, all on loopback. It writes ca.pem and endpoints.json into a folder, says so in one line, and runs until
// it is told to end. It never listens anywhere else and never writes a key or a token to disk but the identity header.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"trimtab/tests/armemu/arm"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "armemu:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	if len(args) > 0 && args[0] == "replay" {
		return replay(ctx, args[1:], stdout, stderr)
	}
	flags := flag.NewFlagSet("armemu", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("dir", "", "folder for ca.pem and endpoints.json (required)")
	config := flags.String("config", "", "JSON file with scale sets and timings; none: an empty platform")
	clock := flags.String("clock", "", "emulated time as SCALE,ORIGIN_RFC3339,WALL_UNIX_MS; none: the wall clock")
	listen := flags.String("listen", "127.0.0.1", "loopback address to listen on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" || flags.NArg() > 0 {
		return errors.New("usage: armemu -dir DIR [-config FILE] [-clock SCALE,ORIGIN,WALL] [-listen ADDRESS]")
	}
	var cfg arm.Config
	if *config != "" {
		data, err := os.ReadFile(*config)
		if err != nil {
			return fmt.Errorf("read the configuration: %w", err)
		}
		if cfg, err = arm.ParseConfig(data); err != nil {
			return fmt.Errorf("%s: %w", *config, err)
		}
	}
	options := arm.Options{Host: *listen}
	if *clock != "" {
		if options.Now, err = arm.ParseClock(*clock, time.Now); err != nil {
			return err
		}
	}
	server, err := arm.Start(cfg, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	endpoints, err := json.MarshalIndent(server.Endpoints(), "", "  ")
	if err != nil {
		return fmt.Errorf("encode the endpoints: %w", err)
	}
	// endpoints.json comes last: whoever sees it finds the authority there too.
	for _, f := range []struct {
		name string
		data []byte
	}{{"ca.pem", server.CA()}, {"endpoints.json", append(endpoints, '\n')}} {
		if err := writeWhole(filepath.Join(*dir, f.name), f.data); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(stdout, "armemu: ready arm=%s control=%s dir=%s\n", server.Endpoints().ARM, server.Endpoints().Control, *dir); err != nil {
		return fmt.Errorf("say that it is ready: %w", err)
	}
	<-ctx.Done()
	return nil
}

// writeWhole writes a file so that a reader sees all of it or none.
func writeWhole(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}
