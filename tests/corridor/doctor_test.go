package corridor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trimtab/internal/doctor"
	"trimtab/tests/armemu/arm"
	"trimtab/tests/broker"
	"trimtab/tests/fakehost"
)

// patient is the built program's doctor beside a broker, an emulator on the wall's clock and a table.
type patient struct {
	*rig
	broker *broker.Broker
	arm    *arm.Server
	env    []string
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	p := &patient{rig: newRig(t)}
	var err error
	p.broker, err = broker.Start(broker.Options{Hubs: []broker.Hub{{Name: "metrics", Partitions: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.broker.Close)
	p.arm, err = arm.Start(arm.Config{Sets: []arm.SetConfig{
		{ID: shop + "web", Priority: arm.Spot, EvictionPolicy: arm.Delete, Capacity: 10, Mix: &arm.Mix{Base: 2, RegularPercent: 25}},
		{ID: shop + "batch", Orchestration: arm.Uniform, Capacity: 4, Overprovision: new(bool)},
	}}, arm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.arm.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, p.arm.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	e := p.arm.Endpoints()
	p.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "SSL_CERT_FILE=" + ca,
		"IDENTITY_ENDPOINT=" + e.Identity, "IDENTITY_HEADER=" + e.IdentityHeader,
		"TRIMTAB_ARM_ENDPOINT=" + e.ARM, "TRIMTAB_ARM_AUDIENCE=https://management.azure.com",
		"TRIMTAB_TABLE_CONNECTION=" + p.connection(p.gate.listener.Addr().String()), "TRIMTAB_TABLE_NAME=" + p.table,
		"TRIMTAB_POLICIES=" + p.policies, "MetricsHub=" + p.broker.ConnectionString(), "METRICS_HUB=metrics",
	}
	return p
}

// run runs the program and returns its output and exit code.
func (p *patient) run(args ...string) (stdout, stderr string, code int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(p.t), args...)
	var out, complaints bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, &out, &complaints
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return out.String(), complaints.String(), cmd.ProcessState.ExitCode()
}

// report runs doctor for its report.
func (p *patient) report(code int, args ...string) doctor.Report {
	p.t.Helper()
	out, complaints, got := p.run(append([]string{"doctor", "--json"}, args...)...)
	var r doctor.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		p.t.Fatalf("no report: %v\n%s\n%s", err, out, complaints)
	}
	if got != code {
		p.t.Errorf("exit code %d, want %d:\n%s\n%s", got, code, out, complaints)
	}
	for _, f := range r.Findings {
		if strings.Contains(f.Says+f.Do, "AccountKey") || strings.Contains(f.Says+f.Do, "SharedAccessKey") {
			p.t.Errorf("a secret is told: %+v", f)
		}
	}
	return r
}

// levels are the levels of a check's findings about a subject.
func levels(r doctor.Report, subject, check string) (all []doctor.Level) {
	for _, f := range r.Findings {
		if f.Subject == subject && f.Check == check {
			all = append(all, f.Level)
		}
	}
	return all
}

func (p *patient) want(r doctor.Report, subject, check string, level doctor.Level) {
	p.t.Helper()
	if got := levels(r, subject, check); !slices.Equal(got, []doctor.Level{level}) {
		p.t.Errorf("%s of %s: got %v, want %s\n%+v", check, subject, got, level, r.Findings)
	}
}

func TestDoctorOnAnInstallationThatIsWell(t *testing.T) {
	p := newPatient(t)
	p.arm.ResetRequests()
	if err := p.arm.Turn(shippedRoles(t)); err != nil {
		t.Fatal(err)
	}
	sample := fmt.Sprintf(`{"trimtab":1,"resource":%q,"metric":"x","time":%q,"value":1}`, shop+"web", time.Now().UTC().Format(time.RFC3339))
	file := filepath.Join(t.TempDir(), "sample.json")
	if err := os.WriteFile(file, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, complaints, code := p.run("send", file); code != 0 {
		t.Fatalf("send: %s%s", out, complaints)
	}
	r := p.report(0)
	for _, check := range [][2]string{
		{"settings", "settings"},
		{"policies", "policies"},
		{"ledger", "table"},
		{"ledger", "clock"},
		{"ledger", "dead_letters"},
		{"hub", "hub"},
		{"arm", "clock"},
		{"web", "scale_set"},
		{"web", "autoscale"},
		{"web", "rights"},
		{"web", "usages"},
		{"batch", "scale_set"},
		{"batch", "rights"},
	} {
		p.want(r, check[0], check[1], doctor.OK)
	}
	// The app has never run.
	p.want(r, "web", "evaluated", doctor.Warning)
	for _, q := range p.arm.Requests() {
		if q.Method != "GET" {
			t.Errorf("doctor sent %s %s", q.Method, q.Path)
		}
	}
	out, _, code := p.run("doctor", "web")
	t.Log(out)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || !strings.HasPrefix(lines[len(lines)-1], "doctor: ok=") || strings.Contains(out, "batch ") {
		t.Errorf("as text, one pool: exit code %d\n%s", code, out)
	}
	if _, complaints, code := p.run("doctor", "nobody"); code != 1 || !strings.Contains(complaints, "there are: batch, web") {
		t.Errorf("a pool that is not there: exit code %d, %s", code, complaints)
	}
}

// shippedRoles are the roles of deploy/roles, assigned where their text says.
func shippedRoles(t *testing.T) arm.Grants {
	t.Helper()
	group, _, _ := strings.Cut(shop, "/providers/")
	subscription, _, _ := strings.Cut(shop, "/resourceGroups/")
	var grants arm.Grants
	for file, scope := range map[string]string{"trimtab-sets.json": group, "trimtab-subscription.json": subscription} {
		text, err := os.ReadFile(filepath.Join(root, "deploy", "roles", file))
		if err != nil {
			t.Fatal(err)
		}
		var role struct{ Actions, NotActions []string }
		if err := json.Unmarshal(text, &role); err != nil || len(role.Actions) == 0 {
			t.Fatalf("%s: %v", file, err)
		}
		grants.Grants = append(grants.Grants, arm.Grant{Scope: scope, Actions: role.Actions, NotActions: role.NotActions})
	}
	return grants
}

func TestDoctorFindsRivalsTrapsAndMissingRights(t *testing.T) {
	p := newPatient(t)
	two, yes := 2, true
	for _, k := range []arm.Knob{
		arm.Autoscale{Name: "rival", Target: shop + "web"},
		arm.Attach{Set: "web", Name: "pet"},
		arm.Skew{Seconds: 90},
		arm.SetConfig{ID: shop + "one", Capacity: 3, SinglePlacementGroup: &yes},
		arm.SetConfig{ID: shop + "two", Capacity: 3, Priority: arm.Spot, FaultDomains: &two, SpotRestore: "PT30M", Mix: &arm.Mix{}},
		arm.SetConfig{ID: shop + "three", Capacity: 3, Orchestration: arm.Uniform},
	} {
		if err := p.arm.Turn(k); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(p.policies, "pools", "web", "data.json")
	web, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	r := p.report(3)
	p.want(r, "web", "autoscale", doctor.Problem)
	p.want(r, "web", "attached", doctor.Problem)
	p.want(r, "arm", "clock", doctor.Problem)
	p.want(r, "hub", "hub", doctor.Problem)

	for _, c := range []struct {
		set    string
		checks map[string]doctor.Level
	}{
		{"one", map[string]doctor.Level{"mix_on_regular": doctor.Problem, "mix_in_one_group": doctor.Problem}},
		{"two", map[string]doctor.Level{"mix_fault_domains": doctor.Problem, "spot_restore": doctor.Warning, "eviction_policy": doctor.Warning}},
		{"three", map[string]doctor.Level{"orchestration": doctor.Problem, "mix": doctor.Problem, "overprovision": doctor.Warning}},
		{"four", map[string]doctor.Level{"scale_set": doctor.Problem}},
	} {
		text := strings.ReplaceAll(string(web), "virtualMachineScaleSets/web", "virtualMachineScaleSets/"+c.set)
		if text == string(web) {
			t.Fatalf("%s names no scale set", data)
		}
		if err := os.WriteFile(data, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := p.report(3, "web")
		for check, level := range c.checks {
			p.want(r, "web", check, level)
		}
	}
	if err := os.WriteFile(data, web, 0o600); err != nil {
		t.Fatal(err)
	}
	group, _, _ := strings.Cut(shop, "/providers/")
	if err := p.arm.Turn(arm.Grants{Grants: []arm.Grant{{Scope: group, Actions: []string{"Microsoft.Compute/*/read", "Microsoft.Authorization/*/read"}}}}); err != nil {
		t.Fatal(err)
	}
	r = p.report(3, "web")
	p.want(r, "web", "rights", doctor.Problem)
	p.want(r, "web", "usages", doctor.Warning)
	p.want(r, "web", "autoscale", doctor.Unknown)
}

func TestDoctorWithServicesThatAreDown(t *testing.T) {
	p := newPatient(t)
	p.gate.set(true)
	if err := p.arm.Turn(arm.Fault{Status: 503, Code: "ServerBusy", Times: 1000}); err != nil {
		t.Fatal(err)
	}
	r := p.report(3)
	p.want(r, "ledger", "table", doctor.Problem)
	p.want(r, "web", "scale_set", doctor.Unknown)
	p.env = append(p.env, "TRIMTAB_FREZE=1")
	r = p.report(3)
	p.want(r, "settings", "settings", doctor.Problem)
}

func TestDoctorOnAnAppThatRuns(t *testing.T) {
	r := newRig(t)
	h := r.host()
	r.deliver(h, 0, r.minutes("web", 0, 8, 40))
	p := newPatient(t)
	p.env = append(p.env, "TRIMTAB_TABLE_NAME="+r.table)
	report := p.report(3, "web")
	// The app's clock is not the wall's, so its last evaluation is long ago or to come; its signals are known.
	if len(levels(report, "web", "evaluated")) != 1 || len(levels(report, "web", "signal cpu")) != 1 {
		t.Errorf("got %+v", report.Findings)
	}
}

func TestDoctorLooksAtBothSetsOfAPairAndAtWhatNobodyListensTo(t *testing.T) {
	r := newRig(t)
	h := r.host()
	unheard := fmt.Sprintf(`{"trimtab":1,"resource":%q,"metric":"Queue Length","time":%q,"value":1}`, shop+"web", r.now().Format(time.RFC3339))
	r.sequence[0]++
	events := append(r.minutes("web", 0, 2, 40), fakehost.Event{Body: []byte(unheard), Sequence: r.sequence[0] + 10, EnqueuedAt: r.now()})
	r.deliver(h, 0, events)
	if _, err := h.Tick(t.Context(), "sweep", false); err != nil {
		t.Fatal(err)
	}

	p := newPatient(t)
	p.env = append(p.env, "TRIMTAB_TABLE_NAME="+r.table)
	if err := p.arm.Turn(arm.SetConfig{ID: shop + "batch-spot", Orchestration: arm.Uniform, Capacity: 2, Overprovision: new(bool)}); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(p.policies, "pools", "batch", "data.json"), `"orchestration": "uniform",`,
		`"orchestration": "uniform", "spot_scale_set": "`+shop+`batch-spot",`)
	report := p.report(3)
	p.want(report, "batch", "scale_set", doctor.OK)
	p.want(report, "batch.spot", "scale_set", doctor.OK)
	p.want(report, "batch.spot", "pair", doctor.Problem)
	if got := levels(report, "batch", "pair"); len(got) > 0 {
		t.Errorf("the regular set is well, got %v", got)
	}
	p.want(report, "ledger", "unrouted", doctor.OK)
	for _, f := range report.Findings {
		if f.Check == "unrouted" && !strings.Contains(f.Do, `"queue length"`) {
			t.Errorf("got %+v, want the series that nobody listens to", f)
		}
	}
}
