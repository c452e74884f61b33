package ledger_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/ledger"
	"trimtab/internal/ledger/ledgertest"
	"trimtab/internal/scale"
)

// The service's limits, most of which the emulator does not enforce (facts: events 5.1, 5.3).
func TestARowThatTheServiceWouldRefuseIsNotSent(t *testing.T) {
	for _, c := range []struct {
		name string
		ok   bool
		make func() *ledger.Row
	}{
		{"252 properties", true, func() *ledger.Row { return properties(252) }},
		{"253 properties", false, func() *ledger.Row { return properties(253) }},
		{"text of 32,768 characters", true, text(strings.Repeat("a", 32768))},
		{"text of 32,769 characters", false, text(strings.Repeat("a", 32769))},
		{"text of 16,384 characters of two units", true, text(strings.Repeat("𝄞", 16384))},
		{"text of 16,385 characters of two units", false, text(strings.Repeat("𝄞", 16385))},
		{"a binary of 64 KiB", true, raw(64 << 10)},
		{"a binary of 64 KiB and one byte", false, raw(64<<10 + 1)},
		{"a document of 900 KiB", true, func() *ledger.Row {
			r := ledger.NewRow("p", "k")
			r.Binary("d", make([]byte, 900<<10))
			return r
		}},
		{"an entity above 1 MiB", false, func() *ledger.Row {
			r := ledger.NewRow("p", "k")
			r.Binary("d", make([]byte, 1<<20))
			return r
		}},
		{"620 KB of ASCII, which the service counts twice", false, func() *ledger.Row {
			r := ledger.NewRow("p", "k")
			r.Document("d", bytes.Repeat([]byte("a"), 620_000))
			return r
		}},
		{"a property name with a hyphen", false, named("a-b")},
		{"a property name that begins with a digit", false, named("1a")},
		{"a property named as the service names its own", false, named("Timestamp")},
		{"a property name of 255 characters", true, named(strings.Repeat("a", 255))},
		{"a property name of 256 characters", false, named(strings.Repeat("a", 256))},
		{"a name twice", false, func() *ledger.Row {
			r := named("a")()
			r.Text("a", "again")
			return r
		}},
		{"an empty partition key", false, keyed("", "k")},
		{"an empty row key", false, keyed("p", "")},
		{"a key with a slash", false, keyed("p", "a/b")},
		{"a key with a backslash", false, keyed(`a\b`, "k")},
		{"a key with a number sign", false, keyed("p", "a#b")},
		{"a key with a question mark", false, keyed("p", "a?b")},
		{"a key with a tab", false, keyed("p", "a\tb")},
		{"a key with a delete character", false, keyed("p", "a\x7fb")},
		{"a key of 1,024 characters", true, keyed("p", strings.Repeat("k", 1024))},
		{"a key of 1,025 characters", false, keyed("p", strings.Repeat("k", 1025))},
	} {
		if err := c.make().Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v, want acceptance %v", c.name, err, c.ok)
		}
	}
}

func properties(n int) *ledger.Row {
	r := ledger.NewRow("p", "k")
	for i := range n {
		r.Text(fmt.Sprint("p", i), "")
	}
	return r
}

func text(s string) func() *ledger.Row {
	return func() *ledger.Row {
		r := ledger.NewRow("p", "k")
		r.Text("t", s)
		return r
	}
}

func raw(n int) func() *ledger.Row {
	return func() *ledger.Row {
		r := ledger.NewRow("p", "k")
		r.Raw("b", make([]byte, n))
		return r
	}
}

func named(name string) func() *ledger.Row {
	return func() *ledger.Row {
		r := ledger.NewRow("p", "k")
		r.Text(name, "x")
		return r
	}
}

func keyed(partition, key string) func() *ledger.Row {
	return func() *ledger.Row { return ledger.NewRow(partition, key) }
}

func TestATransactionThatTheServiceWouldRefuseIsNotSent(t *testing.T) {
	rows := func(n, bytes int) (all []*ledger.Row) {
		for i := range n {
			r := ledger.NewRow("p", fmt.Sprint("k", i))
			r.Binary("d", make([]byte, bytes))
			all = append(all, r)
		}
		return all
	}
	for _, c := range []struct {
		name    string
		ok      bool
		rows    []*ledger.Row
		replace bool
		version string
	}{
		{"a hundred rows", true, rows(100, 1), false, ""},
		{"a hundred and one rows", false, rows(101, 1), false, ""},
		{"three rows of 900 KiB", true, rows(3, 900<<10), false, ""},
		{"four rows of 900 KiB, which are more than 4 MiB on the wire", false, rows(4, 900<<10), false, ""},
		{"two partitions", false, []*ledger.Row{ledger.NewRow("p", "k"), ledger.NewRow("q", "k")}, false, ""},
		{"a row twice", false, []*ledger.Row{ledger.NewRow("p", "k"), ledger.NewRow("p", "k")}, false, ""},
		{"a replacement of a version", true, rows(1, 1), true, "v"},
		{"a replacement of whatever is there", false, rows(1, 1), true, ""},
	} {
		if err := ledger.Prepare(c.rows, c.replace, c.version); (err == nil) != c.ok {
			t.Errorf("%s: %v, want acceptance %v", c.name, err, c.ok)
		}
	}
}

// As the service reckons: 4 bytes, keys in UTF-16, and for each property 8 bytes, its name in UTF-16, and its value.
func TestTheSizeOfARowIsTheServices(t *testing.T) {
	r := ledger.NewRow("pp", "kkk")                             // 4 + 4 + 6
	r.Text("t", "aü𝄞")                                          // 8 + 2 + 4 + 8
	r.Integer("nn", 7)                                          // 8 + 4 + 8
	r.Instant("i", time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)) // 8 + 2 + 8
	r.Instant("none", time.Time{})                              // left out
	r.Raw("b", []byte("12345"))                                 // 8 + 2 + 4 + 5
	if got, want := r.Size(), 14+22+20+18+19; got != want {
		t.Errorf("size %d, want %d", got, want)
	}
}

func TestDocumentsComeBackFromTheirParts(t *testing.T) {
	for _, n := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 200_000} {
		data, words := bytes.Repeat([]byte{1, 2, 3, 255}, n/4+1)[:n], []byte(strings.Repeat("aü𝄞", n/7))
		r := ledger.NewRow("p", "k")
		r.Binary("b", data)
		r.Document("t", words)
		if err := r.Check(); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		c := cells(t, r)
		got, err := ledger.ReadBinary(c, "b")
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back as %d, %v", n, len(got), err)
		}
		if got := ledger.ReadDocument(c, "t"); !bytes.Equal(got, words) {
			t.Errorf("text of %d bytes came back as %d", len(words), len(got))
		}
		if n > 0 {
			delete(c, "b_00")
			if _, err := ledger.ReadBinary(c, "b"); err == nil {
				t.Errorf("%d bytes without their first part were taken", n)
			}
		}
	}
}

// cells reads a row back as the service would send it.
func cells(t *testing.T, r *ledger.Row) (c ledger.Cells) {
	t.Helper()
	entity, err := r.Entity()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(entity, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheSameEntryMakesTheSameBytes(t *testing.T) {
	make := func() []byte {
		e := ledgertest.Entry("web", ledgertest.Noon, 1)
		for i := range 40 {
			e.View.Labels[fmt.Sprint("label", i)] = "x"
			e.View.Signals[fmt.Sprint("signal", i)] = scale.SignalView{Value: scale.Milli(i)}
		}
		b, err := ledger.EntryEntity("web", "a", e)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := make()
	for range 20 {
		if !bytes.Equal(first, make()) {
			t.Fatal("the same entry made different bytes")
		}
	}
}

// Whatever joins the nouns: a copy shares nothing with its original that could change.
func TestACopyOfAnEntrySharesNothing(t *testing.T) {
	var e scale.Entry
	populate(reflect.ValueOf(&e).Elem(), 0)
	c := ledger.Clone(e)
	if d := cmp.Diff(e, c); d != "" {
		t.Fatalf("the copy differs (-original +copy):\n%s", d)
	}
	disjoint(t, "entry", reflect.ValueOf(e), reflect.ValueOf(c))
}

// populate puts something into everything that can hold something.
func populate(v reflect.Value, n int64) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		populate(v.Elem(), n+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		populate(v.Index(0), n+1)
		populate(v.Index(1), n+2)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		populate(key, n+1)
		populate(value, n+2)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(ledgertest.Noon))
			return
		}
		for i := range v.NumField() {
			populate(v.Field(i), n+int64(i))
		}
	case reflect.String:
		v.SetString(fmt.Sprint("text", n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(n%9) + 1)
	case reflect.Int, reflect.Int64:
		v.SetInt(n + 1)
	}
}

// disjoint reports what two values share.
func disjoint(t *testing.T, path string, a, b reflect.Value) {
	t.Helper()
	switch a.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", path)
		}
	}
	switch a.Kind() {
	case reflect.Pointer:
		disjoint(t, path, a.Elem(), b.Elem())
	case reflect.Slice:
		for i := range a.Len() {
			disjoint(t, fmt.Sprint(path, "[", i, "]"), a.Index(i), b.Index(i))
		}
	case reflect.Map:
		for _, k := range a.MapKeys() {
			disjoint(t, path+"["+k.String()+"]", a.MapIndex(k), b.MapIndex(k))
		}
	case reflect.Struct:
		for i := range a.NumField() {
			if a.Type() != reflect.TypeFor[time.Time]() {
				disjoint(t, path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
			}
		}
	}
}
