package vmss

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"trimtab/internal/scale"
)

const (
	// rivalsKept is how long what was read of Azure Autoscale settings serves all pools of a subscription: somebody has to
	// make one by hand, and a list of them costs a read at the front door.
	rivalsKept = 15 * time.Minute
	// rivalsPause is how long a failed read of them is not repeated.
	rivalsPause = 5 * time.Minute
)

// rivals are the Azure Autoscale settings of a subscription or of a resource group, read once for all who ask at the same
// time.
type rivals struct {
	// turn holds one: who waits for it gives up when its context ends.
	turn   chan struct{}
	readAt time.Time
	// enabled says of each setting, by the set that it scales in small letters, and then by its ID, whether it is on.
	enabled map[string][]scale.Autoscaler
	// forbidden is true where the list may not be read; failed is why it could not be, until retryAt.
	forbidden bool
	failed    *scale.FleetError
	retryAt   time.Time
}

// Autoscale says which Azure Autoscale settings write the capacity of the scale set: those of its subscription or, where
// those may not be listed, of its resource group. What may not be read at all is told as a problem, not as an error: it
// stops nobody. Every error is a *scale.FleetError, and says nothing about settings.
func (f *Fleet) Autoscale(ctx context.Context, scaleSet string) (*scale.Autoscale, error) {
	t, err := f.target(opLook, scaleSet)
	if err != nil {
		return nil, err
	}
	const settings = "/providers/Microsoft.Insights/autoscaleSettings"
	scope := "/subscriptions/" + url.PathEscape(t.subscription)
	a := &scale.Autoscale{Whole: true}
	r, fe := f.rivalsOf(ctx, t, scope+settings)
	if fe == nil && r.forbidden {
		a.Whole = false
		r, fe = f.rivalsOf(ctx, t, scope+"/resourceGroups/"+url.PathEscape(strings.ToLower(t.group))+settings)
	}
	if fe != nil {
		return nil, fe
	}
	a.ReadAt, a.Settings = r.readAt, r.enabled[t.key]
	if r.forbidden {
		a.Problem = "reading them takes Microsoft.Insights/autoscaleSettings/read"
	}
	return a, nil
}

// rivalsOf reads the settings below a path, or takes what was read there a while ago.
func (f *Fleet) rivalsOf(ctx context.Context, t target, path string) (rivals, *scale.FleetError) {
	f.mu.Lock()
	slot := f.rivals[path]
	if slot == nil {
		slot = &rivals{turn: make(chan struct{}, 1)}
		f.rivals[path] = slot
	}
	f.mu.Unlock()
	select {
	case slot.turn <- struct{}{}:
		defer func() { <-slot.turn }()
	case <-ctx.Done():
		return rivals{}, f.fail(opLook, t, classRead, ctx.Err())
	}
	now := f.options.Now()
	switch {
	case !slot.readAt.IsZero() && now.Sub(slot.readAt) < rivalsKept && !slot.readAt.After(now):
		return *slot, nil
	case slot.failed != nil && now.Before(slot.retryAt):
		return rivals{}, slot.failed
	}
	// Not the set's own calls: these are spent by whoever asks first.
	t.key = "rivals/" + path
	found, fe := f.autoscalers(ctx, t, path)
	switch {
	case fe == nil:
		slot.enabled, slot.forbidden, slot.failed, slot.readAt = found, false, nil, now
	case fe.Status == http.StatusForbidden:
		slot.enabled, slot.forbidden, slot.failed, slot.readAt = nil, true, nil, now
	case ctx.Err() != nil:
		// It was the caller's time that ran out.
		return rivals{}, fe
	default:
		slot.failed, slot.retryAt = fe, now.Add(max(rivalsPause, fe.RetryAfter))
		return rivals{}, fe
	}
	return *slot, nil
}

// autoscalers lists settings, by what they scale.
func (f *Fleet) autoscalers(ctx context.Context, t target, path string) (map[string][]scale.Autoscaler, *scale.FleetError) {
	type setting struct {
		ID         string `json:"id"`
		Properties struct {
			Enabled bool   `json:"enabled"`
			Target  string `json:"targetResourceUri"`
		} `json:"properties"`
	}
	found, fe := listed[setting](ctx, f, t, path, autoscaleVersion)
	if fe != nil {
		return nil, fe
	}
	by := map[string][]scale.Autoscaler{}
	for _, s := range found {
		target := strings.ToLower(strings.TrimRight(s.Properties.Target, "/"))
		by[target] = append(by[target], scale.Autoscaler{ID: s.ID, Enabled: s.Properties.Enabled})
	}
	return by, nil
}
