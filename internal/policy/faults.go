package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/spell"
)

// The compiler ends with the first stage that finds something fatal, and what it never came to may be wrong too. So each
// fault is noted and then mended as narrowly as can be, by something of which nothing is known and that is therefore
// never at fault itself; then everything is compiled anew, until the compiler comes to its end. Nothing of this runs for
// policies that are right.
const (
	unknownFile = "__unknown__.rego"
	mostArgs    = 16
)

var (
	unknownValue  = ast.Ref{ast.DefaultRootDocument, ast.StringTerm("__nowhere__")}
	unknownModule = sync.OnceValue(func() *ast.Module { return ast.MustParseModule(unknownText()) })

	unsafeVar   = regexp.MustCompile(`^var (\S+) is (?:unsafe|undeclared)`)
	unknownCall = regexp.MustCompile(`^undefined function (\S+)`)
	misfitCall  = regexp.MustCompile(`^function (\S+) has arity|^(\S+): arity mismatch`)
	// hides is a name that must be left to the root documents, a rule's or a variable's.
	hides = regexp.MustCompile(`must not shadow (?:input|data)`)
	// twoOfAKind are rules that cannot stand beside each other, atData one where data lie.
	twoOfAKind = regexp.MustCompile(`^(?:conflicting|multiple default) rules (\S+) found|^rule (\S+) conflicts with|conflicts with rule (\S+) defined`)
	atData     = regexp.MustCompile(`^conflicting rule for data path (\S+) found`)
)

// unknownText are functions of each number of arguments, whose values are not known.
func unknownText() string {
	var b strings.Builder
	b.WriteString("package __unknown__\n")
	for n := 1; n <= mostArgs; n++ {
		fmt.Fprintf(&b, "f%d(%s) := data.__nowhere__\n", n, strings.TrimSuffix(strings.Repeat("_, ", n), ", "))
	}
	return b.String()
}

// lost are the packages of which some text was not understood, with those texts: a name that is missing there may be
// missing for that alone.
type lost map[string][]string

// anything is a text that may define any name.
const anything = ""

func (l lost) add(pkg, text string) { l[pkg] = append(l[pkg], text) }

// mayHold reports whether the lost part of a package may define a name.
func (l lost) mayHold(pkg, name string) bool {
	return slices.ContainsFunc(l[pkg], func(text string) bool {
		if text == anything {
			return true
		}
		word, err := regexp.MatchString(`\b`+regexp.QuoteMeta(name)+`\b`, text)
		return word || err != nil
	})
}

// ruleAt is a rule by its file and its place in it, spot a call by the line and the function.
type (
	ruleAt struct {
		file  string
		index int
	}
	spot struct {
		file     string
		row      int
		function string
	}
)

// search is the hunt for all that is wrong with modules.
type search struct {
	modules
	schemas *ast.SchemaSet
	pools   []definition
	ps      *problems

	left  map[string]*ast.Module
	stubs map[ruleAt]bool
	calls map[spot]bool
	vars  map[ruleAt][]ast.Var
	// tried counts what was done about an error.
	tried map[string]int
	// read, imports and ended: the reads were checked, the imports were, the compiler came to its end.
	read, imports, ended bool
}

// findFaults adds everything that is wrong with modules, and leaves out what only follows from something else.
func findFaults(m modules, pools []definition, schemas *ast.SchemaSet, ps *problems) {
	s := &search{
		modules: m, schemas: schemas, pools: pools, ps: ps,
		left: map[string]*ast.Module{}, stubs: map[ruleAt]bool{}, calls: map[spot]bool{}, vars: map[ruleAt][]ast.Var{}, tried: map[string]int{},
	}
	for file, module := range m.byFile {
		s.left[file] = module.Copy()
	}
	for again := true; again && !s.ended; {
		again = s.round()
	}
}

// round notes what one more compilation finds, and mends it; false when there was nothing to mend.
func (s *search) round() bool {
	found := s.compile(true)
	// A name that hides input or data gives everything below it another type: what else there is, the next round tells.
	hidden := slices.DeleteFunc(slices.Clone(found), func(e *ast.Error) bool {
		return !hides.MatchString(e.Message) || s.tried[e.Error()] > 0
	})
	for _, e := range found {
		if !s.follows(e) && (len(hidden) == 0 || e.Code != ast.TypeErr) {
			s.note(e)
		}
	}
	if len(hidden) > 0 {
		s.ended = false
		return s.mendAll(hidden)
	}
	if s.ended {
		return false
	}
	// What is an error to the strict compiler alone does not stop it, and needs no mending.
	return s.mendAll(s.compile(false))
}

// note adds an error to the problems.
func (s *search) note(e *ast.Error) {
	// A schema that is not there is an error of every rule that it is for, but was written once.
	if schema, ok := strings.CutPrefix(e.Message, "undefined schema: "); ok {
		for file, m := range s.left {
			for _, a := range m.Annotations {
				if slices.ContainsFunc(a.Schemas, func(n *ast.SchemaAnnotation) bool { return n.Schema.String() == schema }) {
					s.ps.add(file, rowOf(a.Location), "%s", e.Message)
				}
			}
		}
		return
	}
	if meant := s.meant(e); meant != "" {
		told := *e
		told.Message += meant
		e = &told
	}
	addRego(e, "", s.ps)
}

// meant says which function of a package a call that finds none may have meant; empty for other errors.
func (s *search) meant(e *ast.Error) string {
	name := unknownCall.FindStringSubmatch(e.Message)
	if name == nil || !strings.HasPrefix(name[1], "data.") {
		return ""
	}
	path := strings.TrimPrefix(name[1], "data.")
	cut := strings.LastIndexByte(path, '.')
	if cut < 0 {
		return ""
	}
	pkg := path[:cut]
	var packages, functions []string
	for _, m := range s.byFile {
		own := packageName(m)
		for _, r := range m.Rules {
			rule := r.Head.Name.String()
			if len(r.Head.Args) == 0 || strings.HasPrefix(rule, "_") {
				continue
			}
			if packages = append(packages, own); own == pkg {
				functions = append(functions, rule)
			}
		}
	}
	if len(functions) > 0 {
		slices.Sort(functions)
		return fmt.Sprintf(": %s has no such function; %s", pkg, spell.Meant(path[cut+1:], slices.Compact(functions)))
	}
	slices.Sort(packages)
	return fmt.Sprintf(": %s has no functions; %s", pkg, spell.Meant(pkg, slices.Compact(packages)))
}

// mendAll mends errors, each once; false when none of them could be.
func (s *search) mendAll(found ast.Errors) bool {
	errs := map[string]*ast.Error{}
	for _, e := range found {
		if e.Location != nil && s.left[e.Location.File] != nil {
			errs[e.Error()] = e
		}
	}
	for _, key := range slices.Sorted(maps.Keys(errs)) {
		// What was done about another may have taken the file away.
		if e := errs[key]; s.left[e.Location.File] != nil {
			s.mend(e, s.tried[key])
		}
		s.tried[key]++
	}
	return len(errs) > 0
}

func (s *search) compile(strict bool) ast.Errors {
	c := newCompiler(s.modules, s.schemas).WithStrict(strict)
	if !strict {
		c.WithSkipStages(ast.StageCheckUnusedImports, ast.StageCheckKeywordOverrides, ast.StageCheckDuplicateImports)
	} else if s.imports {
		// A rule that was mended does not use what it used before.
		c.WithSkipStages(ast.StageCheckUnusedImports)
	}
	c.WithStageAfterID(ast.StageResolveRefs, stage(func(c *ast.Compiler) {
		if !s.read {
			checkReads(c.Modules, s.pools, s.ps)
		}
		s.read = true
		s.replace(c.Modules)
	}))
	c.WithStageAfterID(ast.StageCheckUnusedImports, stage(func(*ast.Compiler) { s.imports = true }))
	c.WithStageAfterID(ast.StageCheckTypes, stage(func(*ast.Compiler) { s.ended = true }))
	all := maps.Clone(s.left)
	all[unknownFile] = unknownModule()
	c.Compile(all)
	return c.Errors
}

// follows reports whether an error may follow from what was noted already: a name that is missing where text was lost.
func (s *search) follows(e *ast.Error) bool {
	if e.Location == nil || s.left[e.Location.File] == nil {
		return false
	}
	own := packageName(s.left[e.Location.File])
	if name := unsafeVar.FindStringSubmatch(e.Message); name != nil {
		return s.lost.mayHold(own, name[1])
	}
	name := unknownCall.FindStringSubmatch(e.Message)
	if name == nil {
		return false
	}
	function, within := strings.CutPrefix(name[1], "data.")
	if !within {
		first, _, _ := strings.Cut(function, ".")
		return s.lost.mayHold(own, first)
	}
	for pkg := range s.lost {
		if below, ok := strings.CutPrefix(function, pkg+"."); ok {
			first, _, _ := strings.Cut(below, ".")
			if s.lost.mayHold(pkg, first) {
				return true
			}
		}
	}
	return false
}
