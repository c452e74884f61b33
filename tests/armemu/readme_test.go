package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"trimtab/tests/armemu/arm"
)

var (
	configBlock = regexp.MustCompile("(?s)```json\n(.*?)```")
	knobRow     = regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| [^|]+ \\| `([^`]*)` \\|$")
)

// TestEachExampleOfTheDocumentationWorks starts what the page configures and turns each knob as its row says.
func TestEachExampleOfTheDocumentationWorks(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := configBlock.FindSubmatch(page)
	if block == nil {
		t.Fatal("the page shows no configuration")
	}
	cfg, err := arm.ParseConfig(block[1])
	if err != nil {
		t.Fatal(err)
	}
	server, err := arm.Start(cfg, arm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	send := func(method, url, token, body string) string {
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		transport := server.Transport()
		defer transport.CloseIdleConnections()
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(resp.StatusCode, " ", string(answer))
	}
	// Only a bucket that was used can be drained.
	if got := send(http.MethodGet, server.Endpoints().ARM+cfg.Sets[0].ID+"?api-version=2026-04-01", server.Token(), ""); !strings.HasPrefix(got, "200 ") {
		t.Fatal(got)
	}
	rows := knobRow.FindAllStringSubmatch(string(page), -1)
	for _, row := range rows {
		if got := send(http.MethodPost, server.Endpoints().Control+"/turn/"+row[1], "", row[2]); !strings.HasPrefix(got, "200 ") {
			t.Errorf("%s %s: got %s", row[1], row[2], got)
		}
	}
	if listed := strings.Count(string(page[strings.Index(string(page), "| knob |"):strings.Index(string(page), "Browsers are")]), "\n| `"); listed != len(rows) || listed == 0 {
		t.Errorf("%d of %d knobs have an example", len(rows), listed)
	}
}
