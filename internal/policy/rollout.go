package policy

import (
	"cmp"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"trimtab/internal/scale"
)

// stages are how far a candidate may have come: to no pool, to one, to a tenth of those that name it, to all.
var stages = []string{"none", "one", "tenth", "all"}

// rollOut reads data.rollouts, by candidates, and marks the pools in which they decide. Which pools come first is a
// function of their names, so that each stage holds the pools of the one before.
func rollOut(pools []definition, data *node, ps *problems) {
	all := data.fields["rollouts"]
	if all == nil {
		return
	}
	d := definitions{ps: ps}
	o, ok := d.object(all, "data.rollouts")
	if !ok {
		return
	}
	for _, candidate := range slices.Sorted(maps.Keys(all.fields)) {
		r, ok := o.sub(candidate, "stage", "label", "attempt")
		if !ok {
			continue
		}
		label := r.text("label", "")
		key, value, hasValue := strings.Cut(label, "=")
		if label != "" && !hasValue {
			r.wrong("label", "%q is not a label and its value, such as tier=web", label)
		}
		attempt := r.whole("attempt", 0, 1_000_000, 0)
		stage := r.choice("stage", required, stages...)
		var named []*scale.Pool
		for i := range pools {
			p := &pools[i].Pool
			if p.Candidate != nil && p.Candidate.Policy == candidate && (label == "" || p.Labels[key] == value && p.Labels != nil) {
				named = append(named, p)
			}
		}
		if len(named) == 0 {
			ps.add(r.at.file, r.at.line, "%s: no pool with %s names %s as its candidate", r.path, orElse(label, "any label"), candidate)
		}
		slices.SortFunc(named, func(a, b *scale.Pool) int {
			return cmp.Or(cmp.Compare(draw(candidate, a.Name), draw(candidate, b.Name)), cmp.Compare(a.Name, b.Name))
		})
		for i, p := range named {
			p.Candidate.Attempt = attempt
			p.Candidate.Decides = i < reach(stage, len(named))
		}
	}
}

// reach is how many of n pools a stage holds.
func reach(stage string, n int) int {
	switch stage {
	case "one":
		return 1
	case "tenth":
		return (n + 9) / 10
	case "all":
		return n
	}
	return 0
}

// draw is a pool's place in line.
func draw(candidate, pool string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(candidate + "\x00" + pool))
	return h.Sum64()
}
