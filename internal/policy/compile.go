package policy

import (
	"errors"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/spell"
)

// allowed is the closed list of built-in functions: what is not named here does not compile. Left out is whatever
// reads a clock, the network, randomness or the environment, prints, or takes unbounded time or memory in one call that
// cannot be cut off (facts: opa 4).
var allowed = strings.Fields(`
abs and array.concat array.flatten array.reverse array.slice assign ceil concat contains count div endswith eq equal
floor format_int gt gte internal.member_2 internal.member_3 internal.template_string intersection is_array is_boolean
is_null is_number is_object is_set is_string lower lt lte max min minus mul neq object.filter object.get object.keys
object.remove object.subset object.union or plus rem replace round sort split sprintf startswith sum to_number trim
trim_prefix trim_space trim_suffix type_name union upper`)

var capabilities = sync.OnceValue(func() *ast.Capabilities {
	c := *ast.CapabilitiesForThisVersion(ast.CapabilitiesRegoVersion(ast.RegoV1))
	all := c.Builtins
	c.Builtins = make([]*ast.Builtin, 0, len(allowed))
	for _, b := range all {
		if slices.Contains(allowed, b.Name) {
			c.Builtins = append(c.Builtins, b)
		}
	}
	c.FutureKeywords = nil
	c.AllowNet = []string{}
	return &c
})

// modules are the parsed policies by file.
type modules struct {
	byFile map[string]*ast.Module
	lost   lost
	data   *node
}

func parseModules(sources []source, data *node, ps *problems) modules {
	m := modules{byFile: map[string]*ast.Module{}, lost: lost{}, data: data}
	for _, s := range sources {
		folder := packageOf(s.path)
		parsed, err := ast.ParseModuleWithOpts(s.path, string(s.text), ast.ParserOptions{
			ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: capabilities(),
		})
		switch {
		case isBlank(string(s.text)):
			m.lost.add(folder, anything)
			ps.add(s.path, 1, "is empty: a policy begins with package %s", folder)
		case err != nil:
			m.lost.add(folder, string(s.text))
			addRego(err, s.path, ps)
		default:
			placeTemplates(parsed)
			m.byFile[s.path] = parsed
			if got := packageName(parsed); got != folder {
				m.lost.add(folder, string(s.text))
				ps.add(s.path, parsed.Package.Location.Row, "package %s: a package is named as its folder: %s", got, folder)
			}
		}
	}
	return m
}

// placeTemplates gives the calls within template strings their places, which the compiler drops on its way.
func placeTemplates(m *ast.Module) {
	ast.WalkTerms(m, func(t *ast.Term) bool {
		template, ok := t.Value.(*ast.TemplateString)
		if !ok {
			return false
		}
		for _, part := range template.Parts {
			if e, ok := part.(*ast.Expr); ok && e.IsCall() {
				e.Terms = ast.CallTerm(e.Terms.([]*ast.Term)...).SetLocation(e.Location)
			}
		}
		return false
	})
}

// isBlank reports whether a text holds comments at most.
func isBlank(text string) bool {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return false
		}
	}
	return true
}

// packageOf is the package that a file's folder calls for.
func packageOf(file string) string { return strings.ReplaceAll(path.Dir(file), "/", ".") }

// packageName is the name of a module's package, without data.
func packageName(m *ast.Module) string { return strings.TrimPrefix(m.Package.Path.String(), "data.") }

// compileModules compiles the modules; nil, with what the compiler came to, if something is wrong with them, or was with
// the tree before. What else there may be, [findFaults] finds out.
func compileModules(m modules, pools []definition, schemas *ast.SchemaSet, ps *problems) (*ast.Compiler, ast.Errors) {
	if len(*ps) > 0 {
		return nil, nil
	}
	c := newCompiler(m, schemas).WithStrict(true)
	c.WithStageAfterID(ast.StageResolveRefs, stage(func(c *ast.Compiler) { checkReads(c.Modules, pools, ps) }))
	heard := make(map[string]*ast.Module, len(m.byFile))
	for file, module := range m.byFile {
		heard[file] = withUnheard(module)
	}
	if c.Compile(heard); c.Failed() || len(*ps) > 0 {
		return nil, c.Errors
	}
	return c, nil
}

func newCompiler(m modules, schemas *ast.SchemaSet) *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(capabilities()).WithDefaultRegoVersion(ast.RegoV1).WithSchemas(schemas).
		WithUseTypeCheckAnnotations(true).WithPathConflictsCheck(m.data.holds).SetErrorLimit(0)
}

// stage is a stage of the compiler that finds nothing wrong itself.
func stage(do func(*ast.Compiler)) ast.CompilerStageDefinition {
	return ast.CompilerStageDefinition{Name: "policies", MetricName: "policies", Stage: func(c *ast.Compiler) *ast.Error {
		do(c)
		return nil
	}}
}

// holds reports whether the data document has something at a path, for the compiler, which refuses a rule there.
func (n *node) holds(keys []string) (bool, error) {
	for _, k := range keys {
		if n = n.fields[k]; n == nil {
			return false, nil
		}
	}
	return true, nil
}

// addRego turns what OPA says into problems of one line each.
func addRego(err error, file string, ps *problems) {
	var all ast.Errors
	if one := (*ast.Error)(nil); errors.As(err, &one) {
		all = ast.Errors{one}
	} else if !errors.As(err, &all) {
		ps.add(file, 1, "%v", err)
		return
	}
	for _, e := range all {
		line := 1
		if e.Location != nil && e.Location.File != "" {
			file, line = e.Location.File, e.Location.Row
		}
		if last := len(*ps) - 1; e.Code == ast.ParseErr && last >= 0 && (*ps)[last].File == file && (*ps)[last].Line == line {
			continue // what the parser says further on in a line follows from its first difficulty
		}
		text := strings.Join(strings.Fields(e.Message), " ")
		if e.Details != nil {
			var parts []string
			for _, l := range e.Details.Lines() {
				if l = strings.TrimSpace(l); strings.Trim(l, "^ ") != "" {
					parts = append(parts, l)
				}
			}
			text += ": " + strings.Join(parts, "; ")
		}
		ps.add(file, line, "%s%s", text, hint(e))
	}
}

// hint says what would be right, where OPA's message alone does not.
func hint(e *ast.Error) string {
	if name, ok := strings.CutPrefix(e.Message, "undefined function "); ok && !strings.HasPrefix(name, "data.") {
		return ": policies have a closed list of built-in functions, without clock, network and randomness; " + spell.Meant(name, allowed)
	}
	if e.Code == ast.UnsafeVarErr {
		return ": nothing of that name is imported, declared or a rule here"
	}
	return ""
}
