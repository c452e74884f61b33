package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckEndsAsItsHelpSays(t *testing.T) {
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../policies")); err != nil {
		t.Fatal(err)
	}
	// The library has tests enough of its own to make this slow.
	if err := filepath.WalkDir(filepath.Join(folder, "lib"), func(at string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(at, "_test.rego") {
			err = os.Remove(at)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	out, errs, code := desk(t, "check", "--regal", "off", "--threshold", "0", folder)
	if code != exitDone || !strings.Contains(out, "regal   not run") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	web := filepath.Join(folder, "pools", "web", "web.rego")
	text, err := os.ReadFile(web)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(web, append(text, "\nbroken  := input.no\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code = desk(t, "check", "--regal", "off", "--output", "github", folder)
	if code != exitFailed || !strings.Contains(out, "::error file="+filepath.ToSlash(folder)+"/pools/web/web.rego,line=") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	for name, args := range map[string][]string{
		"a folder that is none": {"check", "nowhere"},
		"a form that is none":   {"check", folder, "--output", "yaml"},
		"a flag that is none":   {"check", folder, "--colour"},
	} {
		if _, errs, code := desk(t, args...); code != exitUsage || errs == "" {
			t.Errorf("%s: exit %d, %q", name, code, errs)
		}
	}
	t.Setenv("PATH", t.TempDir())
	t.Chdir(t.TempDir())
	if _, errs, code := desk(t, "check", folder, "--regal", "require"); code != exitUsage || !strings.Contains(errs, "regal is required") {
		t.Errorf("without Regal: exit %d, %q", code, errs)
	}
}
