package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trimtab/tests/armemu/arm"
)

func TestRunWritesItsEndpointsAndEndsWhenTold(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "config.json")
	set := "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/web"
	if err := os.WriteFile(config, []byte(`{"sets":[{"id":"`+set+`","capacity":2}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-dir", dir, "-config", config, "-clock", "60,2025-11-01T00:00:00Z,1760000000000"}, in, io.Discard)
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "armemu: ready ") {
		t.Fatalf("got %q, %v", line, err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "endpoints.json"))
	if err != nil {
		t.Fatal(err)
	}
	var e arm.Endpoints
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(e.ARM, "https://127.0.0.1:") || !strings.HasPrefix(e.Identity, "http://127.0.0.1:") || !strings.HasPrefix(e.Control, "http://127.0.0.1:") || e.IdentityHeader == "" {
		t.Errorf("got %+v", e)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil || !x509.NewCertPool().AppendCertsFromPEM(ca) || bytes.Contains(ca, []byte("PRIVATE")) {
		t.Errorf("ca.pem is no certificate authority: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("got %v, want a clean end", err)
	}
}

func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "config.json")
	if err := os.WriteFile(config, []byte(`{"stes":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"no folder":                    {},
		"an argument too many":         {"-dir", dir, "x"},
		"a folder that is not there":   {"-dir", filepath.Join(dir, "none")},
		"an address that is not local": {"-dir", dir, "-listen", "0.0.0.0"},
		"a configuration with a typo":  {"-dir", dir, "-config", config},
		"a configuration that is gone": {"-dir", dir, "-config", config + "x"},
		"a clock that stands still":    {"-dir", dir, "-clock", "0,2025-11-01T00:00:00Z,1"},
		"a flag that is not known":     {"-nope"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
				t.Error("it ran")
			}
		})
	}
}
