package arm_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"trimtab/tests/armemu/arm"
)

const (
	group = "/subscriptions/5a1f0000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute/"
	web   = group + "virtualMachineScaleSets/web"
	jobs  = group + "virtualMachineScaleSets/jobs"
	plain = group + "virtualMachineScaleSets/plain"
)

// clock is a clock that moves when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// platform starts an emulator with a flexible set with a mix, a uniform one, and a flexible regular one.
func platform(t *testing.T, change ...func(*arm.Config)) (*arm.Server, *clock) {
	t.Helper()
	cfg := arm.Config{Sets: []arm.SetConfig{
		{ID: web, Priority: arm.Spot, EvictionPolicy: arm.Delete, Capacity: 4, Mix: &arm.Mix{Base: 2, RegularPercent: 50}},
		{ID: jobs, Orchestration: arm.Uniform, Capacity: 3},
		{ID: plain, Capacity: 5},
	}}
	for _, c := range change {
		c(&cfg)
	}
	c := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	emu, err := arm.Start(cfg, arm.Options{Now: c.Now})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if transport, ok := transports.LoadAndDelete(emu); ok {
			transport.(*http.Transport).CloseIdleConnections()
		}
		if err := emu.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return emu, c
}

func turn(t *testing.T, emu *arm.Server, knobs ...arm.Knob) {
	t.Helper()
	for _, k := range knobs {
		if err := emu.Turn(k); err != nil {
			t.Fatalf("turn %T: %v", k, err)
		}
	}
}

func state(t *testing.T, emu *arm.Server, set string) arm.SetState {
	t.Helper()
	s, err := emu.Set(set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// transports are the connections that send keeps, by emulator.
var transports sync.Map

// reply is what came back over the wire.
type reply struct {
	status int
	header http.Header
	body   string
	code   string
}

// send speaks to the emulator as nobody's client, byte for byte.
func send(t *testing.T, emu *arm.Server, method, path, body string, headers ...string) reply {
	t.Helper()
	url := path
	if !strings.HasPrefix(path, "https://") {
		url = emu.Endpoints().ARM + path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+emu.Token())
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	transport, _ := transports.LoadOrStore(emu, emu.Transport())
	resp, err := transport.(*http.Transport).RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	var doc struct {
		Code  string `json:"code"`
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	_ = json.Unmarshal(raw, &doc)
	return reply{status: resp.StatusCode, header: resp.Header, body: string(raw), code: doc.Error.Code + doc.Code}
}

const version = "?api-version=2026-04-01"

// resize sends a plain PATCH and fails unless it is taken; it returns the operation's URL.
func resize(t *testing.T, emu *arm.Server, set, body string) string {
	t.Helper()
	r := send(t, emu, http.MethodPatch, set+version, body)
	if r.status != http.StatusOK {
		t.Fatalf("PATCH %s: %d %s", body, r.status, r.body)
	}
	return r.header.Get("Azure-AsyncOperation")
}

// opStatus asks about an operation and gives its status and error code.
func opStatus(t *testing.T, emu *arm.Server, url string) (status, code string) {
	t.Helper()
	r := send(t, emu, http.MethodGet, url, "")
	var doc struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil {
		t.Fatalf("operation: %d %s", r.status, r.body)
	}
	return doc.Status, r.code
}
