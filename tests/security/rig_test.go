package security_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"trimtab/tests/fakehost"
)

// root is the app root as the tests of this package see it.
const root = "../.."

const web = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web"

// program builds the handler once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "trimtab-security-")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "trimtab")
	cmd := exec.Command("go", "build", "-o", out, "./handler")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, text)
	}
	return out, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func binary(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// host is a host with the built program, a ledger in a folder, and an ARM that nobody answers for.
func host(t *testing.T, change func(*fakehost.Options)) *fakehost.Host {
	t.Helper()
	identity := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(identity.Close)
	o := fakehost.Options{
		Root: root,
		Settings: map[string]string{
			"FUNCTIONS_WORKER_RUNTIME": "custom", "AzureWebJobsStorage": "UseDevelopmentStorage=true",
			"MetricsHub__fullyQualifiedNamespace": "ns1.servicebus.windows.net", "METRICS_HUB": "metrics", "METRICS_CONSUMER_GROUP": "$Default",
			"AzureFunctionsJobHost__customHandler__description__defaultExecutablePath": binary(t),
			"TRIMTAB_LEDGER": "memory", "TRIMTAB_ARM_ENDPOINT": "https://127.0.0.1:1",
		},
		IdentityEndpoint: identity.URL, IdentityHeader: "header",
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	if change != nil {
		change(&o)
	}
	h, err := fakehost.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Stop()
		h.Check(t)
		for _, l := range h.Lines() {
			if strings.Contains(l.Text, `"msg":"panic"`) {
				t.Errorf("a panic: %.2000s", l.Text)
			}
			if t.Failed() {
				t.Logf("%.500s", l.Text)
			}
		}
	})
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// client asks what a program on this machine could; it follows nothing and keeps nothing open.
var client = &http.Client{
	Transport:     &http.Transport{Proxy: nil, DisableCompression: true, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       2 * time.Minute,
}

// post is a request as the host sends it; change makes something else of it.
func post(t *testing.T, h *fakehost.Host, path string, body io.Reader, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d%s", h.Port(), path), body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("X-Azure-Functions-InvocationId", "6d1c2c2e-7f0b-4c0a-9f0e-3f0a1d0e7b11")
	if change != nil {
		change(r)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

func port(h *fakehost.Host) string { return strconv.Itoa(h.Port()) }

// timer is an invocation of the sweep.
const timer = `{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}},"Metadata":{"sys":{"MethodName":"sweep"}}}`

// load are events of a pool's last minutes, of one load.
func load(now time.Time, set string, first int64, n int, cpu float64) []fakehost.Event {
	var events []fakehost.Event
	for i := range n {
		at := now.Truncate(time.Minute).Add(time.Duration(i-n) * time.Minute).Format("2006-01-02T15:04:05.0000000Z")
		record := func(name string, v float64) string {
			return fmt.Sprintf(`{"count":2,"total":%g,"minimum":%g,"maximum":%g,"average":%g,"resourceId":%q,"time":%q,"metricName":%q,"timeGrain":"PT1M"}`,
				2*v, v, v, v, strings.ToUpper(set), at, name)
		}
		body := `{"records":[` + record("Percentage CPU", cpu) + `,` + record("Requests Per Second", cpu) + `]}`
		events = append(events, fakehost.Event{Body: []byte(body), Sequence: first + int64(i), EnqueuedAt: now})
	}
	return events
}

func copyPolicies(t *testing.T) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "policies")
	if err := os.CopyFS(to, os.DirFS(filepath.Join(root, "policies"))); err != nil {
		t.Fatal(err)
	}
	return to
}

func edit(t *testing.T, path, from, to string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(from)) {
		t.Fatalf("%s holds no %s", path, from)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte(from), []byte(to), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}

// command runs the program at a desk.
func command(t *testing.T, settings map[string]string, args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t), args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	for name, value := range settings {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	text, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(text)
}

// writePolicy adds a file to the web pool's policy.
func writePolicy(t *testing.T, policies, rego string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(policies, "pools", "web", "more.rego"), []byte(rego), 0o600); err != nil {
		t.Fatal(err)
	}
}
