package ledger_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"trimtab/internal/ledger"
	"trimtab/internal/ledger/ledgertest"
)

func TestKeysOfInstantsSortNewestFirst(t *testing.T) {
	instants := []time.Time{
		time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC), ledgertest.Noon.Add(time.Hour), ledgertest.Noon.Add(1), ledgertest.Noon,
		time.Unix(0, 1).UTC(), time.Unix(0, 0).UTC(), time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC),
		{},
	}
	var keys []string
	for _, at := range instants {
		keys = append(keys, ledger.Inverted(at))
	}
	if !slices.IsSorted(keys) {
		t.Errorf("keys are not in the order of their instants: %v", keys)
	}
	for i, key := range keys[1:6] {
		if got := ledger.InstantOf(key + "-x"); !got.Equal(instants[i+1]) {
			t.Errorf("key %s reads as %s, want %s", key, got, instants[i+1])
		}
	}
}

func FuzzEscapeMakesDifferentKeysOfDifferentTexts(f *testing.F) {
	for _, s := range [][2]string{{"web", "we"}, {"a/b", "a~2fb"}, {"~", "~7e"}, {"größe", "gr~c3~b6~c3~9fe"}, {"\xff", "\xfe"}, {"", " "}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := ledger.Escape(a), ledger.Escape(b)
		if (x == y) != (a == b) {
			t.Errorf("%q and %q become %q and %q", a, b, x, y)
		}
		if i := strings.IndexFunc(x, func(r rune) bool {
			return r >= 0x7f || r <= ' ' || strings.ContainsRune(`/\#?'"%&+`, r)
		}); i >= 0 {
			t.Errorf("%q becomes %q, which needs quoting", a, x)
		}
	})
}
