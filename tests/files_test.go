package tests_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tracked are the files of the checkout that git knows or would take, by their path from its root with slashes.
func tracked(t *testing.T) []string {
	t.Helper()
	// A checkout may belong to somebody else than the one who tests it, in a container for one.
	cmd := exec.CommandContext(t.Context(), "git", "-c", "safe.directory=*",
		"ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v: %s\nthese tests need a git checkout", err, &complaints)
	}
	var names []string
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if info, err := os.Stat(filepath.Join(root, name)); err == nil && info.Mode().IsRegular() {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Fatal("git knows no file here; the rules would hold for nothing")
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// fileText is a file of the checkout. A file that a rule is about must be there.
func fileText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is missing", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// foreign are marks of one machine or one network in a file, which is then right nowhere else.
var foreign = []struct {
	pattern *regexp.Regexp
	but     *regexp.Regexp
	because string
}{
	{regexp.MustCompile(`(?m)(?:^|[^A-Za-z0-9_.-])/(?:root|work)/`), nil, "a path of one machine"},
	{
		regexp.MustCompile(`/home/[A-Za-z]+|/Users/[A-Za-z]+|[A-Za-z]:\\+Users\\`),
		regexp.MustCompile(`^/home/(?:site|data|LogFiles)$`), // folders of the platform
		"a path of one person's machine",
	},
	{regexp.MustCompile(`\.\./shared\b`), nil, "a path that is beside the checkout on one machine"},
	{
		regexp.MustCompile(`(?i)\b(?:(?:proxy|sum)\.golang|registry\.(?:npmjs|yarnpkg)|deb\.debian|pypi|pythonhosted)\.(?:org|com)\b`),
		nil, "the address of a registry: which one is used is the business of who builds",
	},
}

// foreignMarks are the marks in a text, each with its line.
func foreignMarks(text string) []string {
	var faults []string
	for _, mark := range foreign {
		for _, at := range mark.pattern.FindAllStringIndex(text, -1) {
			found := text[at[0]:at[1]]
			if mark.but != nil && mark.but.MatchString(found) {
				continue
			}
			line := 1 + strings.Count(text[:at[1]-1], "\n")
			faults = append(faults, fmt.Sprintf("%d: %q: %s", line, strings.TrimSpace(found), mark.because))
		}
	}
	return faults
}

func TestNoFileNamesAMachineOrARegistry(t *testing.T) {
	for _, name := range tracked(t) {
		text := fileText(t, name)
		if strings.ContainsRune(text, 0) {
			continue // not a text
		}
		for _, fault := range foreignMarks(text) {
			t.Errorf("%s:%s", name, fault)
		}
	}
}

func TestForeignMarksAreFound(t *testing.T) {
	// Spelt in two halves, or this file would be at fault itself.
	for text, want := range map[string]int{
		"cd /ro" + "ot/x":                      1,
		"a\n/wo" + "rk/main":                   1,
		"https://example.com/wo" + "rk/a":      0,
		"/ho" + "me/ann/x and /ho" + "me/site": 1,
		"C:\\Us" + "ers\\ann":                  1,
		"../sha" + "red/data":                  1,
		"https://registry.npm" + "js.org/a":    1,
		"golang.org/x/net":                     0,
	} {
		if got := foreignMarks(text); len(got) != want {
			t.Errorf("%q: got %d marks, want %d: %q", text, len(got), want, got)
		}
	}
}

func TestLockFilesHoldDigestsAndNoAddresses(t *testing.T) {
	locks := 0
	for _, name := range tracked(t) {
		if path.Base(name) != "package-lock.json" {
			continue
		}
		locks++
		var lock struct {
			Packages map[string]struct{ Version, Resolved, Integrity string }
		}
		if err := json.Unmarshal([]byte(fileText(t, name)), &lock); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for pkg, p := range lock.Packages {
			if p.Resolved != "" {
				t.Errorf("%s: %s has an address; npm leaves it out with omit-lockfile-registry-resolved=true", name, pkg)
			}
			if pkg != "" && p.Integrity == "" {
				t.Errorf("%s: %s has no digest", name, pkg)
			}
		}
	}
	if locks == 0 {
		t.Error("no package-lock.json: the emulator for the tests would be whatever is newest")
	}
}

// later matches what promises work in place of doing it; an issue remembers better.
var later = regexp.MustCompile(`\b(?:TODO|FIXME|XXX)\b`)

func TestNothingIsLeftForLaterInTheCode(t *testing.T) {
	for _, name := range tracked(t) {
		switch path.Ext(name) {
		case ".go":
			for _, fault := range goComments(name, fileText(t, name), later) {
				t.Error(fault)
			}
		case ".rego":
			for i, line := range strings.Split(fileText(t, name), "\n") {
				if _, comment, ok := strings.Cut(line, "#"); ok && later.MatchString(comment) {
					t.Errorf("%s:%d: %s", name, i+1, strings.TrimSpace(line))
				}
			}
		}
	}
}

// goComments are the comments in a Go source that a pattern is in. Names and strings are none.
func goComments(name, source string, pattern *regexp.Regexp) []string {
	fset := token.NewFileSet()
	var s scanner.Scanner
	s.Init(fset.AddFile(name, -1, len(source)), []byte(source), nil, scanner.ScanComments)
	var found []string
	for {
		at, kind, text := s.Scan()
		if kind == token.EOF {
			return found
		}
		if kind == token.COMMENT && pattern.MatchString(text) {
			found = append(found, fmt.Sprintf("%s: %s", fset.Position(at), strings.TrimSpace(text)))
		}
	}
}

func TestCommentsForLaterAreFound(t *testing.T) {
	source := "package x\n\n// TO" + "DO: more\nvar a = context.TODO() /* FIX" + "ME */\nvar b = \"TODO\"\n"
	if got := goComments("x.go", source, later); len(got) != 2 {
		t.Errorf("got %q, want the two comments", got)
	}
}
