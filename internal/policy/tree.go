package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
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

// readTree reads a tree as the stock loader reads it, but for three things that load differently as files and as a
// bundle, and are refused: data in files of other names than data.json, in YAML, and outside objects.
func readTree(files fs.FS, ps *problems) (tree, error) {
	t := tree{schemas: ast.NewSchemaSet()}
	digest := sha256.New()
	var sourceSize, dataSize int
	err := fs.WalkDir(files, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if p != "." && strings.HasPrefix(e.Name(), ".") {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() || strings.HasSuffix(p, "_test.rego") {
			return nil
		}
		switch ext := path.Ext(p); {
		case ext == ".rego", e.Name() == "data.json", ext == ".json" && strings.HasPrefix(p, "schemas/"):
		case ext == ".json", ext == ".yaml", ext == ".yml":
			ps.add(p, 1, "data is read from files named data.json only: move it to %s", path.Join(path.Dir(p), "data.json"))
			return nil
		default:
			return nil
		}
		text, err := fs.ReadFile(files, p)
		if err != nil {
			return err
		}
		switch {
		case strings.HasSuffix(p, ".rego"):
			t.sources = append(t.sources, source{p, text})
			sourceSize += len(text)
		case strings.HasPrefix(p, "schemas/"):
			return t.addSchema(p, text, ps)
		default:
			t.data = append(t.data, source{p, text})
			dataSize += len(text)
		}
		if sourceSize > maxSource || dataSize > maxData {
			return fmt.Errorf("%s: %w", p, errTooBig)
		}
		fmt.Fprintf(digest, "%s\x00%d\x00", p, len(text))
		digest.Write(text)
		return nil
	})
	t.revision = hex.EncodeToString(digest.Sum(nil))[:16]
	return t, err
}

// addSchema puts a schema under the name that the stock flag for a folder of schemas gives it.
func (t *tree) addSchema(p string, text []byte, ps *problems) error {
	var schema any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&schema); err != nil {
		ps.add(p, 1, "schema is not JSON: %v", err)
		return nil
	}
	ref := ast.Ref{ast.SchemaRootDocument}
	name := strings.TrimSuffix(strings.TrimPrefix(p, "schemas/"), ".json")
	for part := range strings.SplitSeq(name, "/") {
		ref = append(ref, ast.StringTerm(part))
	}
	t.schemas.Put(ref, schema)
	return nil
}
