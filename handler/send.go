package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"trimtab/internal/hub"
	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// The settings by which the Functions host reaches the hub; send uses the same.
const (
	setHubString    = "MetricsHub"
	setHubNamespace = "MetricsHub__fullyQualifiedNamespace"
	setHubName      = "METRICS_HUB"
)

// sendCommand puts samples into the hub that the handler reads.
func sendCommand(h *hall) *cobra.Command {
	var lines, force bool
	cmd := &cobra.Command{
		Use:   "send [FILE...|-]",
		Short: "Send bodies to the event hub that the handler reads",
		Long: `send puts bodies into the hub that ` + setHubString + ` (a connection string) or ` + setHubNamespace + ` and
` + setHubName + ` name: the settings by which the Functions host reads it. Each file is one event; with --lines each line is.

A body that the handler would not understand is refused before anything is sent, with the reason that decode gives.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"-"}
			}
			var bodies [][]byte
			for _, name := range args {
				more, err := readBodies(name, cmd.InOrStdin(), lines)
				if err != nil {
					return err
				}
				bodies = append(bodies, more...)
			}
			if len(bodies) == 0 {
				return errors.New("nothing to send")
			}
			if err := understood(bodies); err != nil && !force {
				return fmt.Errorf("%w\nnothing was sent; --force sends what the handler will keep as dead letters", err)
			}
			options, err := hubOptions(h)
			if err != nil {
				return err
			}
			sender, err := hub.NewSender(options)
			if err != nil {
				return err
			}
			defer func() { _ = sender.Close(cmd.Context()) }()
			events := make([]hub.Outgoing, len(bodies))
			for i, body := range bodies {
				events[i] = hub.Outgoing{Body: body, ContentType: "application/json"}
			}
			sent, err := sender.Send(cmd.Context(), events)
			if err != nil {
				return fmt.Errorf("%d of %d events sent: %w", sent, len(bodies), err)
			}
			fmt.Fprintf(h.stdout, "%d events sent\n", sent)
			return nil
		},
	}
	cmd.Flags().BoolVar(&lines, "lines", false, "each line is an event of its own")
	cmd.Flags().BoolVar(&force, "force", false, "send what the handler would not understand, too")
	return cmd
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
