package policy_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"trimtab/internal/policy"
	"trimtab/policies"
)

// ways are those in which a policy may call a function, given its package, its name and its arguments.
var ways = map[string]func(pkg, name, arguments string, n int) (imports, rule string){
	"by its package": func(pkg, name, arguments string, n int) (string, string) {
		return "import data." + pkg + " as it\n", fmt.Sprintf("x%d := it.%s(%s)\n", n, name, arguments)
	},
	"by its path": func(pkg, name, arguments string, n int) (string, string) {
		return "", fmt.Sprintf("x%d := data.%s.%s(%s)\n", n, pkg, name, arguments)
	},
	"by its own name": func(pkg, name, arguments string, n int) (string, string) {
		return fmt.Sprintf("import data.%s.%s as it%d\n", pkg, name, n), fmt.Sprintf("x%[1]d := it%[1]d(%[2]s)\n", n, arguments)
	},
	"in brackets": func(pkg, name, arguments string, n int) (string, string) {
		return "import data." + pkg + " as it\n", fmt.Sprintf("x%d := it[%q](%s)\n", n, name, arguments)
	},
}

// The file of a function must be found for each call alone; that what was found compiles is asked once for each file.
func TestEveryFunctionOfTheLibraryIsThereForWhoeverCallsIt(t *testing.T) {
	library, err := policy.Snapshot(policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(library, func(p string, _ []byte) bool { return !strings.HasPrefix(p, "lib/") })
	called := 0
	for file, m := range stock(t).Modules {
		if !strings.HasPrefix(file, "lib/") || strings.HasSuffix(file, "_test.rego") {
			continue
		}
		pkg := strings.TrimPrefix(m.Parsed.Package.Path.String(), "data.")
		imports, rules := map[string][]string{}, map[string]string{}
		seen := map[string]bool{}
		for n, r := range m.Parsed.Rules {
			name := r.Head.Name.String()
			if len(r.Head.Args) == 0 || strings.HasPrefix(name, "_") || seen[name] {
				continue
			}
			seen[name] = true
			called++
			arguments := strings.TrimSuffix(strings.Repeat("input.settings, ", len(r.Head.Args)), ", ")
			for way, call := range ways {
				imported, rule := call(pkg, name, arguments, n)
				library["pools/web/web.rego"] = []byte("package pools.web\n\n" + imported + "\n" + rule)
				if !policy.Needed(library)[file] {
					t.Errorf("%s.%s called %s: %s is left out", pkg, name, way, file)
				}
				if !slices.Contains(imports[way], imported) {
					imports[way] = append(imports[way], imported)
				}
				rules[way] += rule
			}
		}
		// The ways differ in what is found, not in how it compiles: each file takes one of them by turns.
		way := slices.Sorted(maps.Keys(ways))[called%len(ways)]
		_, err := policy.Load(context.Background(), with(t, map[string]string{
			"pools/web/more.rego": "package pools.web\n\n" + strings.Join(imports[way], "") + "\n" + rules[way],
		}))
		if rules[way] != "" && err != nil {
			t.Errorf("the functions of %s called %s: %v", file, way, err)
		}
	}
	if called < 18 {
		t.Errorf("the library has %d functions: some were not found", called)
	}
}

func TestAFileOfTheLibraryThatWasEditedIsCheckedThoughNothingCallsIt(t *testing.T) {
	edited := string(shippedFile(t, "lib/scale/step.rego")) + "\nwrong(x) := nothing.such(x)\n"
	_, err := policy.Load(context.Background(), with(t, map[string]string{"lib/scale/step.rego": edited}))
	if err == nil || !strings.Contains(err.Error(), "lib/scale/step.rego:") {
		t.Errorf("%v", err)
	}
}

func TestAMisspeltFunctionIsMeasuredAgainstTheWholeLibrary(t *testing.T) {
	_, err := policy.Load(context.Background(), with(t, map[string]string{
		"pools/web/more.rego": "package pools.web\n\nx := data.lib.scale.backlogg(1, 2)\n",
	}))
	if err == nil || !strings.Contains(err.Error(), "pools/web/more.rego:3: ") || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("%v", err)
	}
}
