package policy_test

import "trimtab/internal/scale"

// memoryDocument is the plain conversion of what the input says about evictions, health and rivals.
func memoryDocument(v *scale.View) map[string]any {
	count := func(n *int) any {
		if n == nil {
			return nil
		}
		return *n
	}
	evictions, health, rivals := []any{}, []any{}, []any{}
	for _, e := range v.Memory.Evictions {
		evictions = append(evictions, map[string]any{
			"age_seconds": int(v.Now.Sub(e.At).Seconds()), "instances": e.Instances, "zone": e.Zone,
		})
	}
	for _, a := range v.Memory.Health {
		health = append(health, map[string]any{
			"age_seconds": int(v.Now.Sub(a.At).Seconds()), "machine": a.Machine, "state": a.State,
		})
	}
	for _, r := range v.Memory.Rivals {
		rivals = append(rivals, map[string]any{
			"age_seconds": int(v.Now.Sub(r.At).Seconds()), "by": r.By, "action": r.Action, "from": count(r.From), "to": count(r.To),
		})
	}
	return map[string]any{"evictions": evictions, "health": health, "rivals": rivals}
}
