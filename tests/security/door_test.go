package security_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trimtab/tests/fakehost"
)

func TestWhatTheHostWouldNeverSendIsRefused(t *testing.T) {
	folder := t.TempDir()
	h := host(t, func(o *fakehost.Options) { o.Settings["TRIMTAB_LEDGER"] = "file:" + folder })
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, c := range map[string]struct {
		path   string
		change func(*http.Request)
		want   int
	}{
		"a page of another origin":                   {"/sweep", header("Origin", "https://evil.example"), 403},
		"a page without an origin":                   {"/sweep", header("Origin", "null"), 403},
		"a link from a page":                         {"/sweep", header("Referer", "https://evil.example/"), 403},
		"a fetch from a page":                        {"/sweep", header("Sec-Fetch-Site", "cross-site"), 403},
		"a navigation":                               {"/sweep", header("Sec-Fetch-Mode", "navigate"), 403},
		"a name that was bound to this address":      {"/sweep", func(r *http.Request) { r.Host = "evil.example" }, 403},
		"such a name with the port":                  {"/sweep", func(r *http.Request) { r.Host = "evil.example:80" }, 403},
		"a name that only begins like ours":          {"/sweep", func(r *http.Request) { r.Host = "127.0.0.1.evil.example" }, 403},
		"another address":                            {"/sweep", func(r *http.Request) { r.Host = "10.1.2.3" }, 403},
		"a form, which a page may send unasked":      {"/sweep", header("Content-Type", "application/x-www-form-urlencoded"), 415},
		"text, which a page may send unasked":        {"/sweep", header("Content-Type", "text/plain"), 415},
		"no content type":                            {"/sweep", header("Content-Type", ""), 415},
		"a question whether a page may":              {"/sweep", func(r *http.Request) { r.Method = http.MethodOptions; r.Header.Set("Origin", "https://evil.example") }, 403},
		"GET on a door":                              {"/sweep", func(r *http.Request) { r.Method = http.MethodGet }, 405},
		"PUT on a door":                              {"/function", func(r *http.Request) { r.Method = http.MethodPut }, 405},
		"a way around":                               {"/function/../sweep", nil, 404},
		"an encoded way around":                      {"/function/%2e%2e/sweep", nil, 404},
		"two slashes":                                {"//sweep", nil, 404},
		"another case":                               {"/SWEEP", nil, 404},
		"a door that is none":                        {"/dashboard", nil, 404},
		"the host's own administration":              {"/admin/functions/sweep", nil, 404},
		"the platform's route for functions":         {"/api/sweep", nil, 404},
		"a POST to the readiness probe":              {"/", nil, 404},
		"the profiler that Go programs like to open": {"/debug/pprof/", nil, 404},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := post(t, h, c.path, strings.NewReader(timer), c.change)
			if response.StatusCode != c.want {
				t.Errorf("got %d, want %d: %s", response.StatusCode, c.want, body)
			}
			for name := range response.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("the answer tells a browser %s", name)
				}
			}
			if strings.Contains(body, "pool") || strings.Contains(body, "web:") {
				t.Errorf("a refusal tells of the pools: %s", body)
			}
		})
	}
	if code, out := command(t, map[string]string{"TRIMTAB_LEDGER": "file:" + folder}, "explain", "web"); code == 0 {
		t.Errorf("something was decided:\n%s", out)
	}
	if response, body := post(t, h, "/sweep", strings.NewReader(timer), nil); response.StatusCode != http.StatusOK {
		t.Errorf("the host's own request: got %d: %s", response.StatusCode, body)
	}
}

func TestNoRouteFromOutsideReachesATrigger(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "*", "function.json"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		var f struct {
			Bindings []struct{ Type, Direction string }
		}
		readJSON(t, file, &f)
		triggers := 0
		for _, b := range f.Bindings {
			kind := strings.ToLower(b.Type)
			if strings.Contains(kind, "http") || strings.Contains(kind, "signalr") || strings.Contains(kind, "eventgrid") {
				t.Errorf("%s: a binding of type %s has a route", file, b.Type)
			}
			if strings.HasSuffix(kind, "trigger") {
				triggers++
			}
		}
		if triggers != 1 {
			t.Errorf("%s: %d triggers", file, triggers)
		}
	}
	var settings any
	readJSON(t, filepath.Join(root, "host.json"), &settings)
	for _, name := range memberNames(settings, nil) {
		// Forwarding and proxying would hand requests of others to the handler as they came (facts: functions-host 3.4).
		if l := strings.ToLower(name); strings.Contains(l, "forwarding") || strings.Contains(l, "proxying") || l == "http" || l == "routes" {
			t.Errorf("host.json holds %q", name)
		}
	}
	var sample struct{ Values map[string]string }
	readJSON(t, filepath.Join(root, "local.settings.sample.json"), &sample)
	for name := range sample.Values {
		if l := strings.ToLower(name); strings.Contains(l, "forwarding") || strings.Contains(l, "proxying") {
			t.Errorf("the sample of settings sets %s", name)
		}
	}
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// memberNames are the names of all members of a document.
func memberNames(v any, into []string) []string {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			into = memberNames(inner, append(into, name))
		}
	case []any:
		for _, inner := range v {
			into = memberNames(inner, into)
		}
	}
	return into
}

func TestExitCodesTellOfHowItEnded(t *testing.T) {
	h := host(t, nil)
	for name, c := range map[string]struct {
		args     []string
		settings map[string]string
		want     int
	}{
		"a command that is none":    {[]string{"server"}, nil, 2},
		"no command":                {nil, nil, 2},
		"a flag that is none":       {[]string{"serve", "--port=1"}, nil, 2},
		"no port":                   {[]string{"serve"}, map[string]string{"TRIMTAB_LEDGER": "memory"}, 1},
		"a port that is taken":      {[]string{"serve"}, map[string]string{"TRIMTAB_LEDGER": "memory", "FUNCTIONS_CUSTOMHANDLER_PORT": port(h)}, 1},
		"an address on all systems": {[]string{"serve"}, map[string]string{"TRIMTAB_LEDGER": "memory", "FUNCTIONS_CUSTOMHANDLER_PORT": "0.0.0.0:80"}, 1},
		"fast time in the cloud":    {[]string{"serve"}, map[string]string{"TRIMTAB_LEDGER": "memory", "FUNCTIONS_CUSTOMHANDLER_PORT": "1", "TRIMTAB_CLOCK": "60,2026-01-05T00:00:00Z,1767571200000"}, 1},
		"its version":               {[]string{"version"}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if code, out := command(t, c.settings, c.args...); code != c.want {
				t.Errorf("exit code %d, want %d:\n%s", code, c.want, out)
			}
		})
	}
}
