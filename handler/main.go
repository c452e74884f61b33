// Package main is the hall between the Functions host and the rooms: it alone reads the environment and the clock, opens
// the doors and decides what becomes of an error.
//
// The invariant of the hall: nothing but a real shutdown ends it with exit code 0, because the host neither restarts a
// handler that left with 0 nor stops moving the checkpoint past events that nobody took (facts: functions-host 1.4).
// Log lines go to stdout; stderr is for a start that cannot be, since the host reports each line there as an error
// (facts: functions-host 1.6).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes of the program.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Environ())
	stop()
	os.Exit(code)
}

// hall is what every command is given of the world outside: where it may write, and the environment.
type hall struct {
	stdout  io.Writer
	stderr  io.Writer
	environ []string
}

// commands make the subcommands, one file each.
var commands = []func(*hall) *cobra.Command{
	serveCommand,
	decodeCommand,
	explainCommand,
	replayCommand,
	evalCommand,
	checkCommand,
	importCommand,
	reportCommand,
	journalCommand,
	consumeCommand,
	recordCommand,
	sendCommand,
	freezeCommand,
	pauseCommand,
	pinCommand,
	releaseCommand,
	doctorCommand,
	versionCommand,
}

// run is the program without its process: args are those after the program's name, environ has the form of os.Environ,
// and the end of ctx is the order to shut down. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, environ []string) int {
	h := &hall{stdout: stdout, stderr: stderr, environ: environ}
	started := false
	root := &cobra.Command{
		Use:           "trimtab",
		Short:         "An autoscaler policy engine for Azure VM scale sets",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		// Whatever fails before a command starts is a fault in how it was called.
		PersistentPreRun: func(*cobra.Command, []string) { started = true },
		RunE: func(cmd *cobra.Command, _ []string) error {
			started = false
			return errors.New("a command is needed; trimtab --help lists them")
		},
	}
	for _, command := range commands {
		root.AddCommand(command(h))
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(stderr, "trimtab: %v\n", err)
	var coded codedError
	switch {
	case !started:
		return exitUsage
	case errors.As(err, &coded):
		return coded.code
	}
	return exitFailed
}
