package tests_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/tests/pack"
)

const root = ".."

// shipped are the files of this checkout that belong into the package, the program aside. What is not Rego, data or a
// schema under policies/ goes along, since func's patterns cannot leave it out, and does no harm.
func shipped(t *testing.T) []string {
	t.Helper()
	want := []string{"host.json", "LICENSE", "NOTICE", "function/function.json", "sweep/function.json"}
	err := fs.WalkDir(os.DirFS(root), "policies", func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			want = append(want, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// appRoot is this checkout's package with a program, among files that must stay at home.
func appRoot(t *testing.T) (fstest.MapFS, []string) {
	t.Helper()
	tree := fstest.MapFS{}
	for _, stray := range []string{
		".env", ".git/config", ".github/workflows/ci.yml", ".gitignore", ".vscode/settings.json", "ARCHITECTURE.md",
		"Makefile", "README.md", "bin/other", "bin/.hidden", "docs/adr/a.md", "functions/x.json", "go.mod", "go.sum",
		"handler/main.go", "hostile.json", "internal/scale/doc.go", "local.settings.json", "local.settings.sample.json",
		"node_modules/a/index.js", "policiesx/a.rego", "sweeper/x", "tests/package_test.go", "tests/node_modules/a/b.js",
		"trimtab.zip", ".trimtab/ledger/x",
	} {
		tree[stray] = &fstest.MapFile{Data: []byte("stray")}
	}
	for _, name := range append(shipped(t), ".funcignore") {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		tree[name] = &fstest.MapFile{Data: data}
	}
	tree["bin/trimtab"] = &fstest.MapFile{Data: []byte("\x7fELF")}
	want := append(shipped(t), "bin/trimtab")
	slices.Sort(want)
	return tree, want
}

func TestPackageHoldsTheDoorsTheProgramAndThePoliciesOnly(t *testing.T) {
	tree, want := appRoot(t)
	var out bytes.Buffer
	if _, err := pack.Write(&out, tree); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range archive.File {
		got = append(got, f.Name)
		mode := fs.FileMode(0o644)
		if f.Name == "bin/trimtab" {
			mode = 0o755
		}
		if f.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", f.Name, f.Mode(), mode)
		}
		if f.CreatorVersion>>8 != 3 {
			t.Errorf("%s was not made as on Unix: its mode does not count", f.Name)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, tree[f.Name].Data) {
			t.Errorf("%s was changed on the way", f.Name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files in the package (-want +got):\n%s", diff)
	}
}

func TestPackageIsTheSameEachTime(t *testing.T) {
	tree, _ := appRoot(t)
	var first, second bytes.Buffer
	if _, err := pack.Write(&first, tree); err != nil {
		t.Fatal(err)
	}
	for _, f := range tree {
		f.ModTime = time.Unix(1_700_000_000, 0)
	}
	if _, err := pack.Write(&second, tree); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two packages of one folder differ")
	}
}

func TestPackageIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(fstest.MapFS)
		want   string
	}{
		{"without the program", func(m fstest.MapFS) { delete(m, "bin/trimtab") }, "lacks bin/trimtab"},
		{"without host.json", func(m fstest.MapFS) { delete(m, "host.json") }, "read host.json"},
		{"without .funcignore", func(m fstest.MapFS) { delete(m, ".funcignore") }, "read .funcignore"},
		{
			"with a path that is not an entry's name",
			func(m fstest.MapFS) {
				m["host.json"] = &fstest.MapFile{Data: []byte(`{"customHandler":{"description":{"defaultExecutablePath":"./bin/trimtab"}}}`)}
			},
			`"./bin/trimtab"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree, _ := appRoot(t)
			tt.change(tree)
			_, err := pack.Write(io.Discard, tree)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Write: %v, want an error that says %q", err, tt.want)
			}
		})
	}
}

// The deployment action and the editor read .funcignore as git does, func in its own way. Both must ship the same.
func TestGitReadsFuncignoreToTheSameFiles(t *testing.T) {
	tree, want := appRoot(t)
	dir := t.TempDir()
	for name, content := range tree {
		if strings.HasPrefix(name, ".git/") {
			continue
		}
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_DIR="+filepath.Join(dir, ".git"), "GIT_WORK_TREE="+dir)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %s: %v", strings.Join(args, " "), err)
		}
		return string(out)
	}
	git("init", "--quiet")
	got := strings.Split(strings.TrimSpace(git("ls-files", "--others", "--exclude-from=.funcignore")), "\n")
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files that git would leave in (-want +got):\n%s", diff)
	}
}

func TestNothingButItsDefinitionLiesInAFunctionsFolder(t *testing.T) {
	definitions, err := fs.Glob(os.DirFS(root), "*/function.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"function/function.json", "sweep/function.json"}, definitions); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
	for _, definition := range definitions {
		entries, err := os.ReadDir(filepath.Join(root, path.Dir(definition)))
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 1 {
			t.Errorf("%s holds %d files: the host takes a second one for the script", path.Dir(definition), len(entries))
		}
	}
}

func TestHostStartsWhatThePackageMakesExecutable(t *testing.T) {
	got, err := pack.Executable(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if want := "bin/trimtab"; got != want {
		t.Errorf("defaultExecutablePath = %q, want %q", got, want)
	}
}

func TestHostPicksEventsUpAtTheEndAndKeepsABoundedRetry(t *testing.T) {
	var host struct {
		Extensions struct {
			EventHubs struct {
				InitialOffsetOptions struct{ Type string }
			}
		}
	}
	read(t, "host.json", &host)
	if got := host.Extensions.EventHubs.InitialOffsetOptions.Type; got != "fromEnd" {
		t.Errorf("initialOffsetOptions.type = %q: a first deployment would replay the whole retention", got)
	}
	var function struct {
		Bindings []map[string]string
		Retry    struct {
			Strategy      string
			MaxRetryCount int
		}
	}
	read(t, "function/function.json", &function)
	if r := function.Retry; r.Strategy != "exponentialBackoff" || r.MaxRetryCount < 1 {
		t.Errorf("retry = %+v, want a bounded exponential one", r)
	}
	want := []map[string]string{{
		"type": "eventHubTrigger", "direction": "in", "name": "events", "eventHubName": "%METRICS_HUB%",
		"consumerGroup": "%METRICS_CONSUMER_GROUP%", "connection": "MetricsHub", "cardinality": "many", "dataType": "binary",
	}}
	if diff := cmp.Diff(want, function.Bindings); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
