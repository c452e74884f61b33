package tests_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEachPackageHasOneCommentThatBeginsWithItsName(t *testing.T) {
	for _, p := range packages(t) {
		var comments []string
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles) {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			at := path.Join(p.room(), name)
			const mode = parser.PackageClauseOnly | parser.ParseComments
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, at), nil, mode)
			if err != nil {
				t.Errorf("parse: %v", err)
				continue
			}
			if file.Doc == nil {
				continue
			}
			comments = append(comments, at)
			text := file.Doc.Text()
			begins := strings.HasPrefix(text, "Package "+p.Name+" ")
			if p.Name == "main" {
				begins = begins || strings.HasPrefix(text, "Command ")
			}
			if !begins {
				first, _, _ := strings.Cut(text, "\n")
				t.Errorf("%s: the package comment begins %q, not with %q", at, first, "Package "+p.Name)
			}
		}
		// A folder of tests alone has no page in the documentation.
		if len(comments) != 1 && len(p.GoFiles) > 0 {
			t.Errorf("%s has %d package comments, in %v; want one: its purpose, then its invariant",
				p.room(), len(comments), comments)
		}
	}
}

// codeSpan is what stands between backticks in a Markdown text.
var codeSpan = regexp.MustCompile("`([^`\n]+)`")

// namedPaths are the code spans, and the words of code blocks, that are paths: without spaces, a slash at the end of a
// folder optional.
func namedPaths(markdown string) []string {
	var paths []string
	block := false
	for line := range strings.Lines(markdown) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			block = !block
			continue
		}
		words := strings.Fields(line)
		if !block {
			words = nil
			for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
				words = append(words, span[1])
			}
		}
		for _, word := range words {
			if word = strings.Trim(word, "(),;:"); word != "" && !strings.ContainsAny(word, " \t") {
				paths = append(paths, strings.TrimSuffix(word, "/"))
			}
		}
	}
	return paths
}

// folders are those that hold a file, by path. What lies in testdata belongs to the folder above it.
func folders(files []string) []string {
	set := map[string]bool{}
	for _, name := range files {
		folder := path.Dir(name)
		if at := strings.Index(folder+"/", "/testdata/"); at >= 0 {
			folder = folder[:at]
		}
		set[folder] = folder != "."
	}
	maps.DeleteFunc(set, func(_ string, keep bool) bool { return !keep })
	return slices.Sorted(maps.Keys(set))
}

// unnamed are the folders that no path names, by itself or by a pattern such as policies/pools/*.
func unnamed(folders, paths []string) []string {
	return slices.DeleteFunc(slices.Clone(folders), func(folder string) bool {
		return slices.ContainsFunc(paths, func(pattern string) bool {
			ok, err := path.Match(pattern, folder)
			return err == nil && ok
		})
	})
}

func TestArchitectureNamesEveryFolder(t *testing.T) {
	paths := namedPaths(fileText(t, "ARCHITECTURE.md"))
	for _, folder := range unnamed(folders(tracked(t)), paths) {
		t.Errorf("ARCHITECTURE.md does not name %s/: say what it is for, and what it does not do", folder)
	}
}

func TestDocumentsNameOnlyPathsThatAreThere(t *testing.T) {
	files := tracked(t)
	known := append(folders(files), files...)
	tops := map[string]bool{}
	for _, name := range files {
		if top, _, below := strings.Cut(name, "/"); below {
			tops[top] = true
		}
	}
	built := []string{"bin/trimtab"}
	for _, document := range []string{"README.md", "ARCHITECTURE.md"} {
		for _, named := range namedPaths(fileText(t, document)) {
			top, _, below := strings.Cut(strings.TrimPrefix(named, "./"), "/")
			if !below || !tops[top] || slices.Contains(built, named) || strings.Contains(named, "...") {
				continue
			}
			named = strings.TrimPrefix(named, "./")
			if !slices.ContainsFunc(known, func(name string) bool {
				ok, err := path.Match(named, name)
				return err == nil && ok || strings.HasPrefix(name, named+"/")
			}) {
				t.Errorf("%s names %s, which is not there", document, named)
			}
		}
	}
}

func TestPathsAreFoundInMarkdown(t *testing.T) {
	const text = "See `internal/scale/` and `policies/pools/*`, not `go test`.\n\n" +
		"```\ntests/pack  writes the zip\n```\nno/path here\n"
	got := namedPaths(text)
	want := []string{"internal/scale", "policies/pools/*", "tests/pack", "writes", "the", "zip"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	all := folders([]string{"a.go", "internal/scale/x.go", "internal/vmss/testdata/a/b.json", "policies/pools/web/x.rego"})
	if diff := cmp.Diff([]string{"internal/vmss"}, unnamed(all, got)); diff != "" {
		t.Errorf("unnamed folders (-want +got):\n%s", diff)
	}
}

// target is a rule of the Makefile that a person may call; help is what stands behind it.
type target struct{ name, help string }

func targets(t *testing.T) []target {
	t.Helper()
	var all []target
	rules := regexp.MustCompile(`(?m)^([a-z]+):(?:[^=\n].*?)?(?:## (.*))?$`)
	for _, rule := range rules.FindAllStringSubmatch(fileText(t, "Makefile"), -1) {
		all = append(all, target{rule[1], strings.TrimSpace(rule[2])})
	}
	return all
}

func TestEveryTargetSaysWhatItDoes(t *testing.T) {
	makefile := fileText(t, "Makefile")
	for _, target := range targets(t) {
		if target.help == "" {
			t.Errorf("Makefile: %s has no help behind ## on its line", target.name)
		}
		if !strings.Contains(makefile, ".PHONY: "+target.name+"\n") {
			t.Errorf("Makefile: %s is not .PHONY, so a file of that name would stop it", target.name)
		}
	}
}

func TestDocumentsNameOnlyTargetsThatAreThere(t *testing.T) {
	known := targets(t)
	call := regexp.MustCompile("(?m)(?:^|`|&& |\\$ )make ([a-z]+)")
	for _, document := range []string{"README.md", "ARCHITECTURE.md", ".ci/run"} {
		for _, found := range call.FindAllStringSubmatch(fileText(t, document), -1) {
			if !slices.ContainsFunc(known, func(k target) bool { return k.name == found[1] }) {
				t.Errorf("%s says make %s, which is no target", document, found[1])
			}
		}
	}
	readme := fileText(t, "README.md")
	for _, command := range []string{"make run", "make test"} {
		if !strings.Contains(readme, command) {
			t.Errorf("README.md does not say `%s`", command)
		}
	}
}

// headings are a Markdown document's headings of one level.
func headings(markdown, level string) []string {
	var found []string
	for line := range strings.Lines(markdown) {
		if title, ok := strings.CutPrefix(line, level+" "); ok {
			found = append(found, strings.TrimSpace(title))
		}
	}
	return found
}

func TestTheChangelogIsOpenAtTheTop(t *testing.T) {
	blocks := headings(fileText(t, "CHANGELOG.md"), "##")
	if len(blocks) == 0 || strings.Trim(blocks[0], "[]") != "Unreleased" {
		t.Errorf("CHANGELOG.md's first block must be Unreleased; its blocks are %q", blocks)
	}
}

func TestDecisionsAreNumberedWithoutGapsAndOfOneForm(t *testing.T) {
	form := headings(fileText(t, "docs/adr/0000-template.md"), "##")
	next := 0
	for _, name := range tracked(t) {
		if path.Dir(name) != "docs/adr" {
			continue
		}
		parts := regexp.MustCompile(`^(\d{4})(?:-[a-z0-9]+)+\.md$`).FindStringSubmatch(path.Base(name))
		if parts == nil {
			t.Errorf("%s: a record's name must be of the form 0001-words-in-lower-case.md", name)
			continue
		}
		number := parts[1]
		if want := fmt.Sprintf("%04d", next); number != want {
			t.Errorf("%s: the record after the last one must have number %s", name, want)
		}
		at, _ := strconv.Atoi(number)
		next = at + 1
		text := fileText(t, name)
		if titles := headings(text, "#"); len(titles) != 1 || !strings.HasPrefix(titles[0], number+" · ") {
			t.Errorf("%s: its one title must begin %q; titles are %q", name, "# "+number+" · ", titles)
		}
		if diff := cmp.Diff(form, headings(text, "##")); diff != "" {
			t.Errorf("%s: sections differ from the template's (-template +record):\n%s", name, diff)
		}
	}
}

func TestDecisionsThatAreReferredToAreThere(t *testing.T) {
	reference := regexp.MustCompile(`(?:docs/adr/|ADR )(\d{4})\b`)
	files := tracked(t)
	for _, name := range files {
		if path.Ext(name) == ".json" || strings.Contains(name, "/testdata/") {
			continue
		}
		for _, found := range reference.FindAllStringSubmatch(fileText(t, name), -1) {
			if !slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(f, "docs/adr/"+found[1]+"-") }) {
				t.Errorf("%s refers to decision %s, which is not in docs/adr", name, found[1])
			}
		}
	}
}
