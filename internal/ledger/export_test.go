package ledger

import (
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"trimtab/internal/scale"
)

// Escape, Inverted and InstantOf are what keys are made of.
var (
	Escape    = escape
	Inverted  = inverted
	InstantOf = instantOf
)

// Row is a row that a test makes.
type Row struct{ row }

// NewRow makes a row without properties.
func NewRow(partition, key string) *Row { return &Row{row{partition: partition, key: key}} }

// Text, Binary, Document, Integer and Instant add properties; Raw adds one binary property as it is.
func (r *Row) Text(name, text string)            { r.text(name, text) }
func (r *Row) Binary(name string, data []byte)   { r.binary(name, data) }
func (r *Row) Document(name string, text []byte) { r.document(name, text) }
func (r *Row) Integer(name string, n int64)      { r.integer(name, n) }
func (r *Row) Instant(name string, at time.Time) { r.instant(name, at) }
func (r *Row) Raw(name string, data []byte) {
	r.properties = append(r.properties, property{name: name, kind: kindBinary, data: data})
}

// Check, Size and Entity are what becomes of it.
func (r *Row) Check() error            { return r.check() }
func (r *Row) Size() int               { return r.size() }
func (r *Row) Entity() ([]byte, error) { return r.entity() }

// Prepare is what happens to a transaction before it is sent: insertions, or replacements of a version.
func Prepare(rows []*Row, replace bool, version string) error {
	actions := make([]action, len(rows))
	for i, r := range rows {
		actions[i] = action{&r.row, aztables.TransactionTypeAdd, version}
		if replace {
			actions[i].how = aztables.TransactionTypeUpdateReplace
		}
	}
	_, err := prepare(actions)
	return err
}

// Cells are a row that was read.
type Cells = cells

// ReadBinary and ReadDocument put documents together again.
func ReadBinary(c Cells, name string) ([]byte, error) { return c.binary(name) }

// ReadDocument puts a text document together again.
func ReadDocument(c Cells, name string) []byte { return c.document(name) }

// EntryEntity is the JSON of an entry's row.
func EntryEntity(pool, attempt string, e *scale.Entry) ([]byte, error) {
	r, err := noteRow(pool, attempt, &note{key: e.Key, entry: e})
	if err != nil {
		return nil, err
	}
	return r.entity()
}

// Failure is what an answer of the service amounts to.
type Failure struct {
	Status   int
	Code     string
	Action   int
	Message  string
	Conflict bool
}

// ParseFailure reads an answer.
func ParseFailure(status int, body []byte) Failure {
	f := failure{status: status, action: -1}
	f.read(body)
	return Failure{f.status, f.code, f.action, f.message, f.conflict()}
}

// Clone copies an entry.
func Clone(e scale.Entry) scale.Entry { return clone(e) }

// BreakState makes writes to state.jsonl fail until mend is called.
func BreakState(f *File) (mend func(), err error) {
	whole := f.state.file
	if f.state.file, err = os.Open(whole.Name()); err != nil {
		return nil, err
	}
	return func() {
		_ = f.state.file.Close()
		f.state.file = whole
	}, nil
}

// ReadRow reads a row's properties, as the service's JSON has them, as each of the documents it could be.
func ReadRow(c map[string]any) (problems []error) {
	_, err := cells(c).control()
	problems = append(problems, err)
	_, err = cells(c).entry("web")
	problems = append(problems, err)
	_, err = cells(c).letter()
	return append(problems, err)
}
