package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// The largest tree that is read: compiling cannot be cut off, so its cost is bounded by its size (facts: opa 4).
const (
	maxSource = 1 << 20
	maxData   = 64 << 20
)

// tree is what lies in a folder of policies.
type tree struct {
	revision string
	sources  []source
	data     []source
	schemas  *ast.SchemaSet
}

// source is one file: its path within the tree, with slashes.
type source struct {
	path string
	text []byte
}

var errTooBig = errors.New("more than a tree of policies may hold")

// Files are the files of a tree that take part in a decision, by their paths with slashes.
type Files map[string][]byte

// Snapshot reads a tree: everything but tests and hidden files.
func Snapshot(tree fs.FS) (Files, error) {
	files := Files{}
	size := 0
	err := fs.WalkDir(tree, ".", func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p != "." && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir() || !takesPart(p):
			return nil
		}
		text, err := fs.ReadFile(tree, p)
		if size += len(text); err == nil && size > maxSource+maxData {
			err = fmt.Errorf("%s: %w", p, errTooBig)
		}
		files[p] = text
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	return files, nil
}

// takesPart reports whether a file is read, or refused by its name.
func takesPart(p string) bool {
	switch path.Ext(p) {
	case ".rego":
		return !strings.HasSuffix(p, "_test.rego")
	case ".json", ".yaml", ".yml":
		return true
	}
	return false
}

// readTree reads a tree as the stock loader reads it, but for three things that load differently as files and as a
// bundle, and are refused: data in files of other names than data.json, in YAML, and outside objects.
func readTree(files Files, ps *problems) (tree, error) {
	t := tree{schemas: ast.NewSchemaSet()}
	digest := sha256.New()
	var sourceSize, dataSize int
	for _, p := range slices.Sorted(maps.Keys(files)) {
		text := files[p]
		if !takesPart(p) {
			continue
		}
		switch {
		case strings.HasSuffix(p, ".rego"):
			t.sources = append(t.sources, source{p, text})
			sourceSize += len(text)
		case path.Ext(p) == ".json" && strings.HasPrefix(p, "schemas/"):
			t.addSchema(p, text, ps)
		case path.Base(p) == "data.json":
			t.data = append(t.data, source{p, text})
			dataSize += len(text)
		default:
			ps.add(p, 1, "data is read from files named data.json only: move it to %s", path.Join(path.Dir(p), "data.json"))
			continue
		}
		if sourceSize > maxSource || dataSize > maxData {
			return t, fmt.Errorf("%s: %w", p, errTooBig)
		}
		if !strings.HasPrefix(p, "schemas/") || path.Ext(p) != ".json" {
			fmt.Fprintf(digest, "%s\x00%d\x00", p, len(text))
			digest.Write(text)
		}
	}
	t.revision = hex.EncodeToString(digest.Sum(nil))[:16]
	return t, nil
}

// inputSchema is the file that says what input holds.
const inputSchema = "schemas/input/schema.json"

// addSchema puts a schema under the name that the stock flag for a folder of schemas gives it.
func (t *tree) addSchema(p string, text []byte, ps *problems) {
	var schema any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&schema); err != nil {
		ps.add(p, 1, "schema is not JSON: %v", err)
		return
	}
	ref := ast.Ref{ast.SchemaRootDocument}
	name := strings.TrimSuffix(strings.TrimPrefix(p, "schemas/"), ".json")
	for part := range strings.SplitSeq(name, "/") {
		ref = append(ref, ast.StringTerm(part))
	}
	t.schemas.Put(ref, schema)
	if p == inputSchema {
		// The compiler's global schema of input: a policy is checked against it whether its annotations name it or not.
		t.schemas.Put(ast.SchemaRootRef, schema)
	}
}
