package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"trimtab/internal/policy"
	"trimtab/policies"
)

// stock loads the shipped tree as the opa command does.
func stock(t *testing.T) *loader.Result {
	t.Helper()
	loaded, err := loader.NewFileLoader().WithFS(policies.FS).WithProcessAnnotation(true).All([]string{"."})
	if err != nil {
		t.Fatalf("the stock loader refuses the tree: %v", err)
	}
	return loaded
}

func TestThePoliciesOwnTestsPassAndCoverThem(t *testing.T) {
	ctx := context.Background()
	loaded := stock(t)
	modules := map[string]*ast.Module{}
	for name, m := range loaded.Modules {
		modules[name] = m.Parsed
	}
	store := inmem.NewFromObject(loaded.Documents)
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Abort(ctx, txn)
	tracer := cover.New()
	results, err := tester.NewRunner().SetStore(store).SetModules(modules).SetCoverageQueryTracer(tracer).RunTests(ctx, txn)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for r := range results {
		ran++
		if r.Fail || r.Skip || r.Error != nil {
			t.Errorf("%s.%s: fail %v, skip %v, error %v, cases %s", r.Package, r.Name, r.Fail, r.Skip, r.Error, asJSON(t, r.SubResults))
		}
	}
	if ran < 20 {
		t.Errorf("%d tests ran: some were not found", ran)
	}
	report := tracer.Report(modules)
	for name, f := range report.Files {
		if f.Coverage < 98 {
			t.Errorf("%s: coverage is %.1f %%, not 98; not covered: %s", name, f.Coverage, asJSON(t, f.NotCovered))
		}
	}
}

func TestThePoliciesPassTheStrictCheckWithSchemasUnderTheClosedList(t *testing.T) {
	schemas := ast.NewSchemaSet()
	for _, name := range []string{"input", "proposal", "pool"} {
		var schema any
		if err := json.Unmarshal(shippedFile(t, "schemas/"+name+"/schema.json"), &schema); err != nil {
			t.Fatalf("schema %s: %v", name, err)
		}
		schemas.Put(ast.MustParseRef("schema."+name+".schema"), schema)
	}
	check := func(over map[string]*ast.Module) ast.Errors {
		modules := map[string]*ast.Module{}
		for name, m := range stock(t).Modules {
			if !strings.HasSuffix(name, "_test.rego") {
				modules[name] = m.Parsed
			}
		}
		for name, m := range over {
			modules[name] = m
		}
		c := ast.NewCompiler().WithStrict(true).WithSchemas(schemas).WithUseTypeCheckAnnotations(true).
			WithCapabilities(policy.Capabilities())
		c.Compile(modules)
		return c.Errors
	}
	if errs := check(nil); len(errs) > 0 {
		t.Fatal(errs)
	}
	// The check is only worth something if it finds a name that the schema does not have.
	wrong := ast.MustParseModuleWithOpts(`# METADATA
# schemas:
#   - input: schema.input.schema
package pools.wrong

want contains input.signal`, ast.ParserOptions{ProcessAnnotation: true})
	if errs := check(map[string]*ast.Module{"wrong.rego": wrong}); len(errs) == 0 {
		t.Error("a name that the schema does not have was not found")
	}
}

func TestTheHousesConventionsForRego(t *testing.T) {
	entrypoints := 0
	// A package's own metadata stands once, in one of its files.
	packages := map[string]int{}
	for name, m := range stock(t).Modules {
		parsed := m.Parsed
		want := strings.ReplaceAll(path.Dir(name), "/", ".")
		if strings.HasSuffix(name, "_test.rego") {
			want += "_test"
		}
		if got := strings.TrimPrefix(parsed.Package.Path.String(), "data."); got != want {
			t.Errorf("%s: package %s, by its folder %s", name, got, want)
		}
		if strings.HasSuffix(name, "_test.rego") {
			continue
		}
		if _, err := fs.Stat(policies.FS, strings.TrimSuffix(name, ".rego")+"_test.rego"); err != nil {
			// A package without rules of its own to test would still want a file that says so.
			t.Errorf("%s has no tests beside it", name)
		}
		described := map[string]bool{}
		for _, a := range parsed.Annotations {
			entrypoints += map[bool]int{true: 1}[a.Entrypoint]
			if a.Title == "" || a.Description == "" {
				t.Errorf("%s:%d: metadata without title or description", name, a.Location.Row)
			}
			switch target := a.GetTargetPath().String(); a.Scope {
			case "package":
				packages[want]++
			default:
				described[target[strings.LastIndex(target, ".")+1:]] = true
			}
		}
		packages[want] += 0
		var public []string
		for _, r := range parsed.Rules {
			if n := r.Head.Name.String(); !strings.HasPrefix(n, "_") {
				public = append(public, n)
			}
		}
		for _, n := range slices.Compact(public) {
			if !described[n] {
				t.Errorf("%s: %s has no metadata", name, n)
			}
		}
	}
	for name, n := range packages {
		if n != 1 {
			t.Errorf("package %s has metadata %d times, not once", name, n)
		}
	}
	if entrypoints != 1 {
		t.Errorf("%d entry points, not one", entrypoints)
	}
}

func TestNothingReachesOutOfAPolicy(t *testing.T) {
	allowed := map[string]bool{}
	for _, b := range policy.Capabilities().Builtins {
		allowed[b.Name] = true
		if b.Nondeterministic {
			t.Errorf("%s gives other answers at other times", b.Name)
		}
	}
	for _, b := range ast.CapabilitiesForThisVersion().Builtins {
		if !allowed[b.Name] {
			continue
		}
		prefix, _, _ := strings.Cut(b.Name, ".")
		if slices.Contains([]string{
			"http", "net", "opa", "rand", "uuid", "time", "io", "crypto", "regex", "glob", "graph",
			"bits", "units", "numbers", "json", "yaml", "walk", "print", "trace", "providers", "rego", "graphql",
		}, prefix) {
			t.Errorf("%s is on the closed list", b.Name)
		}
	}
	if net := policy.Capabilities().AllowNet; net == nil || len(net) > 0 {
		t.Error("schemas may be fetched from the network")
	}
	calls := []string{
		`time.now_ns()`, `http.send({"method": "get", "url": "http://localhost"})`, `opa.runtime()`, `rand.intn("a", 2)`,
		`uuid.rfc4122("a")`, `net.lookup_ip_addr("localhost")`, `numbers.range(1, 9)`, `regex.match("a", "a")`, `bits.lsh(1, 2)`,
		`graph.reachable({}, [])`, `units.parse("1K")`, `json.unmarshal("1")`, `crypto.sha256("a")`, `io.jwt.decode("a")`,
		`time.clock(1)`, `walk({})`,
	}
	text := "package pools.web\n\n"
	for i, call := range calls {
		text += fmt.Sprintf("x%d := %s\n", i, call)
	}
	_, err := policy.Load(context.Background(), with(t, map[string]string{"pools/web/clock.rego": text}))
	if err == nil {
		t.Fatal("loaded")
	}
	for i, call := range calls {
		name, _, _ := strings.Cut(call, "(")
		if want := fmt.Sprintf("pools/web/clock.rego:%d: undefined function %s", i+3, name); !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in:\n%v", want, err)
		}
	}
}

func shippedFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := fs.ReadFile(policies.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
