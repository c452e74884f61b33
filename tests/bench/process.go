package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"trimtab/tests/armemu/arm"
	"trimtab/tests/fakehost"
)

// settings are those of a handler with a ledger in memory and an ARM that knows no scale set.
func settings(emulator *arm.Server, policies string) map[string]string {
	return map[string]string{
		"FUNCTIONS_WORKER_RUNTIME": "custom",
		"AzureWebJobsStorage":      "UseDevelopmentStorage=true",
		"MetricsHub":               "Endpoint=sb://bench.servicebus.windows.net;SharedAccessKeyName=none;SharedAccessKey=none",
		"METRICS_HUB":              "metrics",
		"METRICS_CONSUMER_GROUP":   "$Default",
		"TRIMTAB_LEDGER":           "memory",
		"TRIMTAB_POLICIES":         policies,
		"TRIMTAB_ARM_ENDPOINT":     emulator.Endpoints().ARM,
	}
}

// ready measures the time from the start of the process to an answered readiness probe, with the shipped policies.
func (s *suite) ready(ctx context.Context) error {
	var times []float64
	for range 2*s.rounds + 1 {
		took, err := s.start(ctx)
		if err != nil {
			return err
		}
		times = append(times, took.Seconds()*1e3)
	}
	s.add("ready", median(times[1:]), "ms")
	return nil
}

func (s *suite) start(ctx context.Context) (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	cmd := exec.CommandContext(ctx, filepath.Join(s.root, "bin", "trimtab"), "serve")
	cmd.Dir = s.root
	cmd.Env = []string{
		fmt.Sprintf("FUNCTIONS_CUSTOMHANDLER_PORT=%d", port), "TRIMTAB_LEDGER=memory", "IDENTITY_ENDPOINT=http://127.0.0.1:1",
		"IDENTITY_HEADER=none", "HOME=" + os.TempDir(),
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for time.Since(begun) < 10*time.Second {
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err == nil {
			_ = res.Body.Close()
			return time.Since(begun), nil
		}
		time.Sleep(200 * time.Microsecond)
	}
	return 0, fmt.Errorf("not ready within 10 s")
}

// memory measures the peak memory of a handler that has as many pools, each of which has been touched by a batch.
func (s *suite) memory(ctx context.Context) error {
	emulator, err := arm.Start(arm.Config{}, arm.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = emulator.Close() }()
	for _, pools := range []int{1, 100, 1000, 10_000} {
		peak, err := s.peak(ctx, emulator, pools)
		if err != nil {
			return fmt.Errorf("%d pools: %w", pools, err)
		}
		s.add(fmt.Sprintf("rss_%d", pools), peak, "MiB")
	}
	return nil
}

const sets = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/"

func (s *suite) peak(ctx context.Context, emulator *arm.Server, pools int) (float64, error) {
	dir, err := os.MkdirTemp("", "trimtab-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := many(filepath.Join(s.root, "policies"), dir, pools); err != nil {
		return 0, err
	}
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, emulator.CA(), 0o600); err != nil {
		return 0, err
	}
	h, err := fakehost.Open(fakehost.Options{
		Root: s.root, Settings: settings(emulator, dir), IdentityEndpoint: emulator.Endpoints().Identity,
		IdentityHeader: emulator.Endpoints().IdentityHeader, Env: []string{"SSL_CERT_FILE=" + ca},
	})
	if err != nil {
		return 0, err
	}
	defer h.Stop()
	if err := h.Start(ctx); err != nil {
		return 0, err
	}
	now := time.Now().UTC().Truncate(time.Minute)
	for first := 0; first < pools; first += 100 {
		var events []fakehost.Event
		for i := first; i < min(pools, first+100); i++ {
			e := minute(fmt.Sprintf("%sp%05d", sets, i), int64(i+1), now.Add(-time.Minute))
			events = append(events, fakehost.Event{Body: e.Body, Sequence: e.Source.Sequence, EnqueuedAt: now})
		}
		r, err := h.Deliver(ctx, "function", "0", events)
		if err != nil {
			return 0, err
		}
		if !r.Succeeded {
			return 0, fmt.Errorf("batch failed: %s", r.Attempts[len(r.Attempts)-1].Failure)
		}
	}
	return peakOf(h.PID())
}

// many writes the shipped policies with so many pools that all use the web pool's policy.
func many(from, to string, pools int) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(from, "pools", "web", "data.json"))
	if err != nil {
		return err
	}
	var doc struct {
		Pool map[string]any `json:"pool"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	doc.Pool["policy"] = "web"
	for i := range pools {
		name := fmt.Sprintf("p%05d", i)
		doc.Pool["scale_set"] = sets + name
		text, err := json.Marshal(doc)
		if err != nil {
			return err
		}
		dir := filepath.Join(to, "pools", name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "data.json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakOf is the peak resident memory of a process, in MiB.
func peakOf(pid int) (float64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, err
	}
	m := highWater.FindStringSubmatch(string(text))
	if m == nil {
		return 0, fmt.Errorf("no peak in %s", strings.TrimSpace(string(text[:min(80, len(text))])))
	}
	kib, err := strconv.ParseFloat(m[1], 64)
	return kib / 1024, err
}
