package spell_test

import (
	"strings"
	"testing"

	"trimtab/internal/spell"
)

func TestMeant(t *testing.T) {
	many := strings.Fields("a b c d e f g h i j k l m n o p q r s t u v")
	for name, c := range map[string]struct {
		name  string
		names []string
		want  string
	}{
		"one letter too many":               {"cool_down", []string{"limits", "cooldown"}, "did you mean cooldown?"},
		"two letters swapped":               {"leed_seconds", []string{"season", "lead_seconds"}, "did you mean lead_seconds?"},
		"another case":                      {"TRIMTAB_ledger", []string{"TRIMTAB_LEDGER"}, "did you mean TRIMTAB_LEDGER?"},
		"of two alike the first":            {"cap", []string{"cab", "can"}, "did you mean cab?"},
		"a third of a long name may differ": {"stabilization_sec", []string{"stabilisation_seconds"}, "did you mean stabilisation_seconds?"},
		"nothing alike: all, in order":      {"month", []string{"week", "day"}, "there are day, week"},
		"there is nothing":                  {"x", nil, "there are none"},
		"too many to name":                  {"somewhere", many, "there are " + strings.Join(many[:20], ", ") + ", …"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := spell.Meant(c.name, c.names); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
