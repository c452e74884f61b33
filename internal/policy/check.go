package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/spell"
)

func rulesNamed(m *ast.Module, name ast.Var) (rules []*ast.Rule) {
	for _, r := range m.Rules {
		if r.Head.Name == name {
			rules = append(rules, r)
		}
	}
	return rules
}

// checkPolicies checks that the entry point is there and that each pool has a policy that gives want.
func checkPolicies(pools []definition, m modules, ps *problems) {
	entry := m.byFile[entryFile]
	if (entry == nil || len(rulesNamed(entry, "proposal")) == 0) && !m.lost.mayHold(packageOf(entryFile), "proposal") {
		ps.add(entryFile, 1, "the entry point is missing: package main with a rule proposal")
	}
	gives := map[string]bool{}
	for file, module := range m.byFile {
		name := policyName(module)
		if name == "" {
			continue
		}
		for _, k := range ruleSets {
			for _, r := range rulesNamed(module, ast.Var(k.rule)) {
				if r.Head.Key == nil || r.Head.Value != nil {
					ps.add(file, r.Location.Row, "%s is a set of %ss: write %s contains …", k.rule, k.noun, k.rule)
				}
			}
		}
		gives[name] = gives[name] || len(rulesNamed(module, "want")) > 0
		for _, r := range rulesNamed(module, unheard) {
			ps.add(file, r.Location.Row, "%s is a name of the engine's own", unheard)
		}
	}
	for _, p := range pools {
		checkCandidate(p, gives, m.lost, ps)
		// Which policy was meant is not known, or whether it gives want: only that would be a problem of its own.
		if p.misspelt("policy") || p.policyAt.kind != object && (p.policyAt.kind != text || p.Policy == "") ||
			m.lost.mayHold("pools."+p.Policy, "want") {
			continue
		}
		if has, known := gives[p.Policy]; !known {
			ps.add(p.policyAt.file, p.policyAt.line, "pool %s: there is no package pools.%s; %s",
				p.Name, p.Policy, spell.Meant(p.Policy, slices.Collect(maps.Keys(gives))))
		} else if !has {
			ps.add(p.policyAt.file, p.policyAt.line, "pool %s: package pools.%s has no rule want", p.Name, p.Policy)
		}
	}
}

// checkCandidate checks that a pool's candidate is another policy that gives want.
func checkCandidate(p definition, gives map[string]bool, lost lost, ps *problems) {
	at := p.body.fields["candidate"]
	switch c := p.Candidate; {
	case c == nil || c.Policy == "" || lost.mayHold("pools."+c.Policy, "want"):
	case c.Policy == p.Policy:
		ps.add(at.file, at.line, "pool %s: the candidate %s decides already", p.Name, c.Policy)
	case !gives[c.Policy]:
		ps.add(at.file, at.line, "pool %s: there is no package pools.%s with a rule want to try; %s",
			p.Name, c.Policy, spell.Meant(c.Policy, slices.Collect(maps.Keys(gives))))
	}
}

const entryFile = "main/main.rego"

// named are the library's functions whose first argument names a signal or a schedule of the pool.
var named = map[string]string{
	"data.lib.scale.at_most_group":   "groups",
	"data.lib.scale.backlog":         "signals",
	"data.lib.scale.forecast":        "signals",
	"data.lib.scale.no_flap":         "signals",
	"data.lib.scale.step":            "signals",
	"data.lib.scale.trend":           "signals",
	"data.lib.scale.track":           "signals",
	"data.lib.scale.track_total":     "signals",
	"data.lib.schedule.active":       "schedules",
	"data.lib.schedule.at_least":     "schedules",
	"data.lib.schedule.at_most":      "schedules",
	"data.lib.schedule.pause":        "schedules",
	"data.lib.schedule.pause_grow":   "schedules",
	"data.lib.schedule.pause_shrink": "schedules",
}

// checkReads checks, in policies whose references are resolved, that each setting, signal, schedule and label that one
// names is in the definition of every pool that it decides for, that functions take the options that they are given, and
// that none reads the definitions of pools around the input.
func checkReads(resolved map[string]*ast.Module, pools []definition, ps *problems) {
	functions, options := declared(resolved), newChecker(resolved, ps)
	for file, m := range resolved {
		var decided []definition
		for _, p := range pools {
			name := policyName(m)
			tried := p.Candidate != nil && name == p.Candidate.Policy
			if name != "" && (name == p.Policy && !p.misspelt("policy") || tried) {
				decided = append(decided, p)
			}
		}
		check := func(at *ast.Location, call []*ast.Term, in *ast.Rule) {
			for _, p := range decided {
				checkCall(p, file, at, call, ps)
			}
			if t, ok := functions[call[0].String()]; ok && len(call) > 1 {
				options.checkOptions(t, call, in, decided, file)
			}
		}
		for _, rule := range m.Rules {
			ast.WalkTerms(rule, func(t *ast.Term) bool {
				switch v := t.Value.(type) {
				case ast.Ref:
					if file != entryFile && readsPools(v, m) {
						ps.add(file, rowOf(t.Location), "%s: a policy reads its pool from input, not from data.pools", v)
					}
					for _, p := range decided {
						checkRef(p, file, t.Location, v, ps)
					}
				case ast.Call:
					check(t.Location, v, rule)
				}
				return false
			})
			ast.WalkExprs(rule, func(e *ast.Expr) bool {
				if e.IsCall() {
					check(e.Location, e.Terms.([]*ast.Term), rule)
				}
				return false
			})
		}
	}
}

func rowOf(at *ast.Location) int {
	if at == nil {
		return 1
	}
	return at.Row
}

// readsPools reports whether a reference goes below data.pools, or may, other than to the module's own package.
func readsPools(r ast.Ref, m *ast.Module) bool {
	if len(r) == 0 || !r[0].Equal(ast.DefaultRootDocument) || r.HasPrefix(m.Package.Path) || r.Equal(m.Package.Path) {
		return false
	}
	if len(r) == 1 {
		return true
	}
	second, ground := r[1].Value.(ast.String)
	if !ground {
		return true
	}
	return second == "pools"
}

func checkRef(p definition, file string, at *ast.Location, r ast.Ref, ps *problems) {
	if len(r) < 3 || !r[0].Equal(ast.InputRootDocument) {
		return
	}
	part, _ := r[1].Value.(ast.String)
	name, ground := r[2].Value.(ast.String)
	if part == "pool" && name == "labels" && len(r) > 3 {
		part = "labels"
		name, ground = r[3].Value.(ast.String)
	}
	if ground {
		p.mustHave(string(part), string(name), file, at, ps)
	}
}

func checkCall(p definition, file string, at *ast.Location, call []*ast.Term, ps *problems) {
	part, ok := named[call[0].String()]
	if !ok || len(call) < 2 {
		return
	}
	if name, ground := call[1].Value.(ast.String); ground {
		p.mustHave(part, string(name), file, at, ps)
	}
}

// mustHave is a problem if the definition does not have a name that its policy reads.
func (p definition) mustHave(part, name, file string, at *ast.Location, ps *problems) {
	if !slices.Contains([]string{"settings", "labels", "signals", "schedules", "groups"}, part) || p.misspelt(part) {
		return
	}
	var names []string
	if given := p.body.fields[part]; given != nil {
		if given.kind != object {
			return // that is the problem
		}
		names = given.keys
	}
	if !slices.Contains(names, name) {
		ps.add(file, rowOf(at), "pool %s (%s:%d) has no %s %q; %s",
			p.Name, p.at.file, p.at.line, strings.TrimSuffix(part, "s"), name, spell.Meant(name, names))
	}
}

func (p definition) misspelt(field string) bool { return isMisspelt(p.body, field, poolFields) }
