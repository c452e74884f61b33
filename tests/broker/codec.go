package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// The types of AMQP 1.0 that need a name of their own in Go; the others are Go's.
type (
	symbol    string
	described struct {
		code  uint64
		value any
	}
	list   []any
	dict   map[any]any
	uuid   [16]byte
	opaque struct{ bytes []byte } // a value kept as it came: floats of other sizes, characters
)

// maxDepth bounds how deep a value may be nested.
const maxDepth = 32

var errShort = errors.New("amqp: value ends early")

// decoder takes values off the front of bytes.
type decoder struct {
	rest  []byte
	depth int
}

func (d *decoder) take(n int) ([]byte, error) {
	if n < 0 || n > len(d.rest) {
		return nil, errShort
	}
	p := d.rest[:n:n]
	d.rest = d.rest[n:]
	return p, nil
}

func number(p []byte) (n uint64) {
	for _, b := range p {
		n = n<<8 | uint64(b)
	}
	return n
}

// next takes one value, described or not.
func (d *decoder) next() (any, error) {
	d.depth++
	defer func() { d.depth-- }()
	if d.depth > maxDepth {
		return nil, errors.New("amqp: value is nested too deep")
	}
	constructor, err := d.take(1)
	if err != nil {
		return nil, err
	}
	if constructor[0] != 0 {
		return d.value(constructor[0])
	}
	descriptor, err := d.next()
	if err != nil {
		return nil, err
	}
	value, err := d.next()
	if err != nil {
		return nil, err
	}
	switch code := descriptor.(type) {
	case uint64:
		return described{code, value}, nil
	case symbol:
		// Only filters come with a name for a descriptor, and they are told apart by what they hold.
		return described{value: value}, nil
	}
	return nil, fmt.Errorf("amqp: descriptor of type %T", descriptor)
}

// width is the size of a value, its count of bytes read first where the format has one. The upper half of a format code
// says it (AMQP 1.0, part 1, 1.2).
func (d *decoder) width(format byte) (int, error) {
	switch format >> 4 {
	case 0x4:
		return 0, nil
	case 0x5:
		return 1, nil
	case 0x6:
		return 2, nil
	case 0x7:
		return 4, nil
	case 0x8:
		return 8, nil
	case 0x9:
		return 16, nil
	case 0xa, 0xc, 0xe:
		p, err := d.take(1)
		return int(number(p)), err
	case 0xb, 0xd, 0xf:
		p, err := d.take(4)
		return int(number(p)), err
	}
	return 0, fmt.Errorf("amqp: format %#x", format)
}

func (d *decoder) value(format byte) (any, error) {
	n, err := d.width(format)
	if err != nil {
		return nil, err
	}
	p, err := d.take(n)
	if err != nil {
		return nil, err
	}
	switch format {
	case 0xc0, 0xd0, 0xc1, 0xd1, 0xe0, 0xf0:
		return d.compound(format, p)
	}
	return scalar(format, p)
}

func scalar(format byte, p []byte) (any, error) {
	u := number(p)
	switch format {
	case 0x40:
		return nil, nil
	case 0x41:
		return true, nil
	case 0x42:
		return false, nil
	case 0x43:
		return uint32(0), nil
	case 0x44:
		return uint64(0), nil
	case 0x45:
		return list(nil), nil
	case 0x50:
		return uint8(u), nil
	case 0x51:
		return int8(u), nil
	case 0x52, 0x70:
		return uint32(u), nil
	case 0x53, 0x80:
		return u, nil
	case 0x54:
		return int32(int8(u)), nil
	case 0x55:
		return int64(int8(u)), nil
	case 0x56:
		return u == 1, nil
	case 0x60:
		return uint16(u), nil
	case 0x61:
		return int16(u), nil
	case 0x71:
		return int32(u), nil
	case 0x72:
		return math.Float32frombits(uint32(u)), nil
	case 0x81:
		return int64(u), nil
	case 0x82:
		return math.Float64frombits(u), nil
	case 0x83:
		return time.UnixMilli(int64(u)).UTC(), nil
	case 0x73, 0x74, 0x84, 0x94:
		return opaque{append([]byte{format}, p...)}, nil
	case 0x98:
		return uuid(p), nil
	case 0xa0, 0xb0:
		return p, nil
	case 0xa1, 0xb1:
		return string(p), nil
	case 0xa3, 0xb3:
		return symbol(p), nil
	}
	return nil, fmt.Errorf("amqp: format %#x", format)
}

// compound reads a list, a map or an array; the lower half of its format says which, the upper how wide its count is.
func (d *decoder) compound(format byte, p []byte) (any, error) {
	in := decoder{rest: p, depth: d.depth}
	width := 1
	if format >= 0xd0 && format != 0xe0 {
		width = 4
	}
	p, err := in.take(width)
	if err != nil {
		return nil, err
	}
	n := number(p)
	if n > uint64(len(in.rest)) {
		return nil, errShort
	}
	var element func() (any, error)
	if format == 0xe0 || format == 0xf0 {
		constructor, err := in.take(1)
		if err != nil {
			return nil, err
		}
		element = func() (any, error) { return in.value(constructor[0]) }
	} else {
		element = in.next
	}
	all := make(list, n)
	for i := range all {
		if all[i], err = element(); err != nil {
			return nil, err
		}
	}
	if format != 0xc1 && format != 0xd1 {
		return all, nil
	}
	return dictOf(all)
}

func dictOf(all list) (dict, error) {
	if len(all)%2 != 0 {
		return nil, errors.New("amqp: a map with half a pair")
	}
	m := make(dict, len(all)/2)
	for i := 0; i < len(all); i += 2 {
		switch all[i].(type) {
		case []byte, list, dict, described, opaque:
			return nil, fmt.Errorf("amqp: a map with a key of type %T", all[i])
		}
		m[all[i]] = all[i+1]
	}
	return m, nil
}

// put appends a value. It knows the types that this broker sends; another is a fault in the broker.
func put(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, 0x40)
	case bool:
		if v {
			return append(b, 0x41)
		}
		return append(b, 0x42)
	case uint8:
		return append(b, 0x50, v)
	case int8:
		return append(b, 0x51, byte(v))
	case uint16:
		return binary.BigEndian.AppendUint16(append(b, 0x60), v)
	case int16:
		return binary.BigEndian.AppendUint16(append(b, 0x61), uint16(v))
	case uint32:
		return binary.BigEndian.AppendUint32(append(b, 0x70), v)
	case int32:
		return binary.BigEndian.AppendUint32(append(b, 0x71), uint32(v))
	case uint64:
		if v < 256 { // descriptors
			return append(b, 0x53, byte(v))
		}
		return binary.BigEndian.AppendUint64(append(b, 0x80), v)
	case int:
		return put(b, int64(v))
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 0x81), uint64(v))
	case float32:
		return binary.BigEndian.AppendUint32(append(b, 0x72), math.Float32bits(v))
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 0x82), math.Float64bits(v))
	case time.Time:
		return binary.BigEndian.AppendUint64(append(b, 0x83), uint64(v.UnixMilli()))
	case uuid:
		return append(append(b, 0x98), v[:]...)
	case opaque:
		return append(b, v.bytes...)
	case []byte:
		return variable(b, 0xa0, string(v))
	case string:
		return variable(b, 0xa1, v)
	case symbol:
		return variable(b, 0xa3, string(v))
	case described:
		return put(put(append(b, 0), v.code), v.value)
	case list:
		var inner []byte
		for _, x := range v {
			inner = put(inner, x)
		}
		return collection(b, 0xd0, len(v), inner)
	case dict:
		var inner []byte
		for k, x := range v {
			inner = put(put(inner, k), x)
		}
		return collection(b, 0xd1, 2*len(v), inner)
	case []string:
		return array(b, 0xb1, v)
	case []symbol:
		return array(b, 0xb3, v)
	}
	panic(fmt.Sprintf("broker: no way to write a %T", value))
}

// variable appends bytes of variable width; the format of the long form is 0x10 above that of the short.
func variable(b []byte, format byte, s string) []byte {
	if len(s) < 256 {
		return append(append(b, format, byte(len(s))), s...)
	}
	return append(binary.BigEndian.AppendUint32(append(b, format+0x10), uint32(len(s))), s...)
}

func collection(b []byte, format byte, n int, inner []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, format), uint32(len(inner)+4))
	return append(binary.BigEndian.AppendUint32(b, uint32(n)), inner...)
}

func array[S ~string](b []byte, element byte, all []S) []byte {
	inner := []byte{element}
	for _, s := range all {
		inner = append(binary.BigEndian.AppendUint32(inner, uint32(len(s))), s...)
	}
	return collection(b, 0xf0, len(all), inner)
}

// The fields of a performative, by position; what is not there has its zero.

func (l list) at(i int) any {
	if i < len(l) {
		return l[i]
	}
	return nil
}

func field[T any](l list, i int) T {
	v, _ := l.at(i).(T)
	return v
}

// terminus are the fields of a source or a target.
func (l list) terminus(i int) list {
	d, _ := l.at(i).(described)
	fields, _ := d.value.(list)
	return fields
}
