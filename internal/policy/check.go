package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
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
	if m.whole && (m.byFile[entryFile] == nil || len(rulesNamed(m.byFile[entryFile], "proposal")) == 0) {
		ps.add(entryFile, 1, "the entry point is missing: package main with a rule proposal")
	}
	wants := map[string]bool{}
	for file, module := range m.byFile {
		name := policyName(module)
		if name == "" {
			continue
		}
		rules := rulesNamed(module, "want")
		for _, r := range rules {
			if r.Head.Key == nil || r.Head.Value != nil {
				ps.add(file, r.Location.Row, "want is a set of reasons: write want contains …")
			}
		}
		wants[name] = wants[name] || len(rules) > 0
		for _, r := range rulesNamed(module, unheard) {
			ps.add(file, r.Location.Row, "%s is a name of the engine's own", unheard)
		}
	}
	if !m.whole {
		return
	}
	for _, p := range pools {
		if has, known := wants[p.Policy]; !known {
			ps.add(p.policyAt.file, p.policyAt.line, "pool %s: there is no package pools.%s; %s",
				p.Name, p.Policy, meant(p.Policy, slices.Collect(maps.Keys(wants))))
		} else if !has {
			ps.add(p.policyAt.file, p.policyAt.line, "pool %s: package pools.%s has no rule want", p.Name, p.Policy)
		}
	}
}

const entryFile = "main/main.rego"

// named are the library's functions whose first argument names a signal or a schedule of the pool.
var named = map[string]string{
	"data.lib.scale.track":       "signals",
	"data.lib.schedule.active":   "schedules",
	"data.lib.schedule.at_least": "schedules",
}

// checkReads checks, in the compiled policies, that each setting, signal, schedule and label that a policy names is in
// the definition of every pool that it decides for, and that no policy reads the definitions of pools around the input.
func checkReads(c *ast.Compiler, pools []definition, ps *problems) {
	for file, m := range c.Modules {
		policy := policyName(m)
		if file != entryFile {
			ast.WalkRefs(m, func(r ast.Ref) bool {
				if readsPools(r, m) {
					ps.add(file, r[0].Location.Row, "%s: a policy reads its pool from input, not from data.pools", r)
				}
				return false
			})
		}
		if policy == "" {
			continue
		}
		for _, p := range pools {
			if p.Policy != policy {
				continue
			}
			ast.WalkRefs(m, func(r ast.Ref) bool { checkRef(p, file, r, ps); return false })
			ast.WalkExprs(m, func(e *ast.Expr) bool { checkCall(p, file, e, ps); return false })
		}
	}
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
	return second == "pools" && !isPackagePath(r)
}

// isPackagePath: the path of a package declaration is a reference too.
func isPackagePath(r ast.Ref) bool { return r[len(r)-1].Location == nil }

func checkRef(p definition, file string, r ast.Ref, ps *problems) {
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
		p.mustHave(string(part), string(name), file, r[0].Location, ps)
	}
}

func checkCall(p definition, file string, e *ast.Expr, ps *problems) {
	if !e.IsCall() {
		return
	}
	part, ok := named[e.Operator().String()]
	if !ok || len(e.Operands()) == 0 {
		return
	}
	if name, ground := e.Operand(0).Value.(ast.String); ground {
		p.mustHave(part, string(name), file, e.Location, ps)
	}
}

// mustHave is a problem if the definition does not have a name that its policy reads.
func (p definition) mustHave(part, name, file string, at *ast.Location, ps *problems) {
	var names []string
	switch part {
	case "settings":
		if p.settings != nil {
			names = p.settings.keys
		}
	case "labels":
		names = slices.Collect(maps.Keys(p.Labels))
	case "signals":
		for _, s := range p.Signals {
			names = append(names, s.Name)
		}
	case "schedules":
		for _, s := range p.Schedules {
			names = append(names, s.Name)
		}
	default:
		return
	}
	if slices.Contains(names, name) {
		return
	}
	row := 1
	if at != nil {
		row = at.Row
	}
	ps.add(file, row, "pool %s (%s:%d) has no %s %q; %s",
		p.Name, p.at.file, p.at.line, strings.TrimSuffix(part, "s"), name, meant(name, names))
}
