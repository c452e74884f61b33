package check

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// read parses every policy, tests among them, and compares each with its standard form. What does not parse is left to
// the loader, which says it better; tests that do not are said here.
func (r *Report) read(files fs.FS) (map[string]*ast.Module, error) {
	before, n := len(r.Findings), 0
	modules := map[string]*ast.Module{}
	err := fs.WalkDir(files, ".", func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p != "." && strings.HasPrefix(e.Name(), ".") && e.IsDir():
			return fs.SkipDir
		case e.IsDir() || !strings.HasSuffix(p, ".rego") || strings.HasPrefix(e.Name(), "."):
			return nil
		}
		text, err := fs.ReadFile(files, p)
		if err != nil {
			return err
		}
		n++
		module, err := ast.ParseModuleWithOpts(p, string(text), ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1})
		if err != nil {
			if strings.HasSuffix(p, "_test.rego") {
				r.add(Finding{Rule: "load", Level: Error, File: p, Line: rowOf(err), Text: oneLine(err)})
			}
			return nil //nolint:nilerr // the loader says what does not parse
		}
		modules[p] = module
		formatted, err := format.SourceWithOpts(p, text, format.Opts{RegoVersion: ast.RegoV1})
		if err == nil && !bytes.Equal(formatted, text) {
			r.add(Finding{
				Rule: "format", Level: Error, File: p, Line: firstDifference(text, formatted),
				Text: "not in standard form from here on: opa fmt --write puts it right",
			})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	r.part("format", r.since(before), "%d files of Rego", n)
	return modules, nil
}

func firstDifference(a, b []byte) int {
	x, y := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(x), len(y)) {
		if !bytes.Equal(x[i], y[i]) {
			return i + 1
		}
	}
	return min(len(x), len(y))
}

func rowOf(err error) int {
	if all, ok := err.(ast.Errors); ok && len(all) > 0 && all[0].Location != nil {
		return all[0].Location.Row
	}
	return 1
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// lint looks for packages and public rules that do not say what they are for.
func (r *Report) lint(modules map[string]*ast.Module) {
	before, rules := len(r.Findings), 0
	said := map[string]bool{}
	for _, m := range modules {
		for _, a := range m.Annotations {
			said[a.GetTargetPath().String()] = true
			if a.Scope == "package" || a.Scope == "subpackages" {
				said[m.Package.Path.String()] = true
			}
		}
	}
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		m := modules[file]
		if strings.HasSuffix(file, "_test.rego") {
			continue
		}
		if path := m.Package.Path.String(); !said[path] {
			said[path] = true
			r.add(Finding{
				Rule: "metadata", Level: Warning, File: file, Line: m.Package.Location.Row,
				Text: "package " + strings.TrimPrefix(path, "data.") + " has no METADATA that says what it is for",
			})
		}
		for _, rule := range m.Rules {
			path := rule.Ref().GroundPrefix().String()
			full := m.Package.Path.Extend(rule.Head.Ref().GroundPrefix()).String()
			if strings.HasPrefix(string(rule.Head.Name), "_") {
				continue
			}
			rules++
			if !said[full] && !said["data."+path] && !said[path] {
				said[full] = true
				r.add(Finding{
					Rule: "metadata", Level: Warning, File: file, Line: rule.Location.Row,
					Text: "rule " + rule.Head.Ref().String() + " has no METADATA that says what it is for; a name that begins with _ needs none",
				})
			}
		}
	}
	r.part("lint", r.since(before), "%d public rules", rules)
}

// timeout is what one test may take.
const timeout = 30 * time.Second

// test runs the tree's tests as opa test does, and measures what they run through.
func (r *Report) test(ctx context.Context, files fs.FS, threshold float64) error {
	before := len(r.Findings)
	loaded, err := loader.NewFileLoader().WithFS(files).WithProcessAnnotation(true).WithRegoVersion(ast.RegoV1).
		Filtered([]string{"."}, func(_ string, info fs.FileInfo, _ int) bool {
			return strings.HasPrefix(info.Name(), ".") && info.Name() != "."
		})
	if err != nil {
		r.add(Finding{Rule: "load", Level: Error, File: ".", Text: "the stock loader refuses the tree: " + oneLine(err)})
		r.part("tests", NotRun, "the stock loader refuses the tree")
		return nil
	}
	store := inmem.NewFromObject(loaded.Documents)
	txn, err := store.NewTransaction(ctx, storage.TransactionParams{Write: true})
	if err != nil {
		return err
	}
	defer store.Abort(ctx, txn)
	coverage := cover.New()
	modules := loaded.ParsedModules()
	results, err := tester.NewRunner().SetStore(store).SetModules(modules).SetTimeout(timeout).
		SetDefaultRegoVersion(ast.RegoV1).SetCoverageQueryTracer(coverage).RunTests(ctx, txn)
	if err != nil {
		r.add(Finding{Rule: "load", Level: Error, File: ".", Line: rowOf(err), Text: "the tests do not compile: " + oneLine(err)})
		r.part("tests", NotRun, "they do not compile")
		return nil
	}
	for result := range results {
		r.Tests++
		if result.Error == nil && !result.Fail {
			continue
		}
		r.Failed++
		text := result.Package + "." + result.Name + " fails"
		if result.Error != nil {
			text += ": " + oneLine(result.Error)
		}
		if cases := failed(result.SubResults, ""); len(cases) > 0 {
			text += " for " + strings.Join(cases, "; ")
		}
		r.add(Finding{Rule: "test", Level: Error, File: result.Location.File, Line: result.Location.Row, Text: strings.TrimPrefix(text, "data.")})
	}
	r.covered(coverage.Report(modules), threshold)
	r.part("tests", r.since(before), "%d, %d of them failed; coverage %.1f %%", r.Tests, r.Failed, r.Coverage)
	return ctx.Err()
}

// failed are the names of the cases that failed.
func failed(results tester.SubResultMap, under string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(results)) {
		sub := results[name]
		if inner := failed(sub.SubResults, under+name+": "); len(inner) > 0 {
			names = append(names, inner...)
		} else if sub.Fail {
			names = append(names, under+name)
		}
	}
	return names
}

// covered measures policies without their tests, and names the files that keep the share down.
func (r *Report) covered(report cover.Report, threshold float64) {
	lines := func(file *cover.FileReport) (covered, all int) {
		for _, span := range file.Covered {
			covered += span.End.Row - span.Start.Row + 1
		}
		all = covered
		for _, span := range file.NotCovered {
			all += span.End.Row - span.Start.Row + 1
		}
		return covered, all
	}
	covered, all := 0, 0
	for name, file := range report.Files {
		if !strings.HasSuffix(name, "_test.rego") {
			c, n := lines(file)
			covered, all = covered+c, all+n
		}
	}
	r.Coverage = 100
	if all > 0 {
		r.Coverage = 100 * float64(covered) / float64(all)
	}
	switch {
	case r.Tests == 0:
		r.add(Finding{Rule: "no-tests", Level: Warning, File: ".", Text: "there is no test: a file NAME_test.rego beside a policy would be one"})
	case r.Coverage >= threshold:
		return
	}
	for _, name := range slices.Sorted(maps.Keys(report.Files)) {
		file := report.Files[name]
		if c, n := lines(file); n > c && !strings.HasSuffix(name, "_test.rego") && threshold > 0 {
			r.add(Finding{
				Rule: "coverage", Level: Error, File: name, Line: file.NotCovered[0].Start.Row,
				Text: fmt.Sprintf("%d of %d lines run in no test, the first here; the tree has %.1f %% and should have %g %%", n-c, n, r.Coverage, threshold),
			})
		}
	}
}
