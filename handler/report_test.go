package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReportDrawsTheJournal(t *testing.T) {
	environ, at := journal(t)
	dir := t.TempDir()
	for name, c := range map[string]struct {
		args       []string
		want, less []string
	}{
		"all pools":    {nil, []string{"2 entries", "Grow from 10 to 12", "cooldown_grow"}, nil},
		"one pool":     {[]string{"web"}, []string{"2 entries"}, nil},
		"a time of it": {[]string{"--since", at.Add(time.Second).Format(time.RFC3339)}, []string{"1 entries", "Hold at 12"}, []string{"Grow from 10"}},
		"the newest":   {[]string{"--most", "1"}, []string{"Hold at 12"}, []string{"Grow from 10"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "page.html")
			code, out, errs := call(t, environ, append([]string{"report", "--out", file}, c.args...)...)
			if code != exitDone {
				t.Fatalf("exit %d: %s", code, errs)
			}
			page, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(page)+out, want) {
					t.Errorf("does not say %q: %s", want, out)
				}
			}
			for _, less := range c.less {
				if strings.Contains(string(page), less) {
					t.Errorf("says %q", less)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".trimtab-report-*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestReportSaysWhatIsWrong(t *testing.T) {
	environ, at := journal(t)
	file := filepath.Join(t.TempDir(), "page.html")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"an unknown pool":          {[]string{"wbe"}, "these pools have: web"},
		"an instant that is none":  {[]string{"--since", "yesterday"}, "not an RFC 3339 instant"},
		"a time without entries":   {[]string{"--since", at.Add(time.Hour).Format(time.RFC3339)}, "nothing to draw"},
		"a count of none":          {[]string{"--most", "0"}, "at least one"},
		"a folder that is missing": {[]string{"--out", "/nowhere/at/all/page.html"}, "/nowhere/at/all"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errs := call(t, environ, append([]string{"report", "--out", file}, c.args...)...)
			if code == exitDone || !strings.Contains(errs, c.want) {
				t.Errorf("exit %d, want a failure that says %q: %s", code, c.want, errs)
			}
		})
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a file was written although nothing could be drawn")
	}
}
