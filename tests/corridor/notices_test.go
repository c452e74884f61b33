package corridor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
	"trimtab/tests/fakehost"
)

// written is a record of the Activity Log about a write to a pool's scale set, a moment ago.
func (r *rig) written(pool, claims string) []fakehost.Event {
	r.sequence[9]++
	body := fmt.Sprintf(`{"records":[{"time":%q,"resourceId":%q,"operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINESCALESETS/WRITE","category":"Administrative",`+
		`"resultType":"Success","durationMs":"20","correlationId":"c%d","identity":{"claims":{%s}}}]}`,
		r.now().Format(time.RFC3339Nano), strings.ToUpper(shop+pool), r.sequence[9], claims)
	return []fakehost.Event{{Body: []byte(body), Sequence: r.sequence[9], EnqueuedAt: r.now()}}
}

// No setting names the identity: the program learns from the tokens that the platform gives it as whom it writes.
func TestTheProgramKnowsItsOwnWritesFromOthers(t *testing.T) {
	r := newRig(t)
	h := r.host()
	r.deliver(h, 0, r.minutes("web", 0, 5, 90))
	if r.writes("web") == 0 {
		t.Fatal("nothing was changed")
	}
	rivals := func() []scale.Rival {
		stored, err := r.ledger.Load(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		return stored.Control.Memory.Rivals
	}
	r.deliver(h, 9, r.written("web", `"appid":"`+strings.ToUpper(arm.Application)+`"`))
	r.deliver(h, 9, r.written("web", `"http://schemas.microsoft.com/identity/claims/objectidentifier":"`+arm.Principal+`"`))
	if got := rivals(); len(got) != 0 {
		t.Errorf("its own writes are rivals: %+v", got)
	}
	// By its time alone this one would be taken for our own.
	r.deliver(h, 9, r.written("web", `"appid":"0a0a0a0a-aaaa-4bbb-8ccc-0123456789ab"`))
	if got := rivals(); len(got) != 1 || got[0].By != "0a0a0a0a-aaaa-4bbb-8ccc-0123456789ab" {
		t.Errorf("got %+v, want the one that is somebody else's", got)
	}
}
