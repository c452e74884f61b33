package replay_test

import (
	"strings"
	"testing"

	"trimtab/internal/replay"
)

func TestAWorldSaysWhatInItIsWrong(t *testing.T) {
	for _, c := range []struct{ note, file, says string }{
		{"a quota below nought", `{"quota_regular": -5}`, "quota_regular is -5"},
		{"a quota for Spot below nought", `{"quota_spot": -1}`, "quota_spot is -1"},
		{"a notice below nought", `{"spot": {"notice_seconds": -1}}`, "spot.notice_seconds is -1"},
		{"a model that is not there", `{"spot": {"model": "often"}}`, `spot.model is "often"`},
		{"a field that is not known", `{"quota": 5}`, "quota"},
	} {
		if _, err := replay.ReadWorld([]byte(c.file)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want something that says %s", c.note, err, c.says)
		}
	}
	if _, err := replay.ReadWorld([]byte(`{"quota_regular": 5, "spot": {"notice_seconds": 120}}`)); err != nil {
		t.Error(err)
	}
}
