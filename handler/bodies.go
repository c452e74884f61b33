package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"trimtab/internal/metric"
	"trimtab/internal/scan"
)

// maxBodyLine is how long a line that is a body of its own may be.
const maxBodyLine = 32 << 20

// eachBody reads the bodies of a file, or of standard input where its name is -: the whole of it is one, or with lines
// each line that is not empty. What take is given is valid until it returns; from says where it was.
func eachBody(name string, stdin io.Reader, lines bool, take func(from string, body []byte) error) error {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	if !lines {
		body, err := io.ReadAll(in)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		return take(name, body)
	}
	s := bufio.NewScanner(in)
	s.Buffer(nil, maxBodyLine)
	for n := 1; s.Scan(); n++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		if err := take(fmt.Sprintf("%s:%d", name, n), s.Bytes()); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// readBodies reads all bodies of a file.
func readBodies(name string, stdin io.Reader, lines bool) (bodies [][]byte, err error) {
	err = eachBody(name, stdin, lines, func(_ string, body []byte) error {
		bodies = append(bodies, slices.Clone(body))
		return nil
	})
	return bodies, err
}

// propertiesOf reads what stands beside a body: a file that holds an object, or {"properties":{…},"system":{…}}, and
// single properties as NAME=VALUE, which win. They count as both, for either may say how a body is to be read.
func propertiesOf(file string, single []string) (p metric.Properties, err error) {
	var text []byte
	if file != "" {
		if text, err = os.ReadFile(file); err != nil {
			return p, err
		}
		var s scan.Scanner
		s.Reset(text)
		kind := s.Kind()
		if s.Skip(); s.Finish() != nil || kind != scan.Object {
			return p, fmt.Errorf("%s: want a JSON object of properties, such as {\"content-type\":\"application/json\"}", file)
		}
	}
	var split struct {
		Properties, System json.RawMessage
	}
	if json.Unmarshal(text, &split) == nil && (isObject(split.Properties) || isObject(split.System)) {
		p.Application, p.System = split.Properties, split.System
	} else if text != nil {
		p.Application, p.System = text, text
	}
	if len(single) == 0 {
		return p, nil
	}
	named := map[string]any{}
	if isObject(p.Application) {
		if err := json.Unmarshal(p.Application, &named); err != nil {
			return p, fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, pair := range single {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return p, fmt.Errorf("--property %s: want NAME=VALUE, such as content-encoding=gzip", pair)
		}
		named[name] = value
	}
	p.Application, err = json.Marshal(named)
	return p, err
}

func isObject(raw []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) }
