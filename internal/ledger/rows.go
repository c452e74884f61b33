package ledger

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// The service's limits (facts: events 5.1). The emulator is laxer, so they are enforced here, before anything is sent.
const (
	maxActions    = 100
	maxPayload    = 4 << 20
	maxEntity     = 1 << 20
	maxProperties = 252
	maxKey        = 1024
	maxName       = 255
	maxText       = 32768
	maxBinary     = 64 << 10
	// maxDocument bounds one binary document: in base64, with the columns beside it and an outcome that joins it later, it
	// stays below 1 MiB, which is how the emulator counts an entity.
	maxDocument = 720 << 10
	// perAction is more than the lines around an entity take in the body of a transaction, its keys aside.
	perAction = 1024
)

// years that the service can store in a DateTime.
const firstYear, lastYear = 1601, 9999

// kind is the type of a property.
type kind int

const (
	kindText kind = iota
	kindNumber
	kindInstant
	kindBinary
	kindFlag
)

// property is one named value of a row.
type property struct {
	name   string
	kind   kind
	text   string
	number int64
	at     time.Time
	data   []byte
}

// row is what becomes an entity.
type row struct {
	partition, key string
	properties     []property
}

// column adds readable text: what does not fit is cut off, because columns are for people and the document has it all.
func (r *row) column(name, text string) {
	r.properties = append(r.properties, property{name: name, kind: kindText, text: shorten(text, 4096)})
}

// text adds text that must be kept as it is.
func (r *row) text(name, text string) {
	r.properties = append(r.properties, property{name: name, kind: kindText, text: text})
}

// integer adds a whole number, as Int64: Int32 would do for most, but one type reads back one way.
func (r *row) integer(name string, n int64) {
	r.properties = append(r.properties, property{name: name, kind: kindNumber, number: n})
}

// flag adds a truth value.
func (r *row) flag(name string, b bool) {
	p := property{name: name, kind: kindFlag}
	if b {
		p.number = 1
	}
	r.properties = append(r.properties, p)
}

// instant adds a DateTime; a time that the service cannot hold, the zero time among them, is left out.
func (r *row) instant(name string, at time.Time) {
	if at = at.UTC(); at.Year() < firstYear || at.Year() > lastYear {
		return
	}
	r.properties = append(r.properties, property{name: name, kind: kindInstant, at: at})
}

// binary adds a document over numbered properties, with the number of them and the bytes of the whole.
func (r *row) binary(name string, data []byte) {
	r.integer(name+"_bytes", int64(len(data)))
	parts := 0
	for ; len(data) > 0; parts++ {
		n := min(len(data), maxBinary)
		r.properties = append(r.properties, property{name: part(name, parts), kind: kindBinary, data: data[:n]})
		data = data[n:]
	}
	r.integer(name+"_parts", int64(parts))
}

// document adds text over numbered properties, cut between characters.
func (r *row) document(name string, text []byte) {
	parts := 0
	for ; len(text) > 0; parts++ {
		n := cut(text, maxText)
		r.text(part(name, parts), string(text[:n]))
		text = text[n:]
	}
	r.integer(name+"_parts", int64(parts))
}

// part names the i-th property of a document.
func part(name string, i int) string { return fmt.Sprintf("%s_%02d", name, i) }

// cut is how many bytes of the text fit into so many UTF-16 units without parting a character.
func cut(text []byte, units int) int {
	used := 0
	for i := 0; i < len(text); {
		c, n := utf8.DecodeRune(text[i:])
		if used += utf16.RuneLen(c); used > units {
			return i
		}
		i += n
	}
	return len(text)
}

// shorten cuts text to so many bytes, between characters, and makes it valid.
func shorten(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// units is the length of a text as the service counts it.
func units(s string) (n int) {
	for _, c := range s {
		n += utf16.RuneLen(c)
	}
	return n
}

// size is what the service reckons for an entity: four bytes, the keys, and for each property eight bytes, its name and
// its value, text in UTF-16.
func (r *row) size() int {
	n := 4 + 2*(units(r.partition)+units(r.key))
	for i := range r.properties {
		p := &r.properties[i]
		n += 8 + 2*units(p.name)
		switch p.kind {
		case kindText:
			n += 4 + 2*units(p.text)
		case kindBinary:
			n += 4 + len(p.data)
		case kindFlag:
			n++
		default:
			n += 8
		}
	}
	return n
}

// check refuses what the service would refuse, and what only the emulator takes.
func (r *row) check() error {
	for _, key := range []string{r.partition, r.key} {
		if err := checkTableKey(key); err != nil {
			return err
		}
	}
	if n := len(r.properties); n > maxProperties {
		return fmt.Errorf("row %s has %d properties, the service takes %d", r.key, n, maxProperties)
	}
	names := make(map[string]bool, len(r.properties))
	for i := range r.properties {
		p := &r.properties[i]
		if !validName(p.name) || names[p.name] {
			return fmt.Errorf("row %s: property name %q is not valid or comes twice", r.key, p.name)
		}
		names[p.name] = true
		if n := units(p.text); n > maxText {
			return fmt.Errorf("row %s: property %s has %d characters, the service takes %d", r.key, p.name, n, maxText)
		}
		if n := len(p.data); n > maxBinary {
			return fmt.Errorf("row %s: property %s has %d bytes, the service takes %d", r.key, p.name, n, maxBinary)
		}
	}
	if n := r.size(); n > maxEntity {
		return fmt.Errorf("row %s has %d bytes, the service takes %d", r.key, n, maxEntity)
	}
	return nil
}

// checkTableKey refuses a key that the service cannot store or that nobody could read again (facts: events 5.2).
func checkTableKey(key string) error {
	switch {
	case key == "":
		return errors.New("a key is empty")
	case units(key) > maxKey:
		return fmt.Errorf("key %.40q… has %d characters, the service takes %d", key, units(key), maxKey)
	}
	for _, c := range key {
		if c < 0x20 || c >= 0x7f && c < 0xa0 || strings.ContainsRune(`/\#?`, c) {
			return fmt.Errorf("key %.40q holds a character that the service refuses", key)
		}
	}
	return nil
}

// validName reports whether a property may be named so. The service goes by C# identifiers; ours are plain.
func validName(name string) bool {
	if name == "" || len(name) > maxName || '0' <= name[0] && name[0] <= '9' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !plain(c) || c == '-' || c == '.' {
			return false
		}
	}
	return name != "PartitionKey" && name != "RowKey" && name != "Timestamp"
}

// entity is the row as the service's JSON, with a type beside every value that JSON cannot tell.
func (r *row) entity() ([]byte, error) {
	doc := make(map[string]any, 2*len(r.properties)+2)
	doc["PartitionKey"], doc["RowKey"] = r.partition, r.key
	for i := range r.properties {
		p := &r.properties[i]
		typed := ""
		switch p.kind {
		case kindText:
			doc[p.name] = p.text
		case kindFlag:
			doc[p.name] = p.number == 1
		case kindNumber:
			doc[p.name], typed = strconv.FormatInt(p.number, 10), "Edm.Int64"
		case kindInstant:
			// The SDK's own type would print local time as if it were UTC (facts: events 5.2).
			doc[p.name], typed = p.at.Format("2006-01-02T15:04:05.0000000Z"), "Edm.DateTime"
		case kindBinary:
			doc[p.name], typed = base64.StdEncoding.EncodeToString(p.data), "Edm.Binary"
		}
		if typed != "" {
			doc[p.name+"@odata.type"] = typed
		}
	}
	return json.Marshal(doc)
}
