package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"trimtab/internal/check"
	"trimtab/policies"
)

// checkCommand is one command for CI and for the desk.
func checkCommand(h *hall) *cobra.Command {
	var form, regal string
	var threshold float64
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Examine a folder of policies before it is merged",
		Long: `check examines a folder of policies, ./policies unless given: standard form, strict compile with schemas and the closed
list of built-in functions, definitions of pools, metadata, tests with coverage, Regal where it is at hand, and for each
pool whether its rules would fight each other: it asks the policy about loads from nothing to the most on small and large
fleets, and says with numbers where a shrink would be followed by growth.

Exit code 0: clean, or notes only; 1: something was found; 2: the folder could not be examined, or called wrongly.

Regal is a linter of its own and no part of this program: it is run as regal, or as go tool where the working folder has
a go.tools.mod. Where there is none the report says that it was not run; --regal require makes that exit code 2.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			folder := "policies"
			if len(args) > 0 {
				folder = args[0]
			}
			switch {
			case !slices.Contains(check.Formats, form):
				return cannotCheck(fmt.Errorf("--output %s: %s are right", form, strings.Join(check.Formats, ", ")))
			case !slices.Contains([]string{"auto", "off", "require"}, regal):
				return cannotCheck(fmt.Errorf("--regal %s: auto, off and require are right", regal))
			case !isFolder(folder):
				return cannotCheck(fmt.Errorf("%s: there is no such folder", folder))
			}
			r, err := check.Run(cmd.Context(), os.DirFS(folder), check.Options{Threshold: threshold})
			if err != nil {
				return cannotCheck(err)
			}
			if err := withRegal(cmd.Context(), r, regal, folder); err != nil {
				return cannotCheck(err)
			}
			if err := r.Write(h.stdout, form, filepath.ToSlash(folder), version); err != nil {
				return cannotCheck(err)
			}
			if r.Bad() {
				return fmt.Errorf("%d findings in %s", len(r.Findings), folder)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&form, "output", "text", "form of the report: "+strings.Join(check.Formats, ", "))
	cmd.Flags().Float64Var(&threshold, "threshold", 90, "least coverage of the policies by their tests, in per cent; 0 asks for none")
	cmd.Flags().StringVar(&regal, "regal", "auto", "run Regal: auto (where it is at hand), off, require")
	return cmd
}

func cannotCheck(err error) error { return codedError{error: err, code: exitUsage} }

// withRegal adds what Regal finds, or why it was not run.
func withRegal(ctx context.Context, r *check.Report, wanted, folder string) error {
	if wanted == "off" {
		r.Add(check.Part{Name: "regal", State: check.NotRun, Detail: "switched off by --regal off"}, nil)
		return nil
	}
	command, why := regalCommand()
	if command == nil {
		if wanted == "require" {
			return errors.New("regal is required and " + why)
		}
		r.Add(check.Part{Name: "regal", State: check.NotRun, Detail: why}, nil)
		return nil
	}
	own, done, err := regalRules(folder)
	if err != nil {
		return err
	}
	defer done()
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], slices.Concat(command[1:], []string{"lint", "--format", "json"}, own, []string{folder})...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	// It ends with another code than 0 where it found something; what it printed says which.
	failed := cmd.Run()
	var report struct {
		Violations []struct {
			Title, Description, Level string
			Location                  struct {
				File string
				Row  int
			}
		}
		Summary struct {
			FilesScanned int `json:"files_scanned"`
		}
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		why := fmt.Sprintf("%s gave no report: %v %s", strings.Join(command, " "), failed, strings.TrimSpace(complaints.String()))
		if wanted == "require" {
			return errors.New(why)
		}
		r.Add(check.Part{Name: "regal", State: check.NotRun, Detail: why}, nil)
		return nil
	}
	var findings []check.Finding
	for _, v := range report.Violations {
		level := check.Error
		if v.Level == "warning" {
			level = check.Warning
		}
		file, err := filepath.Rel(folder, v.Location.File)
		if err != nil || strings.HasPrefix(file, "..") {
			file = v.Location.File
		}
		findings = append(findings, check.Finding{
			Rule: "regal/" + v.Title, Level: level, File: filepath.ToSlash(file), Line: max(1, v.Location.Row), Text: v.Description,
		})
	}
	part := check.Part{Name: "regal", State: check.Clean, Detail: fmt.Sprintf("%d files", report.Summary.FilesScanned)}
	if len(findings) > 0 {
		part.State = check.Findings
	}
	r.Add(part, findings)
	return nil
}

// regalRules are the arguments that make Regal lint by our rules where the folder, or one above it, has none of its own.
func regalRules(folder string) (arguments []string, done func(), err error) {
	done = func() {}
	at, err := filepath.Abs(folder)
	if err != nil {
		return nil, done, err
	}
	for {
		for _, name := range []string{".regal.yaml", filepath.Join(".regal", "config.yaml")} {
			if _, err := os.Stat(filepath.Join(at, name)); err == nil {
				return nil, done, nil
			}
		}
		above := filepath.Dir(at)
		if above == at {
			break
		}
		at = above
	}
	text, err := policies.FS.ReadFile(".regal.yaml")
	if err != nil {
		return nil, done, err
	}
	file, err := os.CreateTemp("", "trimtab-regal-*.yaml")
	if err != nil {
		return nil, done, err
	}
	done = func() { _ = os.Remove(file.Name()) }
	_, err = file.Write(text)
	return []string{"--config-file", file.Name()}, done, errors.Join(err, file.Close())
}

// regalCommand is how Regal is run here, or why it is not.
func regalCommand() (command []string, why string) {
	if at, err := exec.LookPath("regal"); err == nil {
		return []string{at}, ""
	}
	const tools = "go.tools.mod"
	if text, err := os.ReadFile(tools); err == nil && bytes.Contains(text, []byte("/regal")) {
		if at, err := exec.LookPath("go"); err == nil {
			return []string{at, "tool", "-modfile=" + tools, "regal"}, ""
		}
	}
	return nil, "it is neither on the PATH nor a tool of " + tools + " in the working folder"
}
