package vmss_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
)

// bodies remembers which requests net/http could have sent a second time by itself.
type bodies struct {
	wire
	repeatable map[string]bool
}

func (b *bodies) RoundTrip(r *http.Request) (*http.Response, error) {
	b.repeatable[r.Method] = r.Body != nil && r.GetBody != nil
	return b.wire.RoundTrip(r)
}

func TestNetHTTPCannotRepeatAWrite(t *testing.T) {
	b := &bodies{repeatable: map[string]bool{}}
	b.status, b.body = 200, []byte(`{"properties":{"provisioningState":"Succeeded"}}`)
	f, err := vmss.New(staticCredential{token: "t"}, vmss.Options{Endpoint: "https://arm.invalid", Now: time.Now, Transport: b})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Change(t.Context(), web, scale.Change{Capacity: ptr(5), ETag: `"1"`}); err != nil {
		t.Fatal(err)
	}
	if repeatable, sent := b.repeatable[http.MethodPatch]; !sent || repeatable {
		t.Errorf("got sent %v, repeatable %v; want a PATCH whose body is there once", sent, repeatable)
	}
}

// Variables by which the test binary, started once more, finds the emulator.
const (
	childEndpoint = "VMSS_TEST_ENDPOINT"
	childToken    = "VMSS_TEST_TOKEN"
)

// The system's authorities are read once in a process, so this takes a process of its own: the transport of production
// trusts what SSL_CERT_FILE names, and needs no change of code to speak to an emulator (facts: VMSS 7.3).
func TestTheDefaultTransportTrustsTheSystemsAuthorities(t *testing.T) {
	if endpoint := os.Getenv(childEndpoint); endpoint != "" {
		f, err := vmss.New(staticCredential{token: os.Getenv(childToken)}, vmss.Options{Endpoint: endpoint, Now: time.Now, ReadRetries: -1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Read(t.Context(), web); err != nil {
			t.Fatal(err)
		}
		return
	}
	emu := platform(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, emu.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	child := func(env ...string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), append(env, childEndpoint+"="+emu.Endpoints().ARM, childToken+"="+emu.Token())...)
		return cmd.CombinedOutput()
	}
	if out, err := child("SSL_CERT_FILE=" + ca); err != nil {
		t.Errorf("with the authority: %v\n%s", err, out)
	}
	if out, err := child("SSL_CERT_FILE=" + os.DevNull); err == nil {
		t.Errorf("without the authority it was trusted all the same:\n%s", out)
	}
	if got := sent(emu, http.MethodGet); got != 1 {
		t.Errorf("got %d reads, want one", got)
	}
}
