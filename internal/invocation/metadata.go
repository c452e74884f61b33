package invocation

import (
	"bytes"
	"strconv"
	"strings"

	"trimtab/internal/scale"
	"trimtab/internal/scan"
)

// The keys of the metadata that are read (facts: functions-host 2.4).
const (
	metaOther = iota
	metaPartition
	metaTriggerPartition
	metaSequences
	metaSequence
	metaTimes
	metaTime
	metaOffsets
	metaOffset
	metaOldOffsets
	metaOldOffset
	metaSystems
	metaSystem
	metaProperties
	metaProperty
	metaSys
	metaRetry
	metadataKeys
)

var metadataNames = [metadataKeys]string{
	metaPartition: "PartitionContext", metaTriggerPartition: "TriggerPartitionContext",
	metaSequences: "SequenceNumberArray", metaSequence: "SequenceNumber",
	metaTimes: "EnqueuedTimeUtcArray", metaTime: "EnqueuedTimeUtc",
	metaOffsets: "OffsetStringArray", metaOffset: "OffsetString",
	metaOldOffsets: "OffsetArray", metaOldOffset: "Offset",
	metaSystems: "SystemPropertiesArray", metaSystem: "SystemProperties",
	metaProperties: "PropertiesArray", metaProperty: "Properties",
	metaSys: "sys", metaRetry: "RetryContext",
}

func metadataKey(key []byte) int {
	for k := metaOther + 1; k < metadataKeys; k++ {
		if len(key) == len(metadataNames[k]) && strings.EqualFold(string(key), metadataNames[k]) {
			return k
		}
	}
	return metaOther
}

// unwrap takes one layer of string off a value that is a string: the host writes arrays and scalars as strings that
// hold JSON, and objects as they are (facts: functions-host 2.2). Its result may lie in a buffer of the parser's.
func (p *Parser) unwrap(value []byte) []byte {
	if len(value) == 0 || value[0] != '"' {
		return value
	}
	s := &p.outer
	s.Reset(value)
	from := len(p.meta)
	p.meta = s.AppendText(p.meta)
	return p.meta[from:len(p.meta):len(p.meta)]
}

// identify says where the events came from.
func (p *Parser) identify(many bool) {
	inv := &p.inv
	inv.Function, inv.Retry = p.function(), p.retry()
	p.partition()
	known := inv.Hub != "" && inv.Partition != ""
	if !known {
		p.note("no PartitionContext: the events have no identity")
	}
	sequences, systems, times, offsets, oldOffsets := metaSequences, metaSystems, metaTimes, metaOffsets, metaOldOffsets
	properties := metaProperties
	if !many {
		sequences, systems, times, offsets, oldOffsets = metaSequence, metaSystem, metaTime, metaOffset, metaOldOffset
		properties = metaProperty
	}
	for i := range inv.Events {
		inv.Events[i].Source = scale.Source{Hub: inv.Hub, Partition: inv.Partition}
	}
	numbered := p.each(sequences, many, func(e *Event, value []byte) {
		e.Source.Sequence, e.Source.Known = sequence(value)
	}) || p.each(systems, many, func(e *Event, value []byte) {
		e.Source.Sequence, e.Source.Known = sequence(p.member(value, "sequencenumber"))
	})
	if !numbered && len(inv.Events) > 0 {
		p.note("no usable %s: the events have no identity", metadataNames[sequences])
	}
	p.properties(systems, properties, many)
	p.each(times, many, func(e *Event, value []byte) {
		e.Source.EnqueuedAt, _ = scan.Time(unquoted(value))
	})
	if !p.each(offsets, many, setOffset) {
		p.each(oldOffsets, many, setOffset)
	}
	for i := range inv.Events {
		if e := &inv.Events[i].Source; !known || !e.Known {
			e.Sequence, e.Known = 0, false
		}
	}
}

// properties keeps what stands beside the bodies. Most events have no properties of their own, and most messages say
// nothing of their content; the arrays that tell so are not taken apart.
func (p *Parser) properties(systems, properties int, many bool) {
	object := func(value []byte) []byte {
		if len(value) > len("{}") && value[0] == '{' {
			return value
		}
		return nil
	}
	if bytes.IndexByte(p.call.metadata[properties], ':') >= 0 {
		p.each(properties, many, func(e *Event, value []byte) { e.Properties = object(value) })
	}
	// content-type, ContentEncoding and their like.
	if bytes.Contains(p.call.metadata[systems], []byte("ontent")) {
		p.each(systems, many, func(e *Event, value []byte) { e.System = object(value) })
	}
}

// each hands to set, for each event, its part of the metadata under a key: of a batch the element of an array that has
// as many as there are events, of one event the value itself. It is false, and nothing is set, if there is no such thing.
func (p *Parser) each(key int, many bool, set func(e *Event, value []byte)) bool {
	raw := p.call.metadata[key]
	events := p.inv.Events
	if raw == nil {
		return false
	}
	value := p.unwrap(raw)
	if !many {
		set(&events[0], value)
		return true
	}
	s := &p.inner
	n := 0
	s.Reset(value)
	if s.Kind() != scan.Array {
		p.note("%s is no array", metadataNames[key])
		return false
	}
	for s.Array(); s.Element(); n++ {
		s.Skip()
	}
	if s.Finish() != nil || n != len(events) {
		p.note("%s does not fit the %d events", metadataNames[key], len(events))
		return false
	}
	s.Reset(value)
	n = 0
	for s.Array(); s.Element(); n++ {
		from := s.Offset()
		s.Skip()
		set(&events[n], value[from:s.Offset()])
	}
	return true
}

// partition reads the partition context.
func (p *Parser) partition() {
	inv := &p.inv
	raw := p.call.metadata[metaTriggerPartition]
	if raw == nil {
		raw = p.call.metadata[metaPartition]
	}
	var namespace, hub, group, id []byte
	s := &p.inner
	s.Reset(p.unwrap(raw))
	if s.Kind() == scan.Object {
		for s.Object(); s.Field(); {
			var into *[]byte
			switch key := s.Key(); {
			case is(key, "fullyqualifiednamespace"):
				into = &namespace
			case is(key, "eventhubname"):
				into = &hub
			case is(key, "consumergroup"):
				into = &group
			case is(key, "partitionid"):
				into = &id
			}
			switch {
			case into != nil && s.Kind() == scan.String:
				*into = s.Text()
			case into != nil && s.Kind() == scan.Number:
				*into = s.Raw()
			default:
				s.Skip()
			}
		}
		if s.Finish() != nil {
			namespace, hub, group, id = nil, nil, nil, nil
		}
	}
	if len(namespace) == 0 || len(hub) == 0 {
		p.hub = p.hub[:0]
	} else {
		p.hub = append(append(append(p.hub[:0], namespace...), '/'), hub...)
		lower(p.hub)
	}
	inv.Hub = keep(inv.Hub, p.hub)
	inv.Partition = keep(inv.Partition, id)
	inv.ConsumerGroup = keep(inv.ConsumerGroup, group)
}

func lower(text []byte) {
	for i, c := range text {
		if c >= 'A' && c <= 'Z' {
			text[i] = c | 0x20
		}
	}
}

// keep is text as a string, the one of the last call if it has not changed.
func keep(last string, text []byte) string {
	if last == string(text) {
		return last
	}
	return string(text)
}

// function is the name of the function.
func (p *Parser) function() string {
	return keep(p.inv.Function, unquoted(p.member(p.unwrap(p.call.metadata[metaSys]), "methodname")))
}

// retry reads the retry context, whose exception may be large (facts: functions-host 2.4).
func (p *Parser) retry() (r Retry) {
	value := p.unwrap(p.call.metadata[metaRetry])
	n, _ := sequence(p.member(value, "retrycount"))
	m, _ := sequence(p.member(value, "maxretrycount"))
	return Retry{RetryCount: int(n), MaxRetryCount: int(m)}
}

// member is the value of a field of an object, nil if there is none.
func (p *Parser) member(object []byte, name string) (value []byte) {
	var s scan.Scanner
	s.Limit = maxDepth
	s.Reset(object)
	if s.Kind() != scan.Object {
		return nil
	}
	for s.Object(); s.Field(); {
		if is(s.Key(), name) {
			value = s.Raw()
		} else {
			s.Skip()
		}
	}
	if s.Failed() {
		return nil
	}
	return value
}

// unquoted takes the quotes off a short text; one with escapes, which none of ours has, is no text.
func unquoted(value []byte) []byte {
	value = bytes.Trim(value, " ")
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	if bytes.IndexByte(value, '\\') >= 0 || string(value) == "null" {
		return nil
	}
	return value
}

// sequence reads a whole number that is not negative, as a number or as a string.
func sequence(value []byte) (int64, bool) {
	value = unquoted(value)
	if len(value) == 0 || len(value) > 19 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	return n, err == nil && n >= 0
}

// setOffset keeps an event's offset. An offset that is no number stands as "-1" in the old array and says nothing.
func setOffset(e *Event, value []byte) {
	if value = unquoted(value); string(value) != "-1" {
		e.Offset = value
	}
}
