package replay_test

import (
	"testing"

	"trimtab/internal/replay"
	"trimtab/internal/scale"
)

func FuzzReadEntries(f *testing.F) {
	for _, text := range []string{
		`{"version":1,"pool":"web"}` + "\n" + `{"version":1,"pool":"web"}`, `[{"version":1,"pool":"web"}]`, `[{}]`, `[null]`, `{`, ``,
		`{"version":1,"pool":"web","view":{"signals":{"cpu":null},"facts":{"mix":null}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := replay.ReadEntries(text)
		if err != nil {
			return
		}
		for i := range entries {
			if e := &entries[i]; e.Version != scale.EntryVersion || e.Pool == "" {
				t.Errorf("entry %d is of version %d and of pool %q", i, e.Version, e.Pool)
			}
		}
	})
}
