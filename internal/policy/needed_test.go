package policy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"trimtab/internal/policy"
)

func TestEveryFunctionOfTheLibraryIsThereForWhoeverCallsIt(t *testing.T) {
	called := 0
	for file, m := range stock(t).Modules {
		if !strings.HasPrefix(file, "lib/") || strings.HasSuffix(file, "_test.rego") {
			continue
		}
		for _, r := range m.Parsed.Rules {
			name := r.Head.Name.String()
			if len(r.Head.Args) == 0 || strings.HasPrefix(name, "_") {
				continue
			}
			called++
			pkg := strings.TrimPrefix(m.Parsed.Package.Path.String(), "data.")
			arguments := strings.TrimSuffix(strings.Repeat("input.settings, ", len(r.Head.Args)), ", ")
			for way, text := range map[string]string{
				"by its package":  fmt.Sprintf("import data.%s as it\n\nx := it.%s(%s)\n", pkg, name, arguments),
				"by its path":     fmt.Sprintf("x := data.%s.%s(%s)\n", pkg, name, arguments),
				"by its own name": fmt.Sprintf("import data.%s.%s as it\n\nx := it(%s)\n", pkg, name, arguments),
				"in brackets":     fmt.Sprintf("import data.%s as it\n\nx := it[%q](%s)\n", pkg, name, arguments),
			} {
				_, err := policy.Load(context.Background(), with(t, map[string]string{
					"pools/web/more.rego": "package pools.web\n\n" + text,
				}))
				if err != nil {
					t.Errorf("%s.%s called %s: %v", pkg, name, way, err)
				}
			}
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
