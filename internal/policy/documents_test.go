package policy_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/tester"

	"trimtab/internal/policy"
)

const documents = "../../docs/policies/"

var update = flag.Bool("update", false, "write what is generated into docs/policies anew")

// What stock opa is told to refuse is what the engine refuses.
func TestTheCapabilitiesForStockToolsAreTheClosedList(t *testing.T) {
	want, err := json.MarshalIndent(policy.Capabilities(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	generated(t, "capabilities.json", string(want)+"\n")
	file, err := os.Open(documents + "capabilities.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c, err := ast.LoadCapabilitiesJSON(file)
	if err != nil || len(c.Builtins) != len(policy.Capabilities().Builtins) {
		t.Errorf("the file does not load as it was written: %v", err)
	}
}

// generated compares a file below docs/policies with what it should be.
func generated(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(documents+name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(documents + name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("docs/policies/%s is not up to date; go test ./internal/policy -update writes it anew:\n%s", name, d)
	}
}

// schemaNode is the part of a schema that the tables show.
type schemaNode struct {
	Description string                `json:"description"`
	Type        any                   `json:"type"`
	Enum        []string              `json:"enum"`
	Properties  map[string]schemaNode `json:"properties"`
	Additional  json.RawMessage       `json:"additionalProperties"`
	Items       *schemaNode           `json:"items"`
	Required    []string              `json:"required"`
}

// rows are the fields below a node, each with its path, in order.
func (n schemaNode) rows(path string) (rows []string) {
	for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
		field := n.Properties[name]
		at := path + "." + name
		kind := fmt.Sprint(field.Type)
		if many, ok := field.Type.([]any); ok {
			kind = fmt.Sprint(many[0]) + " or null"
		}
		switch {
		case len(field.Enum) > 0:
			kind = "one of " + strings.Join(field.Enum, ", ")
		case field.Type == nil:
			kind = "integer"
		}
		when := "always"
		if !slices.Contains(n.Required, name) {
			when = "not always"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |", strings.TrimPrefix(at, "."), kind, when, field.Description))
		rows = append(rows, field.rows(at)...)
		if field.Items != nil {
			rows = append(rows, field.Items.rows(at+"[…]")...)
		}
		var additional schemaNode
		if json.Unmarshal(field.Additional, &additional) == nil && len(additional.Properties) > 0 {
			rows = append(rows, additional.rows(at+".NAME")...)
		}
	}
	return rows
}

// The tables of the contract are the schemas; only what stands between their marks is generated.
func TestTheContractsTablesAreTheSchemas(t *testing.T) {
	page, err := os.ReadFile(documents + "contract.md")
	if err != nil {
		t.Fatal(err)
	}
	want := string(page)
	for schema, root := range map[string]string{"input": "input", "proposal": ""} {
		var node schemaNode
		if err := json.Unmarshal(shippedFile(t, "schemas/"+schema+"/schema.json"), &node); err != nil {
			t.Fatal(err)
		}
		for _, row := range node.rows(root) {
			if strings.HasSuffix(row, "|  |") {
				t.Errorf("%s: not described: %s", schema, row)
			}
		}
		table := "| field | type | given | what it is |\n| --- | --- | --- | --- |\n" + strings.Join(node.rows(root), "\n")
		marks := regexp.MustCompile(`(?s)(<!-- ` + schema + ` -->\n).*?(\n<!-- end -->)`)
		if !marks.MatchString(want) {
			t.Fatalf("contract.md has no marks for %s", schema)
		}
		want = marks.ReplaceAllStringFunc(want, func(string) string { return "<!-- " + schema + " -->\n" + table + "\n<!-- end -->" })
	}
	generated(t, "contract.md", want)
}

// Every function that authors can call has a place in the pages, and every Rego block of theirs is a policy that loads.
func TestThePagesNameEveryFunctionOfTheLibrary(t *testing.T) {
	pages := allPages(t)
	for file, m := range stock(t).Modules {
		if !strings.HasPrefix(file, "lib/") || strings.HasSuffix(file, "_test.rego") {
			continue
		}
		path := strings.Split(m.Parsed.Package.Path.String(), ".")
		for _, r := range m.Parsed.Rules {
			if n := r.Head.Name.String(); !strings.HasPrefix(n, "_") && !strings.Contains(pages, path[len(path)-1]+"."+n+"(") {
				t.Errorf("no page has %s.%s", path[len(path)-1], n)
			}
		}
	}
}

// The table of formulas names tests: each is where it says, and each rule is one of the library's or a field's.
func TestTheTableOfFormulasNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile(documents + "formulas.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("(?m)^\\|.*\\| `([a-z0-9_./]+_test\\.(?:rego|go))` `(\\w+)` \\|$").FindAllStringSubmatch(string(page), -1)
	if rows := strings.Count(string(page), "\n| ") - 2; len(named) != rows || rows < 30 {
		t.Errorf("%d of %d rows name a test", len(named), rows)
	}
	for _, n := range named {
		text, err := os.ReadFile("../../" + n[1])
		if err != nil {
			t.Error(err)
			continue
		}
		if !regexp.MustCompile(`(?m)^(func )?` + n[2] + `\b`).Match(text) {
			t.Errorf("%s has no %s", n[1], n[2])
		}
	}
}

func allPages(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(documents)
	if err != nil {
		t.Fatal(err)
	}
	var pages strings.Builder
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".md") {
			text, err := os.ReadFile(documents + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			pages.Write(text)
		}
	}
	return pages.String()
}

// Each Rego block of a page is a module as it stands: the policies compile as the engine compiles them, and their tests
// pass with stock means.
func TestTheExamplesInThePagesWork(t *testing.T) {
	entries, err := os.ReadDir(documents)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```rego\n(package pools\\.(\\w+)\n.*?)```")
	ran := 0
	for _, e := range entries {
		page, err := os.ReadFile(documents + e.Name())
		if err != nil || !strings.HasSuffix(e.Name(), ".md") {
			continue
		}
		t.Run(e.Name(), func(t *testing.T) {
			modules := map[string]*ast.Module{}
			for name, m := range stock(t).Modules {
				if strings.HasPrefix(name, "lib/") && !strings.HasSuffix(name, "_test.rego") {
					modules[name] = m.Parsed
				}
			}
			for _, block := range blocks.FindAllSubmatch(page, -1) {
				text, name := string(block[1]), string(block[2])
				formatted, err := format.SourceWithOpts(name, block[1], format.Opts{RegoVersion: ast.RegoV1})
				if err != nil || string(formatted) != text {
					t.Errorf("%s: not as opa fmt has it: %v %s", name, err, cmp.Diff(string(formatted), text))
				}
				if modules[name], err = ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV1}); err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(name, "_test") {
					continue
				}
				ran++
				tree := with(t, map[string]string{"pools/" + name + "/" + name + ".rego": text})
				if _, err := policy.Load(context.Background(), tree); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			results, err := tester.NewRunner().SetModules(modules).RunTests(context.Background(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for r := range results {
				if r.Fail || r.Error != nil {
					t.Errorf("%s.%s: %v %s", r.Package, r.Name, r.Error, asJSON(t, r.SubResults))
				}
			}
		})
	}
	if ran < 5 {
		t.Errorf("%d examples: some were not found", ran)
	}
}
