package policy_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What a hostile or mad policy may use until it is cut off. A collector under the race detector is generous.
const (
	mostMemory = 256 << 20
	mostTime   = 3 * time.Second
)

func TestAHostilePolicyIsCutOffAndHolds(t *testing.T) {
	const ten = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
	doubling := func(step, first string, times int) string {
		var s strings.Builder
		s.WriteString("want contains {\"code\": \"a\", \"state\": \"known\", \"instances\": 9} if {\n\tx" + itoa(0) + " := " + first + "\n")
		for i := range times {
			now, next := "x"+itoa(i), "x"+itoa(i+1)
			s.WriteString("\t" + next + " := " + strings.ReplaceAll(step, "x", now) + "\n")
		}
		s.WriteString("\tcount(x" + itoa(times) + ") > 0\n}\n")
		return s.String()
	}
	for name, tc := range map[string]struct{ rego, fault string }{
		"loops within loops": {
			"want contains {\"code\": \"a\", \"state\": \"known\", \"instances\": 9} if {\n" +
				strings.Repeat("\tsome _ in "+ten+"\n", 9) + "\tfalse\n}\n", "more than its 10000 steps",
		},
		"a comprehension over a product": {
			"want contains {\"code\": \"a\", \"state\": \"known\", \"instances\": count([1 | " +
				strings.Repeat("some _ in "+ten+"; ", 9) + "true])}\n", "more than its 10000 steps",
		},
		"strings that double":    {doubling(`concat("", [x, x])`, `"0123456789abcdef"`, 40), "the policy was cut off after"},
		"formats that double":    {doubling(`sprintf("%s%s", [x, x])`, `"0123456789abcdef"`, 40), "the policy was cut off after"},
		"replacements that grow": {doubling(`replace(x, "0", "00")`, `"0"`, 40), "more than its 10000 steps"},
		"arrays that double":     {doubling(`array.concat(x, x)`, ten, 40), "the policy was cut off after"},
	} {
		t.Run(name, func(t *testing.T) {
			bundle, view := try(t, tc.rego)
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			started := time.Now()
			p := bundle.Propose(context.Background(), view)
			took := time.Since(started)
			runtime.ReadMemStats(&after)
			if !strings.Contains(p.Fault, tc.fault) || p.Known {
				t.Errorf("%+v", p)
			}
			t.Logf("%v, %d MiB allocated, %d steps: %s", took, (after.TotalAlloc-before.TotalAlloc)>>20, p.Steps, p.Fault)
			if took > mostTime || after.HeapSys > before.HeapSys+mostMemory {
				t.Errorf("took %v and %d MiB of heap", took, (after.HeapSys-before.HeapSys)>>20)
			}
		})
	}
}

func itoa(i int) string { return string([]byte{byte('a' + i/26), byte('a' + i%26)}) }
