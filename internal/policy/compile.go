package policy

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
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
	// whole is false when a file did not parse.
	whole bool
	data  *node
}

func parseModules(t tree, data *node, ps *problems) modules {
	m := modules{byFile: map[string]*ast.Module{}, whole: true, data: data}
	for _, s := range t.sources {
		parsed, err := ast.ParseModuleWithOpts(s.path, string(s.text), ast.ParserOptions{
			ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: capabilities(),
		})
		switch {
		case err != nil:
			m.whole = false
			addRego(err, s.path, ps)
		case parsed == nil:
			ps.add(s.path, 1, "is empty: a policy begins with package %s", packageOf(s.path))
		default:
			m.byFile[s.path] = parsed
			if want, got := packageOf(s.path), strings.TrimPrefix(parsed.Package.Path.String(), "data."); got != want {
				ps.add(s.path, parsed.Package.Location.Row, "package %s: a package is named as its folder: %s", got, want)
			}
		}
	}
	return m
}

// packageOf is the package that a file's folder calls for.
func packageOf(file string) string { return strings.ReplaceAll(path.Dir(file), "/", ".") }

// compileModules compiles the modules, nil with problems if they do not. The compiler stops at the first stage that
// finds something, so what is at fault is taken out, with all that imports it, and the rest compiled again for what
// else there is to find.
func compileModules(m modules, schemas *ast.SchemaSet, ps *problems) *ast.Compiler {
	left := maps.Clone(m.byFile)
	for whole := true; len(left) > 0; whole = false {
		c := ast.NewCompiler().WithCapabilities(capabilities()).WithStrict(true).WithDefaultRegoVersion(ast.RegoV1).
			WithSchemas(schemas).WithUseTypeCheckAnnotations(true).WithPathConflictsCheck(m.data.holds).SetErrorLimit(0)
		fresh := make(map[string]*ast.Module, len(left))
		for file, module := range left {
			fresh[file] = withUnheard(module)
		}
		c.Compile(fresh)
		if !c.Failed() {
			if whole {
				return c
			}
			return nil
		}
		gone := map[string]bool{}
		for _, e := range c.Errors {
			// What is wrong in a twin is wrong in its rule.
			if !strings.Contains(e.Message, unheard) {
				addRego(e, "", ps)
			}
			if e.Location == nil || left[e.Location.File] == nil {
				return nil
			}
			gone[left[e.Location.File].Package.Path.String()] = true
		}
		dropDependents(left, gone)
	}
	return nil
}

// dropDependents takes the packages in gone out of the modules, and whatever imports one of them.
func dropDependents(left map[string]*ast.Module, gone map[string]bool) {
	for again := true; again; {
		again = false
		for file, module := range left {
			name := module.Package.Path.String()
			drop := gone[name]
			for _, i := range module.Imports {
				drop = drop || gone[i.Path.String()]
			}
			if drop {
				gone[name], again = true, true
				delete(left, file)
			}
		}
	}
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
		return ": policies have a closed list of built-in functions, without clock, network and randomness; " + meant(name, allowed)
	}
	if e.Code == ast.UnsafeVarErr {
		return ": nothing of that name is imported, declared or a rule here"
	}
	return ""
}
