package arm_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"trimtab/tests/armemu/arm"
)

func TestAFaultMeetsTheRequestsThatItFits(t *testing.T) {
	emu, _ := platform(t)
	turn(t, emu, arm.Fault{Method: "PATCH", Path: "SCALESETS/WEB", Status: 503, Code: "ServerTimeout", Headers: map[string]string{"Retry-After": "9"}, Times: 2})
	if r := send(t, emu, "GET", web+version, ""); r.status != 200 {
		t.Errorf("another method: got %d", r.status)
	}
	if r := send(t, emu, "PATCH", jobs+version, "{}"); r.status != 200 {
		t.Errorf("another path: got %d", r.status)
	}
	for range 2 {
		r := send(t, emu, "PATCH", web+version, `{"sku":{"capacity":9}}`)
		if r.status != 503 || r.code != "ServerTimeout" || r.header.Get("Retry-After") != "9" {
			t.Errorf("got %d %s Retry-After %q", r.status, r.code, r.header.Get("Retry-After"))
		}
	}
	if s := state(t, emu, web); s.Capacity != 4 {
		t.Errorf("got capacity %d, want what a fault stands before to have no effect", s.Capacity)
	}
	turn(t, emu, arm.Fault{Method: "PATCH", Status: 503, After: true})
	if r := send(t, emu, "PATCH", web+version, `{"sku":{"capacity":9}}`); r.status != 503 {
		t.Errorf("got %d", r.status)
	}
	if s := state(t, emu, web); s.Capacity != 9 {
		t.Errorf("got capacity %d, want the effect with the answer lost", s.Capacity)
	}
	turn(t, emu, arm.Fault{Status: 500}, arm.Restore{})
	if r := send(t, emu, "GET", web+version, ""); r.status != 200 {
		t.Errorf("after Restore: got %d", r.status)
	}
}

func TestAThrottleLooksLikeTheComputeProviders(t *testing.T) {
	emu, _ := platform(t)
	turn(t, emu, arm.Throttle{RetryAfterSeconds: 1200})
	r := send(t, emu, "GET", web+version, "")
	var doc struct {
		Code    string `json:"code"`
		Details []struct{ Code, Target, Message string }
	}
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil {
		t.Fatal(err)
	}
	if r.status != 429 || doc.Code != "OperationNotAllowed" || len(doc.Details) != 1 || doc.Details[0].Code != "TooManyRequests" ||
		!json.Valid([]byte(doc.Details[0].Message)) || r.header.Get("Retry-After") != "1200" || r.header.Get("x-ms-ratelimit-remaining-resource") == "" {
		t.Errorf("got %d %s %v", r.status, r.body, r.header)
	}
}

func TestAForeignWritePreempts(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) { c.BootSeconds = 60 })
	op := resize(t, emu, web, `{"sku":{"capacity":6}}`)
	turn(t, emu, arm.ForeignWrite{Set: "web"})
	if s := state(t, emu, web); s.ETag != `"3"` || s.Capacity != 6 || s.Operation == nil {
		t.Errorf("a write that leaves capacity alone: got %+v, want the ETag moved and the operation going on", s)
	}
	n := 9
	turn(t, emu, arm.ForeignWrite{Set: "web", Capacity: &n})
	if status, code := opStatus(t, emu, op); status != "Canceled" || code != "OperationPreempted" {
		t.Errorf("got %s %s, want it preempted", status, code)
	}
	if s := state(t, emu, web); s.ETag != `"4"` || s.Capacity != 9 {
		t.Errorf("got %+v, want the other writer's 9", s)
	}
}

func TestAFailedGrowthLeavesWhatCameUp(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) { c.BootSeconds = 60 })
	turn(t, emu, arm.PlanNext{Set: plain, Plan: arm.Plan{Status: "Failed", Code: "AllocationFailed", Message: "none left", Created: 2}})
	op := resize(t, emu, plain, `{"sku":{"capacity":10}}`)
	c.forward(time.Minute)
	if status, code := opStatus(t, emu, op); status != "Failed" || code != "AllocationFailed" {
		t.Errorf("got %s %s", status, code)
	}
	if s := state(t, emu, plain); s.Capacity != 10 || s.Regular.Running != 7 || s.Regular.Failed != 3 || s.ProvisioningState != "Failed" {
		t.Errorf("got %+v, want capacity 10 with 7 running and 3 failed", s)
	}
}

func TestASlowOperationOutlastsItsMachines(t *testing.T) {
	emu, c := platform(t)
	turn(t, emu, arm.PlanNext{Set: plain, Plan: arm.Plan{Seconds: 300, Polls: 1}})
	op := resize(t, emu, plain, `{"sku":{"capacity":6}}`)
	for _, want := range []string{"InProgress", "InProgress", "Succeeded"} {
		if got, _ := opStatus(t, emu, op); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		c.forward(150 * time.Second)
	}
}

func TestAClaimPasses(t *testing.T) {
	emu, _ := platform(t)
	turn(t, emu, arm.ClaimCapacity{Set: web, Capacity: 0, Times: 2})
	for _, want := range []string{`"capacity":0`, `"capacity":0`, `"capacity":4`} {
		if r := send(t, emu, "GET", web+version, ""); !strings.Contains(r.body, want) {
			t.Errorf("got %s, want %s in it", r.body, want)
		}
	}
}

func TestEvictionsAndRemovals(t *testing.T) {
	yes, no := true, false
	spots := func(c *arm.Config) {
		c.Sets = []arm.SetConfig{
			{ID: web, Priority: arm.Spot, Capacity: 6},
			{ID: jobs, Orchestration: arm.Uniform, Priority: arm.Spot, Capacity: 6, EvictionPolicy: arm.Delete},
		}
	}
	cases := []struct {
		name                         string
		knob                         arm.Knob
		set                          string
		capacity, there, deallocated int
	}{
		{"the set's own policy deallocates", arm.Evict{Set: web, Count: 2}, web, 6, 6, 2},
		{"a flexible set keeps its capacity", arm.Evict{Set: web, Count: 2, Policy: arm.Delete}, web, 6, 4, 0},
		{"a flexible set may lower it", arm.Evict{Set: web, Count: 2, Policy: arm.Delete, LowerCapacity: &yes}, web, 4, 4, 0},
		{"a uniform set lowers it", arm.Evict{Set: jobs, Count: 2}, jobs, 4, 4, 0},
		{"a uniform set may keep it", arm.Evict{Set: jobs, Count: 2, LowerCapacity: &no}, jobs, 6, 4, 0},
		{"no count means all", arm.Evict{Set: jobs}, jobs, 0, 0, 0},
		{"a removal makes a flexible set drift", arm.Remove{Set: web, Count: 3}, web, 6, 3, 0},
		{"a uniform set follows a removal", arm.Remove{Set: jobs, Count: 3}, jobs, 3, 3, 0},
		{"a removal by name", arm.Remove{Set: jobs, Names: []string{"jobs_0"}}, jobs, 5, 5, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			emu, _ := platform(t, spots)
			turn(t, emu, c.knob)
			if s := state(t, emu, c.set); s.Capacity != c.capacity || s.Spot.There != c.there || s.Spot.Deallocated != c.deallocated {
				t.Errorf("got %+v, want capacity %d, %d there, %d deallocated", s, c.capacity, c.there, c.deallocated)
			}
		})
	}
}

// The reported shape (facts: VMSS 0.2): nominal 9, really 6; a growth adds new minus nominal, a shrink takes nominal
// minus new, live machines among them.
func TestADriftedSetCountsFromItsCounter(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) { c.Sets = []arm.SetConfig{{ID: plain, Capacity: 9}} })
	turn(t, emu, arm.Remove{Set: plain, Count: 3})
	resize(t, emu, plain, `{"sku":{"capacity":10}}`)
	if s := state(t, emu, plain); s.Regular.There != 7 {
		t.Errorf("grown by one: got %d machines, want 7", s.Regular.There)
	}
	resize(t, emu, plain, `{"sku":{"capacity":6}}`)
	if s := state(t, emu, plain); s.Regular.There != 3 || s.Capacity != 6 {
		t.Errorf("shrunk by four: got %+v, want 3 machines and capacity 6", s)
	}
}

func TestTheETagMayMoveAtTheEnd(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) { c.Sets[0].ETagMovesAtEnd = true })
	resize(t, emu, web, `{"sku":{"capacity":5}}`)
	if s := state(t, emu, web); s.ETag != `"3"` {
		t.Errorf("got ETag %s, want \"3\"", s.ETag)
	}
}

func TestALostRecordLetsTheSetGoOn(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) { c.BootSeconds, c.Polls = 60, 3 })
	op := resize(t, emu, web, `{"sku":{"capacity":5}}`)
	turn(t, emu, arm.Forget{})
	if r := send(t, emu, "GET", op, ""); r.status != 404 {
		t.Errorf("got %d, want 404", r.status)
	}
	c.forward(time.Minute)
	if s := state(t, emu, web); s.ProvisioningState != "Succeeded" {
		t.Errorf("got %s, want the set to have come to rest", s.ProvisioningState)
	}
}

func TestKnobsRefuseWhatTheyCannotDo(t *testing.T) {
	emu, _ := platform(t)
	bad := -1
	for _, k := range []arm.Knob{
		arm.Fault{Status: 99},
		arm.PlanNext{Set: "none"},
		arm.PlanNext{Set: web, Plan: arm.Plan{Status: "Lost"}},
		arm.ForeignWrite{Set: "none"},
		arm.ForeignWrite{Set: web, Capacity: &bad},
		arm.ClaimCapacity{Set: "none"},
		arm.Forget{Set: "none"},
		arm.Evict{Set: "none"},
		arm.Evict{Set: web, Policy: "Pause"},
		arm.Evict{Set: web, Count: 99},
		arm.Remove{Set: web},
		arm.Remove{Set: "none", Count: 1},
		arm.Remove{Set: web, Names: []string{"none"}},
		arm.SetConfig{ID: web},
		arm.SetConfig{ID: "web"},
		arm.SetConfig{ID: web + "2", Orchestration: "Elastic"},
		arm.SetConfig{ID: web + "2", Capacity: -1},
		arm.SetConfig{ID: web + "2", Mix: &arm.Mix{}},
	} {
		if err := emu.Turn(k); err == nil {
			t.Errorf("%T%+v was taken", k, k)
		}
	}
}

func control(t *testing.T, emu *arm.Server, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, emu.Endpoints().Control+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func TestTheControlPort(t *testing.T) {
	emu, _ := platform(t)
	taken := map[string]string{
		"set":      `{"id":"` + web + `2","capacity":2,"orchestration":"Uniform"}`,
		"plan":     `{"set":"web2","polls":1,"status":"Failed","code":"AllocationFailed"}`,
		"foreign":  `{"set":"web","capacity":5}`,
		"claim":    `{"set":"web","capacity":0}`,
		"evict":    `{"set":"web","count":1}`,
		"remove":   `{"set":"plain","count":1}`,
		"forget":   `{}`,
		"throttle": `{"method":"PATCH","retry_after_seconds":5}`,
		"fault":    `{"method":"GET","status":503}`,
		"restore":  `{}`,
	}
	for _, name := range []string{"set", "plan", "foreign", "claim", "evict", "remove", "forget", "throttle", "fault", "restore"} {
		if status, body := control(t, emu, "POST", "/turn/"+name, taken[name]); status != 200 {
			t.Errorf("%s: got %d %s", name, status, body)
		}
	}
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/turn/none", `{}`, 404}, {"/turn/fault", `{"statsu":503}`, 400}, {"/turn/fault", `{`, 400}, {"/turn/evict", `{"set":"none"}`, 400},
	} {
		if status, _ := control(t, emu, "POST", c.path, c.body); status != c.status {
			t.Errorf("%s %s: got %d, want %d", c.path, c.body, status, c.status)
		}
	}
	if status, _ := control(t, emu, "POST", "/turn/restore", `{}`, "Origin", "https://x.invalid"); status != 403 {
		t.Errorf("a browser's request: got %d, want 403", status)
	}
	if _, body := control(t, emu, "GET", "/now", ""); !strings.Contains(body, "2026-03-01T12:00:00Z") {
		t.Errorf("now: got %s", body)
	}
	var sets []arm.SetState
	if _, body := control(t, emu, "GET", "/sets", ""); json.Unmarshal([]byte(body), &sets) != nil || len(sets) != 4 {
		t.Errorf("sets: got %s", body)
	}
}

func TestTheRequestLog(t *testing.T) {
	emu, _ := platform(t)
	if _, body := control(t, emu, "GET", "/requests", ""); strings.TrimSpace(body) != "[]" {
		t.Errorf("got %s, want an empty list", body)
	}
	send(t, emu, "GET", web+version, "")
	send(t, emu, "PATCH", web+version, `{"sku":{"capacity":5}}`, "If-Match", `"1"`)
	var log []arm.Request
	if _, body := control(t, emu, "GET", "/requests", ""); json.Unmarshal([]byte(body), &log) != nil || len(log) != 2 {
		t.Fatalf("got %s", body)
	}
	if p := log[1]; p.Method != "PATCH" || p.Path != web || p.IfMatch != `"1"` || p.Status != 200 || p.Capacity == nil || *p.Capacity != 5 ||
		string(p.Body) != `{"sku":{"capacity":5}}` || !p.At.Equal(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v", p)
	}
	if status, _ := control(t, emu, "DELETE", "/requests", ""); status != 200 || len(emu.Requests()) != 0 {
		t.Errorf("after DELETE: got %d and %v", status, emu.Requests())
	}
}
