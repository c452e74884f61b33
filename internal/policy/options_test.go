package policy_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// refusal is how the library says what it takes, to whoever hands it something else.
var refusal = regexp.MustCompile(`has no option \\?"stranger_\\?"; there are ([a-z_]+(?:, [a-z_]+)*)`)

func TestTheLibraryTakesWhatItsMetadataSay(t *testing.T) {
	modules := map[string]*ast.Module{}
	for name, m := range stock(t).Modules {
		if strings.HasPrefix(name, "lib/") && !strings.HasSuffix(name, "_test.rego") {
			modules[name] = m.Parsed
		}
	}
	refused := func(query string) []string {
		t.Helper()
		options := []func(*rego.Rego){rego.Query("x := " + query), rego.Input(map[string]any{"signals": map[string]any{"x": map[string]any{}}})}
		for _, m := range modules {
			options = append(options, rego.ParsedModule(m.Copy()))
		}
		results, err := rego.New(options...).Eval(t.Context())
		if err != nil || len(results) != 1 {
			t.Fatalf("%s: %v, %v", query, results, err)
		}
		names := refusal.FindStringSubmatch(asJSON(t, results[0].Bindings["x"]))
		if names == nil {
			t.Fatalf("%s says nothing of what it takes: %s", query, asJSON(t, results[0].Bindings["x"]))
		}
		return strings.Split(names[1], ", ")
	}
	// Where an element goes that the function does not know.
	lists := map[string]string{
		"data.lib.rules.ceiling":            `{"min": 1, "max": 2, "grow": [%s]}`,
		"data.lib.rules.reasons":            `{"min": 1, "max": 2, "grow": [%s]}`,
		"data.lib.scale.step":               `{"above": 1, "grow": [%s]}`,
		"data.lib.scale.weighted":           `{"target": 1, "terms": [%s]}`,
		"data.lib.schedule.profile_floor":   `[%s]`,
		"data.lib.schedule.profile_ceiling": `[%s]`,
	}
	declared := 0
	for file, m := range modules {
		for _, r := range m.Rules {
			name := r.Ref().String()
			call := func(last string) string {
				return name + "(" + strings.Repeat(`"x", `, len(r.Head.Args)-1) + last + ")"
			}
			var custom map[string]any
			for _, a := range r.Annotations {
				custom = a.Custom
			}
			last := ""
			if n := len(r.Head.Args); n > 0 {
				last = strings.Trim(r.Head.Args[n-1].String(), `"`)
			}
			public := !strings.HasPrefix(string(r.Head.Name), "_")
			if public && len(r.Annotations) > 0 && custom == nil && slices.Contains([]string{"options", "profile", "profiles"}, last) {
				t.Errorf("%s: %s does not say in its metadata what its %s are", file, name, last)
			}
			if custom == nil {
				continue
			}
			declared++
			if custom["options"] != nil {
				asked := call(`{"stranger_": 1}`)
				switch name {
				case "data.lib.mix.within_budget":
					asked = name + `({"state": "idle"}, {"base": 1, "regular_percent": 2}, {"stranger_": 1})`
				case "data.lib.mix.by_errors":
					asked = name + `({"base": 1, "regular_percent": 2}, {"stranger_": 1})`
				case "data.lib.scale.after_misses", "data.lib.scale.at_most_budget":
					asked = name + `({"code": "a", "name": "x", "state": "idle"}, {"stranger_": 1})`
				case "data.lib.mix.worth":
					asked = name + `({"base": 1, "regular_percent": 2}, {"stranger_": 1})`
				case "data.lib.scale.burning":
					// It is true or undefined, and leaves it to its twin to say what is wrong.
					asked = `data.lib.scale.hold_on_burn({"stranger_": 1})`
				}
				same(t, name, custom["options"], refused(asked))
			}
			if custom["elements"] != nil {
				same(t, name+" in its lists", custom["elements"], refused(call(fmt.Sprintf(lists[name], `{"stranger_": 1}`))))
			}
		}
	}
	if declared < 20 {
		t.Errorf("%d functions say what they take: some were not found", declared)
	}
}

// same compares what metadata list with what a function says.
func same(t *testing.T, name string, listed any, says []string) {
	t.Helper()
	var names []string
	if err := json.Unmarshal([]byte(asJSON(t, listed)), &names); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	slices.Sort(names)
	slices.Sort(says)
	if !slices.Equal(names, says) {
		t.Errorf("%s: its metadata say %v, and itself %v", name, names, says)
	}
}
