package metric

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
)

// dimensionsOfAttributes are the attributes of OTLP as dimensions: texts as they are, everything else as JSON writes it.
// All attributes are kept, for each may be what tells two series apart.
func dimensionsOfAttributes(attributes []*commonpb.KeyValue) []dimension {
	dimensions := make([]dimension, 0, len(attributes))
	for _, e := range attributes {
		text, isText := e.GetValue().GetValue().(*commonpb.AnyValue_StringValue)
		if isText {
			dimensions = append(dimensions, dimension{e.GetKey(), text.StringValue})
			continue
		}
		dimensions = append(dimensions, dimension{e.GetKey(), string(appendAttribute(nil, e.GetValue()))})
	}
	return dimensions
}

// appendAttribute writes a value as JSON, the same for the same value always. A text is quoted; a value without content is
// nothing.
func appendAttribute(dst []byte, value *commonpb.AnyValue) []byte {
	switch v := value.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		quoted, _ := json.Marshal(v.StringValue)
		return append(dst, quoted...)
	case *commonpb.AnyValue_BoolValue:
		return strconv.AppendBool(dst, v.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return strconv.AppendInt(dst, v.IntValue, 10)
	case *commonpb.AnyValue_DoubleValue:
		return strconv.AppendFloat(dst, v.DoubleValue, 'g', -1, 64)
	case *commonpb.AnyValue_BytesValue:
		return base64.StdEncoding.AppendEncode(dst, v.BytesValue)
	case *commonpb.AnyValue_ArrayValue:
		dst = append(dst, '[')
		for i, e := range v.ArrayValue.GetValues() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendAttribute(dst, e)
		}
		return append(dst, ']')
	case *commonpb.AnyValue_KvlistValue:
		pairs := slices.Clone(v.KvlistValue.GetValues())
		slices.SortStableFunc(pairs, func(a, b *commonpb.KeyValue) int { return strings.Compare(a.GetKey(), b.GetKey()) })
		dst = append(dst, '{')
		for i, e := range pairs {
			if i > 0 {
				dst = append(dst, ',')
			}
			quoted, _ := json.Marshal(e.GetKey())
			dst = append(append(dst, quoted...), ':')
			dst = appendAttribute(dst, e.GetValue())
		}
		return append(dst, '}')
	}
	return dst
}
