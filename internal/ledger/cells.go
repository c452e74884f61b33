package ledger

import (
	"encoding/base64"
	"fmt"
	"strconv"
)

// cells are the properties of a row that was read.
type cells map[string]any

// text is a text property, empty if there is none.
func (c cells) text(name string) string {
	s, _ := c[name].(string)
	return s
}

// integer reads a whole number as the service, the emulator or a hand-made row may write it.
func (c cells) integer(name string) int64 {
	switch v := c[name].(type) {
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	case float64:
		return int64(v)
	}
	return 0
}

// has reports whether there is a property of the name.
func (c cells) has(name string) bool { return c[name] != nil }

// binary puts a document together again.
func (c cells) binary(name string) ([]byte, error) {
	whole := c.integer(name + "_bytes")
	if whole < 0 || whole > maxEntity {
		return nil, fmt.Errorf("row %s: %s has %d bytes", c.text("RowKey"), name, whole)
	}
	data := make([]byte, 0, whole)
	for i := range int(min(c.integer(name+"_parts"), maxProperties)) {
		piece, err := base64.StdEncoding.DecodeString(c.text(part(name, i)))
		if err != nil {
			return nil, fmt.Errorf("row %s: %s: %w", c.text("RowKey"), part(name, i), err)
		}
		data = append(data, piece...)
	}
	if int64(len(data)) != whole {
		return nil, fmt.Errorf("row %s: %s has %d of its %d bytes", c.text("RowKey"), name, len(data), whole)
	}
	return data, nil
}

// document puts a text document together again.
func (c cells) document(name string) []byte {
	var data []byte
	for i := range int(min(c.integer(name+"_parts"), maxProperties)) {
		data = append(data, c.text(part(name, i))...)
	}
	return data
}
