package metric_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestThePageOfSignalsNamesEveryReason holds docs/signals.md to the reasons that there are, and to no others.
func TestThePageOfSignalsNamesEveryReason(t *testing.T) {
	page, err := os.ReadFile("../../docs/signals.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("decode_reasons.go")
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile(`Reason\w+\s+= "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(reasons) < 20 {
		t.Fatalf("%d reasons", len(reasons))
	}
	_, table, ok := strings.Cut(string(page), "## Reasons")
	table, _, _ = strings.Cut(table, "\n## ")
	named := regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(table, -1)
	if !ok || len(named) != len(reasons) {
		t.Errorf("%d reasons, %d of them on the page", len(reasons), len(named))
	}
	for _, r := range reasons {
		if !strings.Contains(table, "`"+r[1]+"`") {
			t.Errorf("the page does not tell of %s", r[1])
		}
	}
}
