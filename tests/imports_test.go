package tests_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the first part of the path of every package of ours.
const module = "trimtab"

// anywhere stands for every package of ours, in the tables below.
const anywhere = "..."

type roomRow struct {
	name    string
	imports []string
	because string
}

// rooms is the dependency rule: which of our packages a package may import, and why no more. The first row that matches
// holds; a name that ends in "/..." means the folder and all below it. A package without a row fails the test, so that
// a new room is thought about. Test files are free: they stand in real rooms where others would stand in mocks.
var rooms = []roomRow{
	{"internal/scale", nil, "the nouns know nobody, so everybody may know them"},
	{"internal/scan", nil, "reading JSON is the same whatever it says"},
	{"internal/metric", []string{"internal/scale", "internal/scan"}, "events become samples without knowing what they are for"},
	{"internal/spell", nil, "a misspelt name is one wherever it stands"},
	{"internal/account", []string{"internal/scale", "internal/spot"}, "what was spent and served is a function of what was read"},
	{"internal/spot", []string{"internal/scale"}, "chances are reckoned the same whatever is done about them"},
	{"internal/forecast", []string{"internal/scale"}, "a course of loads says what comes next whatever bore it"},
	{"internal/invocation", []string{"internal/scale", "internal/scan"}, "the host's envelope is opened without knowing what is in it"},
	{"internal/guard", []string{"internal/scale"}, "a rail that asked another room could be talked out of its no"},
	{"internal/policy", []string{"internal/scale", "internal/spell", "internal/metric", "policies"}, "policies see a view and nothing else; metric says what windows a pool's budget holds"},
	{"internal/supply", []string{"internal/policy", "policies"}, "it brings policies in and does not ask what they decide"},
	{"internal/vmss", []string{"internal/scale"}, "it does what an intent says and never asks why"},
	{"internal/ledger/...", []string{"internal/scale"}, "it remembers what it is given and understands none of it"},
	{"internal/record", nil, "a recording is what a hub held, whatever it meant"},
	{"internal/whatif", []string{"internal/scale", "internal/guard"}, "it asks the real rails, and the policies through an interface of its own"},
	{"internal/check", []string{"internal/scale", "internal/policy", "internal/whatif", "internal/autoscale"}, "it examines what policy loads, and asks whatif; autoscale knows the platform's metrics"},
	{"internal/autoscale", nil, "it turns a foreign file into files; whether they work is asked of policy by who writes them"},
	{"internal/doctor", []string{"internal/scale", "internal/guard"}, "it judges what others have looked at, and looks at nothing itself; which traps there are the rails say"},
	{"internal/hub", nil, "it carries bytes to and from a hub and does not ask what they say"},
	{"internal/report", []string{"internal/scale", "internal/replay"}, "it draws what it is given and reckons nothing"},
	{"internal/engine", []string{"internal/scale", "internal/metric", "internal/forecast", "internal/account", "internal/spot", "internal/guard"}, "it knows the order; policy, vmss and ledger come in through its own interfaces"},
	{"internal/replay/trace", []string{"internal/spell"}, "a course of load does not know what is replayed on it"},
	{"internal/replay", []string{"internal/scale", "internal/metric", "internal/guard", "internal/engine", "internal/ledger", "internal/replay/trace"}, "it walks the corridor through the engine's ports; policies come in from the hall"},
	{"policies", nil, "the Rego tree is data to everybody"},
	{"handler", []string{anywhere}, "the hall is where the rooms are put together"},
	{"tests/...", []string{anywhere}, "they look at the house from outside"},
}

// guests says where packages from elsewhere may be imported, the standard library's where it matters: in which of our
// packages, and in the test files of which others. Packages made for tests may use all of them. What is neither in the
// standard library nor here is refused: a new module is a decision, and its reason is written down in a row.
var guests = []struct {
	name    string
	rooms   []string
	testsOf []string
	because string
}{
	{"github.com/open-policy-agent/opa/...", []string{"internal/policy", "internal/supply", "internal/check"}, []string{"policies"}, "only policy knows Rego, so only policy can leave its fence open; supply opens bundles, check runs the authors' tests"},
	{"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/...", []string{"internal/vmss"}, nil, "only vmss can change a scale set"},
	{"github.com/Azure/azure-sdk-for-go/sdk/data/aztables", []string{"internal/ledger"}, nil, "only ledger knows that memory is a table"},
	{"github.com/Azure/azure-sdk-for-go/sdk/azidentity", []string{"handler"}, nil, "credentials are made in one place and handed on"},
	{"github.com/Azure/azure-sdk-for-go/sdk/azcore/...", []string{"internal/vmss", "internal/ledger", "internal/hub", "handler"}, nil, "the Azure clients' common ground belongs where an Azure client is"},
	{"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/...", []string{"internal/hub"}, nil, "only hub speaks to a broker; by the doors events come from the host"},
	{"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/...", []string{"internal/hub"}, nil, "the checkpoints of a hub are blobs; nothing else here is"},
	{"go.opentelemetry.io/proto/otlp/...", []string{"internal/metric"}, nil, "OpenTelemetry's own messages are what its metrics are read with"},
	{"google.golang.org/protobuf/...", []string{"internal/metric"}, nil, "OpenTelemetry's messages are protobuf; nothing else here is"},
	{"github.com/klauspost/compress/...", []string{"internal/metric"}, nil, "bodies may come in Zstandard, which the standard library does not read"},
	{"github.com/spf13/cobra", []string{"handler"}, nil, "only the hall has a command line"},
	{"go.yaml.in/yaml/v3", nil, []string{"tests"}, "manifests are read by the tests that hold them against the program"},
	{"github.com/google/go-cmp/...", nil, []string{anywhere}, "a comparison with a readable difference is for tests"},
	{"log/slog", []string{"handler", "internal/engine", "internal/replay"}, []string{anywhere}, "pure rooms do not log: what they have to say is in what they return"},
	{"log", nil, nil, "log lines are slog's, on stdout, with levels"},
	{"math/rand/...", []string{"internal/replay/..."}, []string{anywhere}, "the same events must make the same decisions: keys are derived, not drawn"},
	{"unsafe", nil, nil, "no figure is worth reading the wrong bytes"},
	{"C", nil, nil, "the program is one static file"},
}

// calls are names of the standard library that belong to some rooms only. Test files are free to use them.
var calls = []struct {
	pkg     string
	names   []string
	rooms   []string
	because string
}{
	{"time", []string{"Now", "Since"}, []string{"handler"}, "now is a value: a replay decides at the instant that was, not at the one that is"},
	{"time", []string{"Until"}, []string{"handler", "internal/vmss"}, "only a context's deadline lies on the wall clock, and vmss does not start a wait that it would cut off"},
	{"time", []string{"Sleep"}, nil, "a sleep does not end when its context does"},
	{"os", []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}, []string{"handler"}, "the environment is read once, checked and printed; nobody else has settings"},
	{"os", []string{"Exit"}, []string{"handler"}, "the exit code is the host's business and decided in one place"},
	{"context", []string{"Background", "TODO"}, []string{"handler"}, "a context made halfway down loses the deadline of the door"},
	{"fmt", []string{"Print", "Printf", "Println"}, []string{"handler"}, "stdout is the log, and the log belongs to the hall"},
	{
		"net/http",
		[]string{
			"Server", "ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS",
			"Handle", "HandleFunc", "Handler", "HandlerFunc", "NewServeMux", "ServeMux", "ResponseWriter",
		},
		[]string{"handler"},
		"doors are in the hall",
	},
	{"net", []string{"Listen", "ListenConfig", "ListenPacket", "ListenTCP", "ListenUDP"}, []string{"handler"}, "doors are in the hall"},
}

// listed is what `go list` says of one of our packages.
type listed struct {
	ImportPath, Name                   string
	GoFiles, CgoFiles, IgnoredGoFiles  []string
	TestGoFiles, XTestGoFiles          []string
	Imports, TestImports, XTestImports []string
}

// room is the package's path inside the module, as the tables name it.
func (p listed) room() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// packages lists ours. It goes on where one does not compile, since the tables can be checked all the same.
func packages(t *testing.T) []listed {
	t.Helper()
	const fields = "ImportPath,Name,GoFiles,CgoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports"
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json="+fields, "./...")
	cmd.Dir = root
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &complaints)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("read go list's answer: %v", err)
		}
		all = append(all, p)
	}
	if len(all) < 3 {
		t.Fatalf("go list found %d packages of ours; the rule would hold for nothing", len(all))
	}
	return all
}

// matches reports whether a name in a table means this path.
func matches(name, path string) bool {
	if name == anywhere {
		return true
	}
	folder, below := strings.CutSuffix(name, "/...")
	return path == folder || (below && strings.HasPrefix(path, folder+"/"))
}

func anyMatches(names []string, path string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return matches(name, path) })
}

// forTests are the packages that only tests import: no guest and no call is forbidden to them.
var forTests = []string{"tests/...", "internal/ledger/ledgertest"}

func inTests(room string) bool { return anyMatches(forTests, room) }

// tree is what the import rules are asked about; the test of the rules themselves has small ones of its own.
type tree []listed

// roomFaults are the imports of our packages by our packages that the table does not allow.
func (all tree) roomFaults() []string {
	var faults []string
	for _, p := range all {
		i := slices.IndexFunc(rooms, func(row roomRow) bool { return matches(row.name, p.room()) })
		if i < 0 {
			faults = append(faults, fmt.Sprintf("%s has no row in rooms: add one, with what it may import and why no more", p.room()))
			continue
		}
		for _, path := range p.Imports {
			other, ours := strings.CutPrefix(path, module+"/")
			if ours && inTests(other) && !inTests(p.room()) {
				faults = append(faults, fmt.Sprintf("%s imports %s, which is for tests: what ships does not carry its own tests", p.room(), other))
			} else if ours && !anyMatches(rooms[i].imports, other) {
				faults = append(faults, fmt.Sprintf("%s imports %s, and may import %v of ours: %s",
					p.room(), other, rooms[i].imports, rooms[i].because))
			}
		}
	}
	return faults
}

// guestFaults are the imports from elsewhere that stand where they may not.
func (all tree) guestFaults() []string {
	var faults []string
	for _, p := range all {
		if inTests(p.room()) {
			continue
		}
		for _, path := range p.Imports {
			faults = append(faults, guestFault(p.room(), path, false)...)
		}
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			faults = append(faults, guestFault(p.room(), path, true)...)
		}
	}
	return faults
}

func guestFault(room, path string, inTestFile bool) []string {
	if path == module || strings.HasPrefix(path, module+"/") {
		return nil
	}
	for _, guest := range guests {
		if !matches(guest.name, path) {
			continue
		}
		if anyMatches(guest.rooms, room) || (inTestFile && anyMatches(guest.testsOf, room)) {
			return nil
		}
		where := "imports"
		if inTestFile {
			where = "imports, in a test,"
		}
		return []string{fmt.Sprintf("%s %s %s, which is for %v and tests of %v: %s",
			room, where, path, guest.rooms, guest.testsOf, guest.because)}
	}
	// The standard library is what has no dot in the first part of its path.
	if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
		return []string{fmt.Sprintf("%s imports %s, which has no row in guests: add one, with its rooms and the reason, or do without",
			room, path)}
	}
	return nil
}

// callFaults are the uses, in one file of a room, of names that are not for that room, and calls of panic. They are
// found in the syntax tree, so a comment or a string that names them is no fault and a renamed import is one.
func callFaults(fset *token.FileSet, file *ast.File, room string) []string {
	var faults []string
	fault := func(at token.Pos, format string, args ...any) {
		where := fset.Position(at)
		faults = append(faults, fmt.Sprintf("%s:%d: %s", filepath.ToSlash(where.Filename), where.Line, fmt.Sprintf(format, args...)))
	}
	imported := map[string]string{}
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == "." {
			fault(spec.Pos(), "imports %s without a name: a reader can no longer see whose words these are", path)
		}
		imported[name] = path
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.CallExpr:
			if called, ok := n.Fun.(*ast.Ident); ok && called.Name == "panic" {
				fault(n.Pos(), "panics: what can go wrong is an error, and one bad pool must not end the process for all")
			}
		case *ast.SelectorExpr:
			owner, ok := n.X.(*ast.Ident)
			if !ok {
				break
			}
			for _, call := range calls {
				if call.pkg == imported[owner.Name] && slices.Contains(call.names, n.Sel.Name) && !anyMatches(call.rooms, room) {
					fault(n.Pos(), "%s uses %s.%s, which is for %v: %s", room, call.pkg, n.Sel.Name, call.rooms, call.because)
				}
			}
		}
		return true
	})
	return faults
}

func report(t *testing.T, faults []string) {
	t.Helper()
	slices.Sort(faults)
	for _, fault := range slices.Compact(faults) {
		t.Error(fault)
	}
}

func TestEachRoomImportsOnlyTheRoomsItMayKnow(t *testing.T) {
	report(t, tree(packages(t)).roomFaults())
}

func TestEachModuleFromElsewhereStaysInItsRoom(t *testing.T) {
	report(t, tree(packages(t)).guestFaults())
}

func TestClockEnvironmentAndDoorsBelongToTheHall(t *testing.T) {
	for _, p := range packages(t) {
		if inTests(p.room()) {
			continue
		}
		// Files for other systems are ours too.
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles) {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, filepath.Join(root, p.room(), name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Errorf("parse: %v", err)
				continue
			}
			report(t, callFaults(fset, file, p.room()))
		}
	}
}

func TestEveryRowOfTheTablesMeansSomethingThatIsThere(t *testing.T) {
	all := packages(t)
	there := func(name string) bool {
		return name == anywhere || slices.ContainsFunc(all, func(p listed) bool { return matches(name, p.room()) })
	}
	check := func(table string, names ...string) {
		for _, name := range names {
			if !there(name) {
				t.Errorf("%s names %s, where no package of ours is", table, name)
			}
		}
	}
	reasoned := func(table, because string, names ...string) {
		if because == "" {
			t.Errorf("%s: the row of %v has no reason", table, names)
		}
		check(table, names...)
	}
	check("forTests", forTests...)
	for _, row := range rooms {
		reasoned("rooms", row.because, append([]string{row.name}, row.imports...)...)
	}
	for _, row := range guests {
		reasoned("guests", row.because, slices.Concat(row.rooms, row.testsOf)...)
	}
	for _, row := range calls {
		reasoned("calls", row.because, row.rooms...)
	}
}

// TestTheRulesFindWhatTheyForbid asks the rules about small wrong trees, since over a right one they cannot fail.
func TestTheRulesFindWhatTheyForbid(t *testing.T) {
	pkg := func(room string, imports, testImports []string) tree {
		return tree{{ImportPath: module + "/" + room, Imports: imports, XTestImports: testImports}}
	}
	const opa, table = "github.com/open-policy-agent/opa/v1/rego", "github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	faulty := func(src string, room string) []string {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "x.go", src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		return callFaults(fset, file, room)
	}
	for _, c := range []struct {
		name   string
		faults []string
		want   int
	}{
		{"a rail that asks the policy", pkg("internal/guard", []string{"trimtab/internal/policy"}, nil).roomFaults(), 1},
		{"a noun that knows a room", pkg("internal/scale", []string{"trimtab/internal/scan"}, nil).roomFaults(), 1},
		{"a room that nobody thought about", pkg("internal/util", nil, nil).roomFaults(), 1},
		{"the engine with what it may know", pkg("internal/engine", []string{"time", "trimtab/internal/guard"}, nil).roomFaults(), 0},
		{"the engine's tests with a real ledger", pkg("internal/engine", nil, []string{"trimtab/internal/ledger"}).roomFaults(), 0},
		{"the hall with everything", pkg("handler", []string{"trimtab/internal/vmss", "trimtab/policies"}, nil).roomFaults(), 0},
		{"the hall with an emulator", pkg("handler", []string{"trimtab/tests/armemu/arm"}, nil).roomFaults(), 1},
		{"Rego in the engine", pkg("internal/engine", []string{opa}, nil).guestFaults(), 1},
		{"Rego in policy", pkg("internal/policy", []string{opa}, nil).guestFaults(), 0},
		{"Rego in the tests of the policies", pkg("policies", nil, []string{opa}).guestFaults(), 0},
		{"Rego in the tests of the engine", pkg("internal/engine", nil, []string{opa}).guestFaults(), 1},
		{"a table in the hall", pkg("handler", []string{table}, nil).guestFaults(), 1},
		{"a table in the tests folder", pkg("tests/azurite", []string{table}, nil).guestFaults(), 0},
		{"a module that has no row", pkg("handler", []string{"github.com/nobody/nothing"}, nil).guestFaults(), 1},
		{"a comparison outside a test", pkg("internal/scale", []string{"github.com/google/go-cmp/cmp"}, nil).guestFaults(), 1},
		{"a clock in the guard", faulty("package guard\nimport \"time\"\nvar at = time.Now()", "internal/guard"), 1},
		{"a clock handed on as a function", faulty("package guard\nimport \"time\"\nvar now = time.Now", "internal/guard"), 1},
		{"a clock under another name", faulty("package guard\nimport clock \"time\"\nvar at = clock.Since", "internal/guard"), 1},
		{"a clock in the hall", faulty("package main\nimport \"time\"\nvar at = time.Now()", "handler"), 0},
		{"a clock in a comment", faulty("package guard\n// time.Now() is not for us.\n", "internal/guard"), 0},
		{"somebody else's Now", faulty("package guard\ntype c struct{}\nfunc (c) Now() {}\nfunc f(time c) { time.Now() }", "internal/guard"), 0},
		{"names without an owner", faulty("package guard\nimport . \"time\"\n", "internal/guard"), 1},
		{"a door in a room", faulty("package vmss\nimport \"net/http\"\nvar s http.Server", "internal/vmss"), 1},
		{"a client in a room", faulty("package vmss\nimport \"net/http\"\nvar c http.Client", "internal/vmss"), 0},
		{"a panic", faulty("package vmss\nfunc f() { panic(1) }", "internal/vmss"), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if len(c.faults) != c.want {
				t.Errorf("got %d faults, want %d: %q", len(c.faults), c.want, c.faults)
			}
		})
	}
}
