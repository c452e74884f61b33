// Package golden replays a transcript of calls to Resource Manager against a server and says where its answers differ:
// against the emulator in its tests, and against Azure by hand where there is a subscription to spare. The transcript is
// written from the documents; what differs on Azure is a finding about the emulator or about a document, and never passed
// over.
//
// A transcript is text. A line "> METHOD PATH" begins a call, further lines with ">" are its headers and, last, its body;
// "<" is the status, the headers and the body that are wanted. "~" in the place of the first ">" repeats a call until the
// answer's status is not InProgress. {name} in a call stands for a variable; in an answer it takes whatever stands there
// into the variable, and * takes anything. Of an answer's headers and fields only those that are named are compared.
package golden

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Step is one call and the answer that is wanted.
type Step struct {
	Line            int
	Method, Path    string
	Headers         [][2]string
	Body            string
	Until           bool
	Status          int
	Wanted          [][2]string
	WantedBody      any
	wantedBodyGiven bool
}

// Difference is one thing in an answer that is not as the transcript has it.
type Difference struct {
	Line int    `json:"line"`
	Call string `json:"call"`
	What string `json:"what"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// Parse reads a transcript.
func Parse(r io.Reader) ([]Step, error) {
	var steps []Step
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	answering := true
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		mark, rest := text[0], strings.TrimSpace(text[1:])
		var err error
		switch {
		case (mark == '>' || mark == '~') && answering:
			method, path, ok := strings.Cut(rest, " ")
			if !ok {
				return nil, fmt.Errorf("line %d: want METHOD PATH, not %q", n, rest)
			}
			steps, answering = append(steps, Step{Line: n, Method: method, Path: path, Until: mark == '~'}), false
		case mark == '>':
			err = steps[len(steps)-1].ask(rest)
		case mark == '<' && len(steps) > 0:
			answering = true
			err = steps[len(steps)-1].want(rest)
		default:
			err = fmt.Errorf("want a line with >, ~, < or #, not %q", text)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return steps, lines.Err()
}

func (s *Step) ask(text string) error {
	if strings.HasPrefix(text, "{\"") || text == "{}" {
		s.Body = text
		return nil
	}
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return fmt.Errorf("want a header or a JSON body, not %q", text)
	}
	s.Headers = append(s.Headers, [2]string{name, strings.TrimSpace(value)})
	return nil
}

func (s *Step) want(text string) error {
	if strings.HasPrefix(text, "{\"") {
		s.wantedBodyGiven = true
		if err := json.Unmarshal([]byte(text), &s.WantedBody); err != nil {
			return fmt.Errorf("body: %w", err)
		}
		return nil
	}
	if n, err := strconv.Atoi(text); err == nil && s.Status == 0 {
		s.Status = n
		return nil
	}
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return fmt.Errorf("want a status, a header or a JSON body, not %q", text)
	}
	s.Wanted = append(s.Wanted, [2]string{name, strings.TrimSpace(value)})
	return nil
}

// Server is where a transcript is replayed.
type Server struct {
	// Endpoint is the base URL, Token the bearer's token.
	Endpoint, Token string
	Client          *http.Client
	// Pause is how long to wait between two questions of a call that is repeated, Most how many there are at most.
	Pause time.Duration
	Most  int
}

// Replay makes the calls in their order and gives what differs. vars are the variables at the start; those that answers set
// are added to them. An error says that a call could not be made at all.
func Replay(ctx context.Context, s Server, steps []Step, vars map[string]string) ([]Difference, error) {
	var all []Difference
	for i := range steps {
		found, err := s.step(ctx, &steps[i], vars)
		if err != nil {
			return all, fmt.Errorf("line %d: %s %s: %w", steps[i].Line, steps[i].Method, steps[i].Path, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

func (s *Server) step(ctx context.Context, one *Step, vars map[string]string) ([]Difference, error) {
	for try := 0; ; try++ {
		resp, body, err := s.call(ctx, one, vars)
		if err != nil {
			return nil, err
		}
		var got any
		_ = json.Unmarshal(body, &got)
		status, _ := got.(map[string]any)
		if one.Until && status["status"] == "InProgress" && try < s.Most {
			select {
			case <-time.After(s.Pause):
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		c := comparison{line: one.Line, call: one.Method + " " + one.Path, vars: vars}
		c.text("status", strconv.Itoa(one.Status), strconv.Itoa(resp.StatusCode))
		for _, h := range one.Wanted {
			c.text("header "+h[0], h[1], resp.Header.Get(h[0]))
		}
		if one.wantedBodyGiven {
			c.value("body", one.WantedBody, got)
		}
		return c.found, nil
	}
}

func (s *Server) call(ctx context.Context, one *Step, vars map[string]string) (*http.Response, []byte, error) {
	url := fill(one.Path, vars)
	if !strings.HasPrefix(url, "https://") {
		url = s.Endpoint + url
	}
	req, err := http.NewRequestWithContext(ctx, one.Method, url, strings.NewReader(fill(one.Body, vars)))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	if one.Body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range one.Headers {
		req.Header.Set(h[0], fill(h[1], vars))
	}
	resp, err := s.Client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	_ = resp.Body.Close()
	return resp, body, err
}

// fill puts the variables into a text.
func fill(text string, vars map[string]string) string {
	for name, value := range vars {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// comparison collects what differs in one answer.
type comparison struct {
	line  int
	call  string
	vars  map[string]string
	found []Difference
}

func (c *comparison) text(what, want, got string) {
	name, isVar := strings.CutPrefix(want, "{")
	switch {
	case want == "*" && got != "":
	case isVar && strings.HasSuffix(name, "}") && got != "":
		c.vars[strings.TrimSuffix(name, "}")] = got
	case want != got:
		c.found = append(c.found, Difference{c.line, c.call, what, want, got})
	}
}

// value compares what is wanted with what came; fields that are not named are not looked at.
func (c *comparison) value(what string, want, got any) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			c.text(what, "an object", show(got))
			return
		}
		for _, name := range sorted(w) {
			c.value(what+"."+name, w[name], g[name])
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) < len(w) {
			c.text(what, fmt.Sprintf("an array of %d or more", len(w)), show(got))
			return
		}
		for i := range w {
			c.value(fmt.Sprintf("%s[%d]", what, i), w[i], g[i])
		}
	case string:
		if text, ok := got.(string); ok {
			c.text(what, w, text)
			return
		}
		c.text(what, w, show(got))
	default:
		c.text(what, show(want), show(got))
	}
}

func show(v any) string {
	if v == nil {
		return ""
	}
	b, _ := json.Marshal(v)
	return string(b)
}

func sorted(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
