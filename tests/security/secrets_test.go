package security_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"trimtab/internal/ledger"
	"trimtab/tests/armemu/arm"
	"trimtab/tests/azurite"
	"trimtab/tests/fakehost"
)

// canaries are secrets that are planted, by where they are planted. What is no secret but stands beside one begins with
// another word, so that a search for the common part finds all of them.
const canary = "canary-7f3a"

// signed is the signature in the URLs of the emulator's operations: whoever has it may ask about them.
const signed = "c2lnbmVk"

// rig is a host whose every setting holds a canary, with a real ledger and an emulated Resource Manager.
type rig struct {
	host     *fakehost.Host
	arm      *arm.Server
	settings map[string]string
	now      func() time.Time
	// fail makes the identity endpoint fail, with a canary in its answer.
	fail atomic.Bool
}

func plant(t *testing.T, storage map[string]string) *rig {
	t.Helper()
	wall, origin := time.Now().Truncate(time.Millisecond), time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	const speed = 100
	r := &rig{now: func() time.Time { return origin.Add(time.Since(wall) * speed) }}
	var err error
	r.arm, err = arm.Start(arm.Config{PollAfterMilliseconds: 10_000, Sets: []arm.SetConfig{
		{ID: web, Orchestration: arm.Flexible, Priority: arm.Spot, EvictionPolicy: arm.Delete, Capacity: 10, Mix: &arm.Mix{Base: 2, RegularPercent: 25}},
		{ID: strings.TrimSuffix(web, "web") + "batch", Orchestration: arm.Uniform, Capacity: 4},
	}}, arm.Options{Now: r.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.arm.Close() })
	identity := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("X-Identity-Header") != canary+"-identity" || r.fail.Load() {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"statusCode":400,"message":"`+canary+`-identity-answer"}`)
			return
		}
		// The bearer token itself is a canary too; see search.
		fmt.Fprintf(w, `{"access_token":%q,"expires_on":"%d","resource":"r","token_type":"Bearer"}`, r.arm.Token(), time.Now().Add(24*time.Hour).Unix())
	}))
	t.Cleanup(identity.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, r.arm.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	policies := copyPolicies(t)
	edit(t, filepath.Join(policies, "pools", "web", "data.json"), `"mode": "observe"`, `"mode": "enforce"`)
	key := base64.StdEncoding.EncodeToString([]byte(canary + "-account-key"))
	r.settings = map[string]string{
		"FUNCTIONS_WORKER_RUNTIME": "custom",
		"AzureFunctionsJobHost__customHandler__description__defaultExecutablePath": binary(t),
		"AzureWebJobsStorage":                   "DefaultEndpointsProtocol=https;AccountName=storageone;AccountKey=" + key + ";EndpointSuffix=core.windows.net",
		"MetricsHub":                            "Endpoint=sb://ns1.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=" + canary + "-hub",
		"METRICS_HUB":                           "metrics",
		"TRIMTAB_STREAM_HUB":                    "decisions",
		"TRIMTAB_STREAM_CONNECTION":             "Endpoint=sb://127.0.0.1:1/;SharedAccessKeyName=send;SharedAccessKey=" + canary + "-stream;UseDevelopmentEmulator=true",
		"TRIMTAB_CHECKPOINT_CONNECTION":         "DefaultEndpointsProtocol=https;AccountName=storagetwo;AccountKey=" + key + ";EndpointSuffix=core.windows.net",
		"METRICS_CONSUMER_GROUP":                "$Default",
		"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=" + canary + "-insights",
		"AZURE_CLIENT_SECRET":                   canary + "-client",
		"SOME_OTHER_SETTING":                    canary + "-other",
		"TRIMTAB_POLICIES":                      policies,
		"TRIMTAB_ARM_ENDPOINT":                  r.arm.Endpoints().ARM,
		"TRIMTAB_ARM_AUDIENCE":                  "https://management.azure.com",
		"TRIMTAB_LOG_LEVEL":                     "debug",
		"TRIMTAB_CLOCK":                         fmt.Sprintf("%d,%s,%d", speed, origin.Format(time.RFC3339), wall.UnixMilli()),
		"IDENTITY_ENDPOINT":                     identity.URL,
		"IDENTITY_HEADER":                       canary + "-identity",
		"SSL_CERT_FILE":                         ca,
	}
	for name, value := range storage {
		r.settings[name] = value
	}
	r.host = host(t, func(o *fakehost.Options) {
		o.Settings, o.Now = r.settings, r.now
		o.IdentityEndpoint, o.IdentityHeader = "", ""
	})
	return r
}

// live has a change made, fail and be asked about, with everything on its way that can go wrong.
// settled reports whether no change is under way, by the ledger.
func (r *rig) live(t *testing.T, settled func() bool) string {
	t.Helper()
	var written strings.Builder
	note := func(result fakehost.Result, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range result.Attempts {
			written.Write(a.Body)
		}
	}
	for _, knob := range []arm.Knob{
		arm.Fault{Method: "GET", Status: 401, Code: "ExpiredAuthenticationToken"},
		arm.Fault{Method: "PATCH", Status: 503, Code: "ServerTimeout", After: true},
		arm.PlanNext{Set: web, Plan: arm.Plan{Seconds: 60}},
		arm.Fault{Method: "GET", Path: "/operations/", Drop: true},
		arm.Fault{Method: "GET", Path: "/operations/", Status: 500, Code: "InternalServerError"},
	} {
		if err := r.arm.Turn(knob); err != nil {
			t.Fatal(err)
		}
	}
	made := func() bool {
		s, err := r.arm.Set(web)
		return err == nil && s.Capacity > 10 && s.Operation == nil
	}
	note(r.host.Deliver(t.Context(), "function", "0", load(r.now(), web, 1, 5, 90)))
	sequence := int64(6)
	for end := time.Now().Add(time.Minute); !made(); sequence++ {
		if time.Now().After(end) {
			t.Fatal("the changes were not made within a minute")
		}
		note(r.host.Deliver(t.Context(), "function", "0", load(r.now(), web, sequence, 1, 95)))
		note(r.host.Tick(t.Context(), "sweep", false))
		<-time.After(20 * time.Millisecond)
	}
	note(r.host.Deliver(t.Context(), "function", "0", []fakehost.Event{{Body: []byte("junk"), Sequence: sequence, EnqueuedAt: r.now()}}))
	for end := time.Now().Add(time.Minute); !settled(); {
		if time.Now().After(end) {
			t.Fatal("the changes had not ended within a minute")
		}
		note(r.host.Tick(t.Context(), "sweep", false))
		<-time.After(20 * time.Millisecond)
	}
	// A process that gets no token any more: the credential waits half a minute after a failure, so this comes last.
	r.fail.Store(true)
	r.host.Kill()
	for end := time.Now().Add(time.Minute); ; {
		note(r.host.Tick(t.Context(), "sweep", false))
		_, out := command(t, r.settings, "explain", "web")
		if strings.Contains(out, "no token") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("nobody missed the token:\n%s", out)
		}
	}
	for _, args := range [][]string{{"explain", "web"}, {"explain", "web", "--change"}, {"explain", "web", "--json"}, {"serve", "--help"}, {"explain", "nobody"}} {
		_, out := command(t, r.settings, args...)
		written.WriteString(out)
	}
	page := filepath.Join(t.TempDir(), "page.html")
	if code, out := command(t, r.settings, "report", "--out", page); code != 0 {
		t.Fatalf("the report was not drawn: %s", out)
	}
	drawn, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	written.Write(drawn)
	r.host.Stop()
	for _, l := range r.host.Lines() {
		written.WriteString(l.Text + "\n")
	}
	for _, sign := range []string{"change not accepted", "Outcome: applied", "no token"} {
		if !strings.Contains(written.String(), sign) {
			t.Errorf("nothing written speaks of %q: what was to be searched did not happen", sign)
		}
	}
	return written.String()
}

// search looks for every secret in a text, as it is and in the ways in which it may be written.
func (r *rig) search(t *testing.T, where, text string, secrets ...string) {
	t.Helper()
	secrets = append(secrets, canary, r.arm.Token(), azurite.Key)
	for _, s := range secrets {
		if s == "" {
			t.Fatal("an empty secret")
		}
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{
			s, strings.Trim(string(quoted), `"`), base64.StdEncoding.EncodeToString([]byte(s)), strings.ReplaceAll(s, "=", "%3D"),
		} {
			if i := strings.Index(text, form); i >= 0 {
				t.Errorf("%s holds %.12s…: …%.200s", where, form, text[max(0, i-100):])
			}
		}
	}
	// The middle of a base64 text of the canary, at its three alignments.
	for shift := range 3 {
		padded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + canary))
		if core := padded[4 : len(padded)-4]; strings.Contains(text, core) {
			t.Errorf("%s holds a canary in base64", where)
		}
	}
}

// TestSecretsNeverReachLogRowOrPageOfATable looks at everything when changes have ended: while one is under way, its
// control row holds the URL by which any process may ask about it, signature included, and nothing else does.
func TestSecretsNeverReachLogRowOrPageOfATable(t *testing.T) {
	storage := azurite.Start(t)
	r := plant(t, map[string]string{"TRIMTAB_TABLE_CONNECTION": storage.ConnectionString, "TRIMTAB_TABLE_NAME": "secrets"})
	memory, err := ledger.OpenTable(t.Context(), ledger.TableOptions{ConnectionString: storage.ConnectionString, Table: "secrets"})
	if err != nil {
		t.Fatal(err)
	}
	r.search(t, "what the program wrote", r.live(t, func() bool {
		stored, err := memory.Load(t.Context(), "web")
		return err == nil && stored.Control.Intent == nil
	}), signed)
	client, err := aztables.NewServiceClientFromConnectionString(storage.ConnectionString, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for pager := client.NewClient("secrets").NewListEntitiesPager(nil); pager.More(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, entity := range page.Entities {
			rows++
			r.search(t, "a row", string(entity)+unpacked(t, entity), signed)
		}
	}
	if rows < 10 {
		t.Errorf("only %d rows were looked at", rows)
	}
}

// unpacked is everything in a row that was compressed.
func unpacked(t *testing.T, entity []byte) string {
	t.Helper()
	var cells map[string]any
	if err := json.Unmarshal(entity, &cells); err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	for name := range cells {
		document, ok := strings.CutSuffix(name, "_00")
		if !ok {
			continue
		}
		var packed []byte
		for i := 0; ; i++ {
			part, ok := cells[fmt.Sprintf("%s_%02d", document, i)].(string)
			if !ok {
				break
			}
			data, err := base64.StdEncoding.DecodeString(part)
			if err != nil {
				break
			}
			packed = append(packed, data...)
		}
		// What is not compressed does not inflate, and was looked at as it is.
		_, _ = io.Copy(&whole, flate.NewReader(bytes.NewReader(packed)))
		whole.WriteByte('\n')
	}
	return whole.String()
}

func TestSecretsNeverReachAFolder(t *testing.T) {
	folder := t.TempDir()
	r := plant(t, map[string]string{"TRIMTAB_LEDGER": "file:" + folder})
	r.search(t, "what the program wrote", r.live(t, func() bool {
		memory, err := ledger.OpenFileReader(folder)
		if err != nil {
			return false
		}
		defer func() { _ = memory.Close() }()
		stored, err := memory.Load(t.Context(), "web")
		return err == nil && stored.Control.Intent == nil
	}), signed)
	files := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		r.search(t, filepath.Base(path), string(text))
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestARefusedStartShowsNoSecret(t *testing.T) {
	for name, settings := range map[string]map[string]string{
		"a signature in the address of the table": {"TRIMTAB_TABLE_ENDPOINT": "https://a.table.core.windows.net/?sv=1&sig=" + canary},
		"a password in the address of ARM":        {"TRIMTAB_ARM_ENDPOINT": "https://me:" + canary + "@management.azure.com", "TRIMTAB_LEDGER": "memory"},
		"a connection string that is broken":      {"TRIMTAB_TABLE_CONNECTION": "AccountName=storageone;AccountKey=" + canary},
		"a connection string with a signature":    {"TRIMTAB_TABLE_CONNECTION": "TableEndpoint=https://a.table.core.windows.net;SharedAccessSignature=" + canary},
		"a connection string with plain http":     {"TRIMTAB_TABLE_CONNECTION": "DefaultEndpointsProtocol=http;AccountName=storageone;AccountKey=" + canary},
		"the host's storage, broken":              {"AzureWebJobsStorage": "AccountKey=" + canary},
		"a stream that is broken":                 {"TRIMTAB_STREAM_HUB": "d", "TRIMTAB_STREAM_CONNECTION": "Endpoint=" + canary},
		"checkpoints that are broken":             {"TRIMTAB_CHECKPOINT_CONNECTION": "AccountKey=" + canary},
		"a bundle service that is broken":         {"TRIMTAB_LEDGER": "memory", "TRIMTAB_BUNDLES": `{"services":{"s":{"url":"::","credentials":{"bearer":{"token":"` + canary + `"}}}}}`},
		"a misspelt setting":                      {"TRIMTAB_TABLE_CONECTION": canary, "TRIMTAB_LEDGER": "memory"},
		"a secret where a folder is expected":     {"TRIMTAB_LEDGER": canary},
		"both ways to the table":                  {"TRIMTAB_TABLE_ENDPOINT": "https://a.table.core.windows.net", "TRIMTAB_TABLE_CONNECTION": "AccountKey=" + canary},
	} {
		t.Run(name, func(t *testing.T) {
			code, out := command(t, settings, "serve")
			if code != 1 || !strings.Contains(out, "cannot start") {
				t.Errorf("exit code %d:\n%s", code, out)
			}
			if strings.Contains(out, canary) && name != "a secret where a folder is expected" {
				t.Errorf("the secret is shown:\n%s", out)
			}
		})
	}
}
