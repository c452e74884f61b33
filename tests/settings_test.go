package tests_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// settingName is the form of an application setting: upper case with underscores, or the host's own.
var settingName = regexp.MustCompile(`^(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|AzureWebJobs[A-Za-z]+(?:__[A-Za-z]+)?)$`)

// given are settings that the handler reads and nobody writes by hand, or that are another form of one in the sample.
var given = map[string]string{
	"FUNCTIONS_CUSTOMHANDLER_PORT":         "the host gives it",
	"IDENTITY_ENDPOINT":                    "the platform gives it where there is a managed identity",
	"AzureWebJobsStorage__tableServiceUri": "AzureWebJobsStorage by identity, in place of the connection string",
	"AzureWebJobsStorage__accountName":     "AzureWebJobsStorage by identity, in place of the connection string",
	"AzureWebJobsStorage__blobServiceUri":  "AzureWebJobsStorage by identity, in place of the connection string",
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
