package vmss

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"trimtab/internal/scale"
)

const (
	// sizesKept is how long what was read of a region's sizes holds: a size's cores do not change.
	sizesKept = 24 * time.Hour
	// sizesPause is how long a list that could not be read is not asked for again: names do meanwhile.
	sizesPause = time.Hour
)

// size is what counts against quotas of one machine.
type size struct {
	cores  int
	family string
}

// sizes are those of a region, read once for all who ask at the same time.
type sizes struct {
	// turn holds one: who waits for it gives up when its context ends.
	turn    chan struct{}
	readAt  time.Time
	retryAt time.Time
	// of has the sizes by their names in small letters.
	of map[string]size
}

// sizesOf says of each named size what counts against quotas: by the list of the region's sizes or, for what that does not
// name or where it may not be read (facts: VMSS 6, Microsoft.Compute/skus/read), by the size's name. A size of which
// neither tells is left out.
func (f *Fleet) sizesOf(ctx context.Context, t target, location string, names []string) (all []size) {
	known := f.sizes(ctx, t, location)
	for _, name := range names {
		if s, listed := known[strings.ToLower(name)]; listed {
			all = append(all, s)
		} else if cores, family, ok := coresOf(name); ok {
			all = append(all, size{cores, family})
		}
	}
	return all
}

// sizes reads a region's sizes, or takes what was read of them; nil where nothing is known.
func (f *Fleet) sizes(ctx context.Context, t target, location string) map[string]size {
	key := t.subscription + "/" + strings.ToLower(location)
	f.mu.Lock()
	slot := f.sizeLists[key]
	if slot == nil {
		slot = &sizes{turn: make(chan struct{}, 1)}
		f.sizeLists[key] = slot
	}
	f.mu.Unlock()
	select {
	case slot.turn <- struct{}{}:
		defer func() { <-slot.turn }()
	case <-ctx.Done():
		return nil
	}
	now := f.options.Now()
	if young := !slot.readAt.IsZero() && now.Sub(slot.readAt) < sizesKept && !slot.readAt.After(now); young || now.Before(slot.retryAt) {
		return slot.of
	}
	t.key = "sizes/" + key
	read, fe := f.listSizes(ctx, t, location)
	switch {
	case fe == nil:
		slot.of, slot.readAt = read, now
	case ctx.Err() == nil:
		slot.retryAt = now.Add(max(sizesPause, fe.RetryAfter))
	}
	return slot.of
}

func (f *Fleet) listSizes(ctx context.Context, t target, location string) (map[string]size, *scale.FleetError) {
	ctx, cancel := context.WithTimeout(told(ctx, t, classRead), f.options.ReadTimeout)
	defer cancel()
	filter := "location eq '" + strings.ReplaceAll(location, "'", "''") + "'"
	of := map[string]size{}
	for pager := t.skus.NewListPager(&armcompute.ResourceSKUsClientListOptions{Filter: &filter}); pager.More(); {
		if fe := f.spend(opQuota, t, classRead); fe != nil {
			return nil, fe
		}
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, f.fail(opQuota, t, classRead, err)
		}
		for _, v := range page.Value {
			if v == nil || v.Name == nil || v.Family == nil || v.ResourceType == nil || !strings.EqualFold(*v.ResourceType, "virtualMachines") {
				continue
			}
			if cores := vcpus(v.Capabilities); cores > 0 {
				of[strings.ToLower(*v.Name)] = size{cores, *v.Family}
			}
		}
	}
	return of, nil
}

// vcpus is the number of cores among a size's capabilities, 0 where they do not say.
func vcpus(capabilities []*armcompute.ResourceSKUCapabilities) int {
	for _, c := range capabilities {
		if c == nil || c.Name == nil || c.Value == nil || !strings.EqualFold(*c.Name, "vCPUs") {
			continue
		}
		if n, err := strconv.Atoi(*c.Value); err == nil {
			return n
		}
	}
	return 0
}
