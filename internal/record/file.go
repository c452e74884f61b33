package record

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxLine bounds one line, in bytes: the largest event that a hub takes (20 MB with a dedicated cluster; facts: events
// 3.1), every byte of it escaped twice over.
const MaxLine = 64 << 20

// Reader reads events, in the order of the file.
type Reader struct {
	lines *bufio.Scanner
	gzip  *gzip.Reader
	at    int
}

// NewReader reads a recording, compressed or not. An error says that what begins like gzip is none.
func NewReader(r io.Reader) (*Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	out := &Reader{}
	in := io.Reader(buffered)
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("recording: %w", err)
		}
		out.gzip, in = z, z
	}
	out.lines = bufio.NewScanner(in)
	out.lines.Buffer(make([]byte, 0, 64<<10), MaxLine)
	return out, nil
}

// Next is the next event; io.EOF after the last. Any other error names the line, and reading may go on behind it unless
// the same error comes again.
func (r *Reader) Next() (Event, error) {
	for r.lines.Scan() {
		r.at++
		text := bytes.TrimSpace(r.lines.Bytes())
		if r.at == 1 {
			text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
		}
		if len(text) == 0 {
			continue
		}
		event, err := parse(text)
		if err != nil {
			return Event{}, fmt.Errorf("recording, line %d: %w", r.at, err)
		}
		return event, nil
	}
	if err := r.lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("is longer than %d bytes", MaxLine)
		}
		return Event{}, fmt.Errorf("recording, line %d: %w", r.at+1, err)
	}
	return Event{}, io.EOF
}

// parse reads one line. Fields that are not known are refused: a misspelt one would otherwise be lost in silence.
func parse(text []byte) (Event, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	d.DisallowUnknownFields()
	var l line
	if err := d.Decode(&l); err != nil {
		return Event{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Event{}, errors.New("there is more on the line than one object")
	}
	return l.event()
}

// All reads every event that is left.
func (r *Reader) All() ([]Event, error) {
	var all []Event
	for {
		event, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, event)
	}
}

// Writer writes events. What it was given is only sure to be in the file after Close.
type Writer struct {
	out  *bufio.Writer
	gzip *gzip.Writer
}

// NewWriter writes a recording to w, compressed by gzip if asked.
func NewWriter(w io.Writer, compressed bool) *Writer {
	out := &Writer{}
	if compressed {
		out.gzip = gzip.NewWriter(w)
		w = out.gzip
	}
	out.out = bufio.NewWriterSize(w, 64<<10)
	return out
}

// Write adds an event.
func (w *Writer) Write(e *Event) error {
	l, err := lineOf(e)
	if err != nil {
		return fmt.Errorf("record event %s/%d: %w", e.Partition, e.Sequence, err)
	}
	text, err := marshal(l)
	if err != nil {
		return fmt.Errorf("record event %s/%d: %w", e.Partition, e.Sequence, err)
	}
	_, err = w.out.Write(append(text, '\n'))
	return err
}

// Close writes what is left; what it wrote to stays open.
func (w *Writer) Close() error {
	err := w.out.Flush()
	if w.gzip != nil {
		err = errors.Join(err, w.gzip.Close())
	}
	return err
}

// marshal is JSON without the escapes of HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
