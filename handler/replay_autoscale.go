package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"trimtab/internal/autoscale"
	"trimtab/internal/replay"
	"trimtab/internal/scale"
	"trimtab/policies"
)

// autoscaleBaseline makes a baseline of Azure autoscale settings, FILE or NAME=FILE: what of the setting is not kept is in
// the baseline's notes. It is imported as a pool of the candidate's kind, since both live in one world.
func autoscaleBaseline(ctx context.Context, text string, candidate *scale.Pool) (replay.Policy, error) {
	name, path, named := strings.Cut(text, "=")
	if !named {
		name, path = "", text
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return replay.Policy{}, fmt.Errorf("--autoscale: right would be a file of autoscale settings: %w", err)
	}
	pools, err := autoscale.Import(data, autoscale.Options{Orchestration: string(candidate.Orchestration)})
	if err != nil {
		return replay.Policy{}, fmt.Errorf("--autoscale %s: %w", path, err)
	}
	bundle, err := compileImported(ctx, policies.FS, false, pools)
	if err != nil {
		return replay.Policy{}, fmt.Errorf("--autoscale %s: its pools do not load:\n%w", path, err)
	}
	chosen := -1
	var settings []string
	for i := range pools {
		settings = append(settings, pools[i].Setting)
		p, err := poolNamed(bundle, pools[i].Name)
		if err != nil {
			return replay.Policy{}, err
		}
		if len(pools) == 1 || strings.EqualFold(p.ScaleSet, candidate.ScaleSet) {
			chosen = i
		}
	}
	if chosen < 0 {
		return replay.Policy{}, fmt.Errorf("--autoscale %s: it has the settings %s, and none of them scales %s, as pool %s does; "+
			"right would be a file with one setting", path, strings.Join(settings, ", "), candidate.ScaleSet, candidate.Name)
	}
	from := &pools[chosen]
	pool, err := poolNamed(bundle, from.Name)
	if err != nil {
		return replay.Policy{}, err
	}
	p := replay.Policy{
		Name: name, Kind: replay.Baseline, Pool: *pool, Policy: bundle,
		About: fmt.Sprintf("Azure autoscale with setting %s of %s, as trimtab import turns it into a policy, within its own limits of %d to %d; "+
			"all of its instances are regular.", from.Setting, filepath.Base(path), pool.Rails.Limits.Min, pool.Rails.Limits.Max),
	}
	if p.Name == "" {
		p.Name = "autoscale " + from.Setting
	}
	for _, n := range from.Notes {
		p.Notes = append(p.Notes, fmt.Sprintf("%s: %s: %s", n.Level, n.Path, n.Text))
	}
	if !strings.EqualFold(pool.ScaleSet, candidate.ScaleSet) {
		p.Notes = append(p.Notes, fmt.Sprintf("told: targetResourceUri: the setting scales %s, and pool %s another scale set; here both have the same load",
			pool.ScaleSet, candidate.Name))
	}
	return p, nil
}
