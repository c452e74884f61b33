package vmss

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"trimtab/internal/scale"
)

// usageKept is how long what was read of a region's usage serves all pools in it.
const usageKept = 30 * time.Second

// Names of usages that are no family's (facts: VMSS 3.3).
const (
	usageRegion = "cores"
	usageSpot   = "lowPriorityCores"
)

// usages is a region's usage, read once for all who ask at the same time.
type usages struct {
	// turn holds one: who waits for it gives up when its context ends.
	turn   chan struct{}
	readAt time.Time
	// left is how many cores each usage leaves, by its name in small letters.
	left map[string]int
	// names are the usages' names as Azure writes them.
	names map[string]string
}

var sizeForm = regexp.MustCompile(`^Standard_([A-Z]+)([0-9]+)(?:-[0-9]+)?([a-z]*)(?:_(v[0-9]+))?$`)

// coresOf reads the number of cores and the family's usage name out of a size's name: Standard_D4s_v5 has four, of
// standardDSv5Family. ok is false for a name that is of another form.
func coresOf(size string) (cores int, family string, ok bool) {
	m := sizeForm.FindStringSubmatch(size)
	if m == nil {
		return 0, "", false
	}
	cores, err := strconv.Atoi(m[2])
	if err != nil || cores <= 0 {
		return 0, "", false
	}
	return cores, "standard" + m[1] + strings.ToUpper(m[3]) + m[4] + "Family", true
}

// Quota says how many machines more of a set's size its region's quotas leave room for. What the usages do not name, and
// a size that neither the region's list nor its name tells, bind nothing here: Azure's own answer does then. Of an instance
// mix, which takes whatever size has quota, only the totals bind, by the size with the fewest cores. Every error is a
// *scale.FleetError.
func (f *Fleet) Quota(ctx context.Context, scaleSet string, facts scale.Facts) (*scale.Quota, error) {
	t, err := f.target(opQuota, scaleSet)
	if err != nil {
		return nil, err
	}
	names := []string{facts.Size}
	if len(facts.Sizes) > 0 {
		names = facts.Sizes
	}
	if facts.Location == "" || names[0] == "" {
		return &scale.Quota{ReadAt: f.options.Now()}, nil
	}
	// Both at the same time: a growth waits for them.
	var known []size
	var group sync.WaitGroup
	group.Go(func() { known = f.sizesOf(ctx, t, facts.Location, names) })
	u, fe := f.usage(ctx, t, facts.Location)
	group.Wait()
	if len(known) < len(names) {
		return &scale.Quota{ReadAt: f.options.Now()}, nil
	}
	cores, family := known[0].cores, known[0].family
	for _, s := range known[1:] {
		cores, family = min(cores, s.cores), ""
	}
	if fe != nil {
		return nil, fe
	}
	q := &scale.Quota{ReadAt: u.readAt}
	bind := func(into **int, name *string, usage string) {
		key := strings.ToLower(usage)
		left, known := u.left[key]
		if n := max(0, left) / cores; known && (*into == nil || n < **into) {
			*into, *name = &n, u.names[key]
		}
	}
	bind(&q.Regular, &q.RegularName, usageRegion)
	bind(&q.Regular, &q.RegularName, family)
	bind(&q.Spot, &q.SpotName, usageSpot)
	return q, nil
}

// usage reads a region's usage, or takes what was read of it a moment ago.
func (f *Fleet) usage(ctx context.Context, t target, location string) (*usages, *scale.FleetError) {
	key := t.subscription + "/" + strings.ToLower(location)
	f.mu.Lock()
	slot := f.usages[key]
	if slot == nil {
		slot = &usages{turn: make(chan struct{}, 1)}
		f.usages[key] = slot
	}
	f.mu.Unlock()
	select {
	case slot.turn <- struct{}{}:
		defer func() { <-slot.turn }()
	case <-ctx.Done():
		return nil, f.fail(opQuota, t, classRead, ctx.Err())
	}
	now := f.options.Now()
	if !slot.readAt.IsZero() && now.Sub(slot.readAt) < usageKept && !slot.readAt.After(now) {
		return &usages{readAt: slot.readAt, left: slot.left, names: slot.names}, nil
	}
	t.key = "usages/" + key
	ctx, cancel := context.WithTimeout(told(ctx, t, classRead), f.options.ReadTimeout)
	defer cancel()
	left, names := map[string]int{}, map[string]string{}
	pager := t.usageOf.NewListPager(location, nil)
	for pager.More() {
		if fe := f.spend(opQuota, t, classRead); fe != nil {
			return nil, fe
		}
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, f.fail(opQuota, t, classRead, err)
		}
		for _, u := range page.Value {
			if u == nil || u.Name == nil || u.Name.Value == nil || u.Limit == nil || u.CurrentValue == nil {
				continue
			}
			name := strings.ToLower(*u.Name.Value)
			left[name], names[name] = int(min(*u.Limit, 1<<30))-int(*u.CurrentValue), *u.Name.Value
		}
	}
	slot.readAt, slot.left, slot.names = now, left, names
	return &usages{readAt: now, left: left, names: names}, nil
}
