package vmss_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/tests/armemu/arm"
)

const (
	web  = "/subscriptions/5a1f0000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/web"
	jobs = "/subscriptions/5a1f0000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/jobs"
	// signed is a part of the query of every operation URL that the emulator hands out.
	signed = "c2lnbmVk"
)

// staticCredential hands out one token, or one error.
type staticCredential struct {
	token string
	err   error
}

func (c staticCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: c.token, ExpiresOn: time.Now().Add(time.Hour)}, c.err
}

// platform starts an emulator with a flexible set with a mix, web, and a uniform one, jobs.
func platform(t *testing.T, change ...func(*arm.Config)) *arm.Server {
	t.Helper()
	cfg := arm.Config{Polls: 1, Sets: []arm.SetConfig{
		{ID: web, Priority: arm.Spot, EvictionPolicy: arm.Delete, Capacity: 3, Mix: &arm.Mix{Base: 2, RegularPercent: 50}},
		{ID: jobs, Orchestration: arm.Uniform, Capacity: 4, Size: "Standard_E4s_v5", Location: "northeurope"},
	}}
	for _, c := range change {
		c(&cfg)
	}
	emu, err := arm.Start(cfg, arm.Options{})
	if err != nil {
		t.Fatalf("start the emulator: %v", err)
	}
	t.Cleanup(func() {
		if err := emu.Close(); err != nil {
			t.Errorf("close the emulator: %v", err)
		}
	})
	return emu
}

// fleet makes a client of the emulator with no budgets and no patience, unless changed.
func fleet(t *testing.T, emu *arm.Server, change ...func(*vmss.Options)) *vmss.Fleet {
	t.Helper()
	transport := emu.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	o := vmss.Options{
		Endpoint: emu.Endpoints().ARM, Now: time.Now, Transport: transport, RetryDelay: time.Millisecond,
		Budgets: vmss.Budgets{SetReads: -1, SetWrites: -1, SetFollows: -1, SubscriptionReads: -1, SubscriptionWrites: -1},
	}
	for _, c := range change {
		c(&o)
	}
	f, err := vmss.New(staticCredential{token: emu.Token()}, o)
	if err != nil {
		t.Fatalf("new fleet: %v", err)
	}
	return f
}

func turn(t *testing.T, emu *arm.Server, knobs ...arm.Knob) {
	t.Helper()
	for _, k := range knobs {
		if err := emu.Turn(k); err != nil {
			t.Fatalf("turn %T: %v", k, err)
		}
	}
}

// sent counts the requests of a method that reached the emulator.
func sent(emu *arm.Server, method string) int {
	n := 0
	for _, r := range emu.Requests() {
		if r.Method == method {
			n++
		}
	}
	return n
}

// failed unwraps a FleetError and checks what must hold of every one.
func failed(t *testing.T, err error, op string) *scale.FleetError {
	t.Helper()
	var fe *scale.FleetError
	if !errors.As(err, &fe) {
		t.Fatalf("got %v, want a FleetError", err)
	}
	if fe.Op != op {
		t.Errorf("got op %q, want %q", fe.Op, op)
	}
	for e := error(fe); e != nil; e = errors.Unwrap(e) {
		for _, secret := range []string{signed, "Bearer", "asyncURL"} {
			if strings.Contains(e.Error(), secret) {
				t.Errorf("the error's text has %q: %v", secret, e)
			}
		}
	}
	if strings.Contains(fe.Error(), "\n") {
		t.Errorf("the error has several lines: %v", fe)
	}
	return fe
}

func wantClass(t *testing.T, err error, op string, class scale.Class, status int, code string) *scale.FleetError {
	t.Helper()
	fe := failed(t, err, op)
	if fe.Class != class || fe.Status != status || fe.Code != code {
		t.Errorf("got class %q, status %d, code %q; want %q, %d, %q (%v)", fe.Class, fe.Status, fe.Code, class, status, code, fe)
	}
	return fe
}

// capacity reads the set and makes the change to n that is conditional on what was read.
func capacity(t *testing.T, f *vmss.Fleet, set string, n int) scale.Change {
	t.Helper()
	facts, err := f.Read(t.Context(), set)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return scale.Change{Capacity: &n, ETag: facts.ETag}
}

// accepted makes the change and fails unless ARM takes it.
func accepted(t *testing.T, f *vmss.Fleet, set string, n int) scale.Accepted {
	t.Helper()
	a, err := f.Change(t.Context(), set, capacity(t, f, set, n))
	if err != nil {
		t.Fatalf("change to %d: %v", n, err)
	}
	if a.Done || a.Token == "" || a.PollAfter <= 0 {
		t.Fatalf("got %+v, want an operation to follow", a)
	}
	return a
}

// follow asks until the operation is over, at most a few times.
func follow(t *testing.T, f *vmss.Fleet, token string) scale.Progress {
	t.Helper()
	for range 5 {
		p, err := f.Follow(t.Context(), token)
		if err != nil {
			t.Fatalf("follow: %v", err)
		}
		if p.Done {
			return p
		}
	}
	t.Fatal("the operation does not end")
	return scale.Progress{}
}

func TestNewRefusesWhatItCannotUse(t *testing.T) {
	now := time.Now
	cred := staticCredential{token: "t"}
	cases := []struct {
		name string
		cred azcore.TokenCredential
		o    vmss.Options
	}{
		{"no credential", nil, vmss.Options{Now: now}},
		{"no clock", cred, vmss.Options{}},
		{"an endpoint over http, where no token may go", cred, vmss.Options{Now: now, Endpoint: "http://127.0.0.1:1"}},
		{"an endpoint with a path", cred, vmss.Options{Now: now, Endpoint: "https://127.0.0.1/arm"}},
		{"an endpoint with a user", cred, vmss.Options{Now: now, Endpoint: "https://a:b@127.0.0.1"}},
		{"an endpoint that is no URL", cred, vmss.Options{Now: now, Endpoint: "://"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := vmss.New(c.cred, c.o); err == nil {
				t.Error("got no error")
			}
		})
	}
	if _, err := vmss.New(cred, vmss.Options{Now: now}); err != nil {
		t.Errorf("the public cloud needs nothing but credential and clock: %v", err)
	}
}

func TestWhatIsNotAScaleSetIsInvalidAndNothingIsSent(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	for _, id := range []string{
		"", "web", "/subscriptions/s/resourceGroups/rg",
		"/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web",
		web + "/virtualMachines/0",
	} {
		_, err := f.Read(t.Context(), id)
		wantClass(t, err, "read", scale.ClassInvalid, 0, "InvalidResourceID")
		n := 1
		_, err = f.Change(t.Context(), id, scale.Change{Capacity: &n, ETag: `"1"`})
		wantClass(t, err, "change", scale.ClassInvalid, 0, "InvalidResourceID")
	}
	if got := len(emu.Requests()); got != 0 {
		t.Errorf("got %d requests, want none", got)
	}
}

func TestACredentialWithoutTokensSendsNothing(t *testing.T) {
	emu := platform(t)
	secret := errors.New("identity answered " + signed)
	f, err := vmss.New(staticCredential{err: secret}, vmss.Options{Endpoint: emu.Endpoints().ARM, Now: time.Now, Transport: emu.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	n := 1
	_, err = f.Change(t.Context(), web, scale.Change{Capacity: &n, ETag: `"1"`})
	wantClass(t, err, "change", scale.ClassUnknown, 0, "NoToken")
	_, err = f.Read(t.Context(), web)
	wantClass(t, err, "read", scale.ClassUnknown, 0, "NoToken")
	if got := len(emu.Requests()); got != 0 {
		t.Errorf("got %d requests, want none", got)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	change := capacity(t, f, web, 7)
	emu.ResetRequests()
	redirect := arm.Fault{Status: http.StatusTemporaryRedirect, Code: "Moved", Headers: map[string]string{"Location": emu.Endpoints().ARM + "/elsewhere?api-version=2026-04-01"}}
	turn(t, emu, redirect)
	_, err := f.Change(t.Context(), web, change)
	wantClass(t, err, "change", scale.ClassUnknown, http.StatusTemporaryRedirect, "Moved")
	turn(t, emu, redirect)
	_, err = f.Read(t.Context(), web)
	wantClass(t, err, "read", scale.ClassUnknown, http.StatusTemporaryRedirect, "Moved")
	if got := len(emu.Requests()); got != 2 {
		t.Errorf("got %d requests, want the two that were redirected", got)
	}
}
