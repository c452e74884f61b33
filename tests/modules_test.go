package tests_test

import (
	"encoding/json"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// required are modules that the product is built on; each must be named by go.mod itself, not only come along.
var required = []string{
	"github.com/open-policy-agent/opa",
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity",
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables",
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/",
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/",
}

// tools are programs for the house, each in the module file that pins it. Regal is written against an older OPA than the
// one that is embedded, so the two cannot share a file; and in go.mod any of them would ask things of the product.
var tools = map[string][]string{
	"go.tools.mod": {
		"github.com/open-policy-agent/regal",
		"honnef.co/go/tools/cmd/staticcheck",
		"mvdan.cc/gofumpt",
	},
	"go.opa.mod": {"github.com/open-policy-agent/opa"},
}

// moduleFile is what a go.mod says.
type moduleFile struct {
	Go      string
	Require []struct {
		Path, Version string
		Indirect      bool
	}
	Tool    []struct{ Path string }
	Replace []struct{ Old struct{ Path string } }
}

func readModule(t *testing.T, name string) moduleFile {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", name)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	var m moduleFile
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return m
}

// version is that of the required module whose path begins so, empty where none does.
func (m moduleFile) version(prefix string, indirectToo bool) string {
	for _, r := range m.Require {
		if strings.HasPrefix(r.Path+"/", strings.TrimSuffix(prefix, "/")+"/") && (indirectToo || !r.Indirect) {
			return r.Version
		}
	}
	return ""
}

func TestTheProductNamesTheModulesItIsBuiltOn(t *testing.T) {
	m := readModule(t, "go.mod")
	for _, path := range required {
		if m.version(path, false) == "" {
			t.Errorf("go.mod does not require %s directly", path)
		}
	}
	if len(m.Replace) > 0 {
		t.Errorf("go.mod replaces modules, which nobody who requires ours would see: %v", m.Replace)
	}
}

func TestTheProductDoesNotRequireItsTools(t *testing.T) {
	m := readModule(t, "go.mod")
	if len(m.Tool) > 0 {
		t.Errorf("go.mod has tools, which belong into go.tools.mod: %v", m.Tool)
	}
	for _, path := range []string{
		"github.com/open-policy-agent/regal", "honnef.co/go/tools", "mvdan.cc/gofumpt", "github.com/golangci/golangci-lint",
		"golang.org/x/vuln",
	} {
		if m.version(path, true) != "" {
			t.Errorf("go.mod requires %s, a tool: it belongs into go.tools.mod", path)
		}
	}
}

func TestEachToolIsPinnedInItsFileAndUsed(t *testing.T) {
	makefile := fileText(t, "Makefile")
	for _, name := range slices.Sorted(maps.Keys(tools)) {
		m := readModule(t, name)
		var got []string
		for _, tool := range m.Tool {
			got = append(got, tool.Path)
			command := tool.Path[strings.LastIndex(tool.Path, "/")+1:]
			if !regexp.MustCompile(`\b` + command + `\b`).MatchString(makefile) {
				t.Errorf("%s pins %s, which the Makefile never runs", name, command)
			}
		}
		if diff := cmp.Diff(tools[name], got); diff != "" {
			t.Errorf("tools of %s (-want +got):\n%s", name, diff)
		}
		if want := readModule(t, "go.mod").Go; m.Go != want {
			t.Errorf("%s is for Go %s, go.mod for Go %s", name, m.Go, want)
		}
	}
}

// What authors run at their desk must be what decides in production.
func TestTheOPAProgramIsOfTheEmbeddedVersion(t *testing.T) {
	const opa = "github.com/open-policy-agent/opa"
	want, got := readModule(t, "go.mod").version(opa, true), readModule(t, "go.opa.mod").version(opa, true)
	if got != want || got == "" {
		t.Errorf("go.opa.mod has OPA %q, go.mod embeds %q", got, want)
	}
}
