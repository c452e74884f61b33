package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// order is what the order commands have in common.
type order struct {
	hall   *hall
	all    bool
	reason string
	length time.Duration
}

func (o *order) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.all, "all", false, "every pool of the policies, instead of naming one")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, for the journal and for whoever comes next")
	cmd.Flags().DurationVar(&o.length, "for", 0, "how long it lasts; until it is released unless given")
}

// give carries an order out on the pools meant and says what now holds for each.
func (o *order) give(ctx context.Context, pools []string, change func(*scale.Orders, *scale.Order)) error {
	config, err := deskConfig(o.hall)
	if err != nil {
		return err
	}
	bundle, err := loadPolicies(ctx, config)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	var every []string
	for _, p := range bundle.Pools {
		known[p.Name], every = true, append(every, p.Name)
	}
	switch {
	case o.all && len(pools) > 0:
		return errors.New("either name a pool or give --all, not both")
	case o.all:
		pools = every
	case len(pools) == 0:
		return errors.New("name a pool, or give --all for every pool")
	}
	for _, p := range pools {
		if !known[p] {
			return fmt.Errorf("there is no pool %q in these policies; the pools are %v", p, every)
		}
	}
	l, err := openAtDesk(config)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	if err := l.Ensure(ctx); err != nil {
		return err
	}
	now := config.Clock.Now().UTC().Round(0)
	given := &scale.Order{At: now, Reason: o.reason}
	if o.length > 0 {
		given.Until = now.Add(o.length)
	}
	writer := writerName()
	var errs []error
	for _, p := range pools {
		orders, err := engine.Reorder(ctx, l, p, writer, func(orders *scale.Orders) { change(orders, given) })
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(o.hall.stdout, "%s: %s\n", p, ordersText(orders, now))
	}
	return errors.Join(errs...)
}

// ordersText says which orders hold.
func ordersText(o scale.Orders, now time.Time) string {
	text := ""
	add := func(name string, order *scale.Order) {
		if !order.Holds(now) {
			return
		}
		if text != "" {
			text += ", "
		}
		text += name
		if !order.Until.IsZero() {
			text += " until " + order.Until.Format(time.RFC3339)
		}
	}
	add("frozen", o.Freeze)
	add("growth paused", o.PauseGrow)
	add("shrinking paused", o.PauseShrink)
	if o.Pin != nil {
		add(fmt.Sprintf("pinned to %d", o.Pin.Instances), o.Pin)
	}
	if text == "" {
		return "no orders"
	}
	return text
}

func freezeCommand(h *hall) *cobra.Command {
	o := &order{hall: h}
	cmd := &cobra.Command{
		Use: "freeze [POOL]", Short: "Stop every change of a pool from the next decision on", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.give(cmd.Context(), args, func(orders *scale.Orders, given *scale.Order) { orders.Freeze = given })
		},
	}
	o.flags(cmd)
	return cmd
}

func pauseCommand(h *hall) *cobra.Command {
	o := &order{hall: h}
	var direction string
	cmd := &cobra.Command{
		Use: "pause [POOL] --direction grow|shrink", Short: "Stop one direction of a pool", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if direction != string(scale.Grow) && direction != string(scale.Shrink) {
				return fmt.Errorf("--direction %q: right would be grow or shrink; to stop both, freeze", direction)
			}
			return o.give(cmd.Context(), args, func(orders *scale.Orders, given *scale.Order) {
				if direction == string(scale.Grow) {
					orders.PauseGrow = given
				} else {
					orders.PauseShrink = given
				}
			})
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&direction, "direction", "", "grow or shrink")
	return cmd
}

func pinCommand(h *hall) *cobra.Command {
	o := &order{hall: h}
	cmd := &cobra.Command{
		Use: "pin POOL COUNT", Short: "Hold a pool at an exact count, within its limits", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil || n < 0 {
				return fmt.Errorf("count %q: right would be a whole number", args[1])
			}
			return o.give(cmd.Context(), args[:1], func(orders *scale.Orders, given *scale.Order) {
				pin := *given
				pin.Instances = n
				orders.Pin = &pin
			})
		},
	}
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, for the journal and for whoever comes next")
	cmd.Flags().DurationVar(&o.length, "for", 0, "how long it lasts; until it is released unless given")
	return cmd
}

func releaseCommand(h *hall) *cobra.Command {
	o := &order{hall: h}
	cmd := &cobra.Command{
		Use: "release [POOL]", Short: "Take back every order for a pool", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.give(cmd.Context(), args, func(orders *scale.Orders, _ *scale.Order) { *orders = scale.Orders{} })
		},
	}
	cmd.Flags().BoolVar(&o.all, "all", false, "every pool of the policies, instead of naming one")
	return cmd
}
