package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"trimtab/policies"
	"trimtab/tests/armemu/arm"
	"trimtab/tests/fakehost"
)

//go:embed traces/*.csv
var traces embed.FS

const group = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/"

// partitions is how many partitions the demo's hub has.
const partitions = 4

// stage is everything that runs while the demo does.
type stage struct {
	flags
	dir    string
	now    func() time.Time
	origin time.Time
	wall   time.Time
	arm    *arm.Server
	host   *fakehost.Host
	log    *os.File
	load   map[string][]float64
	once   sync.Once
	tally
	next [partitions]int64
}

// open builds the stage: policies set to enforce, the emulator, the handler.
func open(ctx context.Context, f flags) (*stage, error) {
	s := &stage{flags: f, wall: time.Now().Truncate(time.Millisecond), load: map[string][]float64{}}
	// A Monday, so that the schedules of the worked pools have something to do.
	s.origin = time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	s.now = func() time.Time {
		return s.origin.Add(time.Duration(float64(time.Since(s.wall)) * f.speed))
	}
	for _, name := range []string{"web", "batch"} {
		var err error
		if s.load[name], err = readTrace(name); err != nil {
			return nil, err
		}
	}
	out, err := filepath.Abs(f.out)
	if err != nil {
		return nil, err
	}
	s.dir = out
	if err := os.RemoveAll(out); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, err
	}
	if err := enforcing(filepath.Join(out, "policies")); err != nil {
		return nil, err
	}
	if s.log, err = os.Create(filepath.Join(out, "handler.log")); err != nil {
		return nil, err
	}
	if s.arm, err = arm.Start(sets(), arm.Options{Now: s.now}); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("%w\nthe handler's log is %s", err, s.log.Name())
	}
	return s, nil
}

// start starts the handler as the Functions host would.
func (s *stage) start(ctx context.Context) error {
	ca := filepath.Join(s.dir, "ca.pem")
	if err := os.WriteFile(ca, s.arm.CA(), 0o600); err != nil {
		return err
	}
	at := s.arm.Endpoints()
	host, err := fakehost.Open(fakehost.Options{
		Root: s.root,
		Settings: map[string]string{
			"FUNCTIONS_WORKER_RUNTIME": "custom",
			"AzureWebJobsStorage":      "UseDevelopmentStorage=true",
			"MetricsHub":               "Endpoint=sb://demo.servicebus.windows.net;SharedAccessKeyName=none;SharedAccessKey=none",
			"METRICS_HUB":              "metrics",
			"METRICS_CONSUMER_GROUP":   "$Default",
			"TRIMTAB_LEDGER":           "file:" + filepath.Join(s.dir, "ledger"),
			"TRIMTAB_POLICIES":         filepath.Join(s.dir, "policies"),
			"TRIMTAB_ARM_ENDPOINT":     at.ARM,
			"TRIMTAB_ARM_AUDIENCE":     "https://management.azure.com",
			"TRIMTAB_CLOCK":            fmt.Sprintf("%g,%s,%d", s.speed, s.origin.Format(time.RFC3339), s.wall.UnixMilli()),
		},
		IdentityEndpoint: at.Identity, IdentityHeader: at.IdentityHeader,
		Env:     []string{"SSL_CERT_FILE=" + ca},
		Now:     s.now,
		Console: s.hear,
	})
	if err != nil {
		return err
	}
	s.host = host
	return host.Start(ctx)
}

// close stops what open started.
func (s *stage) close() {
	s.once.Do(func() {
		if s.host != nil {
			ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
			_, _ = s.host.Terminate(ctx)
			cancel()
			s.host.Stop()
		}
		_ = s.arm.Close()
		_ = s.log.Close()
	})
}

// sets are the scale sets of the worked pools.
func sets() arm.Config {
	return arm.Config{
		BootSeconds: 90, DeleteSeconds: 30, Polls: 1, PollAfterMilliseconds: 10_000,
		Sets: []arm.SetConfig{
			{
				ID: group + "web", Location: "westeurope", Size: "Standard_D4s_v5", Orchestration: arm.Flexible,
				Priority: arm.Spot, EvictionPolicy: arm.Delete, Capacity: 6, Mix: &arm.Mix{Base: 2, RegularPercent: 25},
			},
			{ID: group + "batch", Location: "westeurope", Size: "Standard_F8s_v2", Orchestration: arm.Uniform, Capacity: 4},
		},
	}
}

// enforcing writes the embedded policies out, with every pool set to enforce: against the emulator nothing is at stake.
func enforcing(dir string) error {
	return fs.WalkDir(policies.FS, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if e.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		text, err := fs.ReadFile(policies.FS, path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(path, "pools/") && filepath.Base(path) == "data.json" {
			text = bytes.Replace(text, []byte(`"mode": "observe"`), []byte(`"mode": "enforce"`), 1)
		}
		return os.WriteFile(to, text, 0o644)
	})
}

// readTrace reads a day of load, one value a minute.
func readTrace(name string) ([]float64, error) {
	f, err := traces.Open("traces/" + name + ".csv")
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("trace %s: %w", name, err)
	}
	var load []float64
	for _, row := range rows[1:] {
		v, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			return nil, fmt.Errorf("trace %s: %w", name, err)
		}
		load = append(load, v)
	}
	return load, nil
}

// line is what the demo looks for in the handler's log.
type line struct {
	Msg      string `json:"msg"`
	Events   int    `json:"events"`
	Letters  int    `json:"dead_letters"`
	Samples  int    `json:"samples"`
	Unrouted int    `json:"unrouted"`
	Folded   int    `json:"folded"`
	Repeated int    `json:"repeated"`
	Late     int    `json:"late"`
	Future   int    `json:"future"`
	Absent   int    `json:"absent"`
}

// hear keeps the handler's log and counts what it says became of events.
func (s *stage) hear(l fakehost.Line) {
	fmt.Fprintln(s.log, l.Text)
	var said line
	if json.Unmarshal([]byte(l.Text), &said) != nil || said.Msg != "invocation decided" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard.Events += said.Events
	s.heard.Letters += said.Letters
	s.heard.Samples += said.Samples
	s.heard.Folded += said.Folded
	s.accounted += said.Unrouted + said.Folded + said.Repeated + said.Late + said.Future + said.Absent
}

// running counts the machines of a set that serve.
func (s *stage) running(name string) float64 {
	state, err := s.arm.Set(group + name)
	if err != nil {
		return 1
	}
	return float64(max(1, state.Regular.Running+state.Spot.Running))
}

// sorted is for lines that come from several partitions at once.
func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}
