package tests_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
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
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, at), nil, parser.PackageClauseOnly|parser.ParseComments)
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
			t.Errorf("%s has %d package comments, in %v; want one: its purpose, then its invariant", p.room(), len(comments), comments)
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
	const text = "See `internal/scale/` and `policies/pools/*`, not `go test`.\n\n```\ntests/pack  writes the zip\n```\nno/path here\n"
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

// settingName is the form of an application setting: upper case with underscores, or the host's own.
var settingName = regexp.MustCompile(`^(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|AzureWebJobs[A-Za-z]+(?:__[A-Za-z]+)?)$`)

// given are settings that the handler reads and nobody writes by hand, or that are another form of one in the sample.
var given = map[string]string{
	"FUNCTIONS_CUSTOMHANDLER_PORT":         "the host gives it",
	"IDENTITY_ENDPOINT":                    "the platform gives it where there is a managed identity",
	"AzureWebJobsStorage__tableServiceUri": "AzureWebJobsStorage by identity, in place of the connection string",
	"AzureWebJobsStorage__accountName":     "AzureWebJobsStorage by identity, in place of the connection string",
}

// hosts are settings in the sample that only the host reads.
var hosts = map[string]string{
	"FUNCTIONS_WORKER_RUNTIME": "tells the host that the handler is a program of our own",
	"AzureWebJobsStorage":      "the host's own storage",
}

// settingsRead are the names of settings in the handler's source, tests aside.
func settingsRead(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "handler", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("handler/ has no Go files (%v)", err)
	}
	names := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("parse: %v", err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if value, err := strconv.Unquote(literal.Value); err == nil && settingName.MatchString(value) {
					names[value] = true
				}
			}
			return true
		})
	}
	if len(names) == 0 {
		t.Fatal("the handler's source names no setting; the rule would hold for nothing")
	}
	return slices.Sorted(maps.Keys(names))
}

// sampleSettings are the names in local.settings.sample.json.
func sampleSettings(t *testing.T) []string {
	t.Helper()
	var sample struct{ Values map[string]string }
	if err := json.Unmarshal([]byte(fileText(t, "local.settings.sample.json")), &sample); err != nil {
		t.Fatalf("local.settings.sample.json: %v", err)
	}
	return slices.Sorted(maps.Keys(sample.Values))
}

// doorSettings are the settings that the host puts into the doors' function.json, each with a door that needs it: what
// stands between percent signs, and the connection.
func doorSettings(t *testing.T) map[string]string {
	t.Helper()
	doors, err := filepath.Glob(filepath.Join(root, "*", "function.json"))
	if err != nil || len(doors) == 0 {
		t.Fatalf("there are no doors (%v)", err)
	}
	percent := regexp.MustCompile(`%([A-Za-z0-9_]+)%`)
	needs := map[string]string{}
	for _, name := range doors {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		door := filepath.Base(filepath.Dir(name)) + "/function.json"
		for _, found := range percent.FindAllStringSubmatch(string(text), -1) {
			needs[found[1]] = door
		}
		var function struct {
			Bindings []struct{ Connection string }
		}
		if err := json.Unmarshal(text, &function); err != nil {
			t.Fatalf("%s: %v", door, err)
		}
		for _, binding := range function.Bindings {
			if binding.Connection != "" {
				needs[binding.Connection] = door
			}
		}
	}
	return needs
}

// tableNames are the names in backticks in the first cell of each row of a document's tables.
func tableNames(markdown string) []string {
	var names []string
	for line := range strings.Lines(markdown) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || strings.TrimSpace(cells[0]) != "" {
			continue
		}
		for _, span := range codeSpan.FindAllStringSubmatch(cells[1], -1) {
			names = append(names, span[1])
		}
	}
	return names
}

func TestEverySettingIsInTheSample(t *testing.T) {
	sample, doors := sampleSettings(t), doorSettings(t)
	read := settingsRead(t)
	for _, name := range read {
		if _, ok := given[name]; !ok && !slices.Contains(sample, name) {
			t.Errorf("the handler reads %s, which local.settings.sample.json lacks", name)
		}
	}
	for name, door := range doors {
		if !slices.ContainsFunc(sample, func(s string) bool { return s == name || strings.HasPrefix(s, name+"__") }) {
			t.Errorf("%s needs %s, which local.settings.sample.json lacks", door, name)
		}
	}
	for _, name := range sample {
		connection, _, _ := strings.Cut(name, "__")
		if hosts[name] == "" && doors[connection] == "" && !slices.Contains(read, name) {
			t.Errorf("local.settings.sample.json has %s, which neither the handler nor a door nor the host reads", name)
		}
	}
	for name := range given {
		if !slices.Contains(read, name) {
			t.Errorf("given names %s, which the handler no longer reads", name)
		}
	}
}

func TestEverySettingIsInTheReadmesTable(t *testing.T) {
	table := tableNames(fileText(t, "README.md"))
	settings, doors := settingsRead(t), doorSettings(t)
	for _, name := range settings {
		if _, ok := given[name]; !ok && !slices.Contains(table, name) {
			t.Errorf("README.md's table of settings lacks %s, which the handler reads", name)
		}
	}
	for name, door := range doors {
		if !slices.ContainsFunc(table, func(s string) bool { return s == name || strings.HasPrefix(s, name+"__") }) {
			t.Errorf("README.md's table of settings lacks %s, which %s needs", name, door)
		}
	}
	for _, name := range table {
		if settingName.MatchString(name) && !slices.Contains(settings, name) && doors[name] == "" && hosts[name] == "" {
			t.Errorf("README.md's table has the setting %s, which nobody reads", name)
		}
	}
}

// target is a rule of the Makefile that a person may call; help is what stands behind it.
type target struct{ name, help string }

func targets(t *testing.T) []target {
	t.Helper()
	var all []target
	for _, rule := range regexp.MustCompile(`(?m)^([a-z]+):(?:[^=\n].*?)?(?:## (.*))?$`).FindAllStringSubmatch(fileText(t, "Makefile"), -1) {
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
		number := fmt.Sprintf("%04d", next)
		if !regexp.MustCompile(`^` + number + `-[a-z0-9]+(?:-[a-z0-9]+)*\.md$`).MatchString(path.Base(name)) {
			t.Errorf("%s: the next record must be named %s-WORDS.md", name, number)
		}
		next++
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
