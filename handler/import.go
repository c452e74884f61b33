package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"trimtab/internal/autoscale"
	"trimtab/internal/policy"
	"trimtab/policies"
)

// importCommand brings what another autoscaler was told into pools.
func importCommand(h *hall) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Turn another autoscaler's settings into pools and policies",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("say what to import: trimtab import autoscale FILE")
		},
	}
	cmd.AddCommand(importAutoscaleCommand(h))
	return cmd
}

func importAutoscaleCommand(h *hall) *cobra.Command {
	i := &importing{hall: h}
	var parameters string
	var set []string
	cmd := &cobra.Command{
		Use:   "autoscale FILE|-",
		Short: "Turn Azure autoscale settings into pools and policies that behave alike",
		Long: `import autoscale reads Microsoft.Insights/autoscaleSettings from an ARM template, from what az monitor autoscale show
or list prints, or from a portal export, and writes a pool and a policy for each: DIR/pools/NAME/data.json and NAME.rego.
What cannot be kept, or is kept in another way, is reported with its place in the setting and the reason. The pools
observe: nothing is scaled until a definition says enforce.

Expressions of a template are worked out. What only its deployment knows, such as the resource group, is stood in for and
noted; where it would decide how to scale, it must be given: --set, --parameters, --subscription, --resource-group.

Without --into the files are printed, and nothing is written. What is written is loaded first, together with what lies
in DIR (or else with the policies that this program carries), so that it is known to work.

Exit code 0: done, whatever was reported; 1: it could not be done, or with --strict something is lost; 2: called wrongly.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := i.parameters(parameters, set); err != nil {
				return err
			}
			return i.run(cmd.Context(), args[0], cmd.InOrStdin())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&i.into, "into", "", "folder of policies to write into")
	flags.StringVar(&i.name, "pool", "", "the pool's name, for a file with one setting; else that of its scale set")
	flags.StringVar(&i.orchestration, "orchestration", "", "flexible or uniform, where the file does not say")
	flags.StringVar(&parameters, "parameters", "", "parameters file of the ARM template")
	flags.StringArrayVar(&set, "set", nil, "a parameter of the ARM template, as name=value; may be given again")
	flags.StringVar(&i.options.Subscription, "subscription", "", "subscription ID that the template is deployed to")
	flags.StringVar(&i.options.ResourceGroup, "resource-group", "", "resource group that the template is deployed to")
	flags.StringVar(&i.options.Location, "location", "", "region of that resource group")
	flags.BoolVar(&i.asJSON, "json", false, "print pools, policies and notes as JSON")
	flags.BoolVar(&i.force, "force", false, "write over a pool that is there")
	flags.BoolVar(&i.strict, "strict", false, "fail where something of a setting is lost")
	return cmd
}

// importing is one run of the command.
type importing struct {
	*hall
	options                   autoscale.Options
	into, name, orchestration string
	asJSON, force, strict     bool
}

// parameters gathers a template's parameters from a file and from flags, which stand above it.
func (i *importing) parameters(file string, set []string) error {
	i.options.Parameters = map[string]any{}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		given, err := autoscale.Parameters(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		i.options.Parameters = given
	}
	for _, each := range set {
		name, value, ok := strings.Cut(each, "=")
		if !ok || name == "" {
			return fmt.Errorf("--set %s: name=value is right", each)
		}
		i.options.Parameters[name] = value
	}
	return nil
}

func (i *importing) run(ctx context.Context, file string, stdin io.Reader) error {
	text, err := readFile(file, stdin)
	if err != nil {
		return err
	}
	i.options.Pool, i.options.Orchestration = i.name, i.orchestration
	pools, err := autoscale.Import(text, i.options)
	if err != nil {
		return err
	}
	if err := i.load(ctx, pools); err != nil {
		return err
	}
	if i.into != "" {
		for _, p := range pools {
			if err := i.write(p); err != nil {
				return err
			}
		}
	}
	if err := i.report(pools); err != nil {
		return err
	}
	lost := 0
	for _, p := range pools {
		if p.Lost() {
			lost++
		}
	}
	if i.strict && lost > 0 {
		return fmt.Errorf("something is lost of %d of %d settings; the notes say what", lost, len(pools))
	}
	return nil
}

// readFile reads a file, or standard input for "-".
func readFile(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(name)
}

// load compiles what is to be written beside what it will lie with.
func (i *importing) load(ctx context.Context, pools []autoscale.Pool) error {
	base, around := fs.FS(policies.FS), "the policies that this program carries"
	if i.into != "" && isFolder(filepath.Join(i.into, "main")) {
		base, around = os.DirFS(i.into), i.into
	}
	// Without a folder of one's own the worked pools are left out: they are examples, and what they scale is nobody's.
	if _, err := compileImported(ctx, base, i.into != "", pools); err != nil {
		return fmt.Errorf("the pools do not load together with %s:\n%w", around, err)
	}
	return nil
}

// compileImported compiles imported pools beside a tree of policies, with that tree's own pools or without, in a folder
// that is gone afterwards.
func compileImported(ctx context.Context, base fs.FS, keep bool, pools []autoscale.Pool) (*policy.Bundle, error) {
	folder, err := os.MkdirTemp("", "trimtab-import-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := os.CopyFS(folder, base); err != nil {
		return nil, err
	}
	if !keep {
		if err := os.RemoveAll(filepath.Join(folder, "pools")); err != nil {
			return nil, err
		}
	}
	for _, p := range pools {
		if err := writePool(folder, p); err != nil {
			return nil, err
		}
	}
	return policy.Load(ctx, os.DirFS(folder))
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func (i *importing) write(p autoscale.Pool) error {
	if at := filepath.Join(i.into, "pools", p.Name); !i.force && isFolder(at) {
		return fmt.Errorf("%s is there already: --force writes over it, --pool gives another name", at)
	}
	return writePool(i.into, p)
}

// writePool writes a pool's two files, and the library's rules where the tree has none.
func writePool(folder string, p autoscale.Pool) error {
	at := filepath.Join(folder, "pools", p.Name)
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if library := filepath.Join(folder, "lib", "rules"); !isFolder(library) {
		ours, err := fs.Sub(policies.FS, "lib/rules")
		if err != nil {
			return err
		}
		if err := os.CopyFS(library, ours); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(at, "data.json"), []byte(p.Definition), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(at, p.Name+".rego"), []byte(p.Policy), 0o644)
}

func (i *importing) report(pools []autoscale.Pool) error {
	if i.asJSON {
		out := json.NewEncoder(i.stdout)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(pools)
	}
	notes := i.stderr
	if i.into != "" {
		notes = i.stdout
	}
	for _, p := range pools {
		if i.into == "" {
			fmt.Fprintf(i.stdout, "# pools/%[1]s/data.json\n%[2]s\n# pools/%[1]s/%[1]s.rego\n%[3]s\n", p.Name, p.Definition, p.Policy)
		}
		fmt.Fprintf(notes, "%s: pool %s", p.Setting, p.Name)
		if i.into != "" {
			fmt.Fprintf(notes, " in %s", filepath.Join(i.into, "pools", p.Name))
		}
		fmt.Fprintln(notes)
		w := tabwriter.NewWriter(notes, 0, 4, 2, ' ', 0)
		for _, n := range p.Notes {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", n.Level, n.Path, n.Text)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}
