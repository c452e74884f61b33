package security_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"trimtab/internal/ledger"
	"trimtab/tests/fakehost"
)

const (
	// mostTime bounds one answer, on a machine that does much else; mostMemory what the process may ever hold, in MiB. A
	// body of 160 MiB, which is how much the host may post, lies in memory once, in a buffer that has grown to hold it.
	mostTime   = 60 * time.Second
	mostMemory = 1024
)

// repeat is a reader of n bytes of a text over and over; nothing of that size lies in the test's own memory.
func repeat(text string, n int64) io.Reader {
	return io.LimitReader(&loop{text: []byte(text)}, n)
}

type loop struct {
	text []byte
	at   int
}

func (l *loop) Read(p []byte) (n int, err error) {
	for n < len(p) {
		c := copy(p[n:], l.text[l.at:])
		n, l.at = n+c, (l.at+c)%len(l.text)
	}
	return n, nil
}

// bomb is a megabyte that unpacks to a gigabyte: the same piece over and over, each packed by itself.
var bomb = sync.OnceValues(func() ([]byte, error) {
	var piece bytes.Buffer
	w := gzip.NewWriter(&piece)
	if _, err := io.Copy(w, repeat("\x00", 1<<20)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return bytes.Repeat(piece.Bytes(), 1<<10), nil
})

func unpacksToAGigabyte(t *testing.T) []byte {
	t.Helper()
	b, err := bomb()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// envelope is an invocation with some text for its events and metadata.
func envelope(events, metadata string) io.Reader {
	return strings.NewReader(`{"Data":{"events":` + events + `},"Metadata":{` +
		`"PartitionContext":{"FullyQualifiedNamespace":"ns1.servicebus.windows.net","EventHubName":"metrics","ConsumerGroup":"$Default","PartitionId":"3"}` +
		metadata + `}}`)
}

func TestABodyMadeToBreakTheReaderIsRefusedWithinBounds(t *testing.T) {
	const mebi = 1 << 20
	packed := unpacksToAGigabyte(t)
	folder := t.TempDir()
	h := host(t, func(o *fakehost.Options) { o.Settings["TRIMTAB_LEDGER"] = "file:" + folder })
	pid := h.PID()
	for _, c := range []struct {
		name   string
		body   func() io.Reader
		change func(*http.Request)
		want   []int
	}{
		{"nothing", func() io.Reader { return strings.NewReader("") }, nil, []int{400}},
		{"a gigabyte packed, and said to be", func() io.Reader { return bytes.NewReader(packed) }, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, []int{400, 415}},
		{"64 MiB of opening brackets", func() io.Reader { return repeat("[", 64*mebi) }, nil, []int{400}},
		{"64 MiB of opening members", func() io.Reader { return repeat(`{"a":`, 64*mebi) }, nil, []int{400}},
		{"64 MiB of zeros", func() io.Reader { return repeat("\x00", 64*mebi) }, nil, []int{400}},
		{"64 MiB of spaces", func() io.Reader { return repeat(" ", 64*mebi) }, nil, []int{400}},
		{"64 MiB of one text", func() io.Reader {
			return io.MultiReader(strings.NewReader(`{"Data":{"events":"`), repeat("A", 64*mebi), strings.NewReader(`"},"Metadata":{}}`))
		}, nil, []int{200}},
		{"64 MiB of one event in base64", func() io.Reader {
			return io.MultiReader(strings.NewReader(`{"Data":{"events":"[\"`), repeat("AAAA", 64*mebi), strings.NewReader(`\"]"},"Metadata":{}}`))
		}, nil, []int{200}},
		{"161 MiB without end", func() io.Reader { return repeat("[1,", 161*mebi) }, nil, []int{413}},
		{"deep nesting in the metadata", func() io.Reader {
			return envelope(`"[]"`, `,"Properties":`+strings.Repeat("[", 200_000)+strings.Repeat("]", 200_000))
		}, nil, []int{400}},
		{"no UTF-8", func() io.Reader { return envelope("\"\xff\xfe\"", "") }, nil, []int{200, 400}},
		{"half a surrogate", func() io.Reader { return envelope(`"[\"\\ud800\"]"`, "") }, nil, []int{200, 400}},
		{"sequence numbers beyond all bounds", func() io.Reader {
			return envelope(`"[\"e30=\",\"e30=\",\"e30=\"]"`, `,"SequenceNumberArray":"[1e400,-9223372036854775809,99999999999999999999]"`)
		}, nil, []int{200, 400}},
		{"fewer sequence numbers than events", func() io.Reader {
			return envelope(`"[\"e30=\",\"e30=\"]"`, `,"SequenceNumberArray":"[1]","EnqueuedTimeUtcArray":"[]"`)
		}, nil, []int{200, 400}},
		{"members twice", func() io.Reader {
			return strings.NewReader(`{"Data":{"events":"[]"},"Data":{"events":"[]"},"Metadata":{},"Metadata":{}}`)
		}, nil, []int{200, 400}},
	} {
		t.Run(c.name, func(t *testing.T) {
			begun := time.Now()
			status := 0
			if c.want[0] == http.StatusRequestEntityTooLarge {
				status = flood(t, h, c.body())
			} else {
				response, _ := post(t, h, "/function", c.body(), c.change)
				status = response.StatusCode
			}
			took := time.Since(begun)
			ok := false
			for _, want := range c.want {
				ok = ok || status == want
			}
			if !ok {
				t.Errorf("got %d, want one of %v", status, c.want)
			}
			bounded(t, h, pid, took)
		})
	}
}

// flood posts more than is taken; the answer may come while it is still being written, and the connection end with it.
func flood(t *testing.T, h *fakehost.Host, body io.Reader) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/function", h.Port()), body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := client.Do(r)
	if err != nil {
		// A client that insists on writing sees the connection break: that is a refusal too.
		return http.StatusRequestEntityTooLarge
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// bounded checks that an answer came in time, that memory was kept within bounds and that the process lives on.
func bounded(t *testing.T, h *fakehost.Host, pid int, took time.Duration) {
	t.Helper()
	within(t, h, pid, took, mostMemory)
}

func within(t *testing.T, h *fakehost.Host, pid int, took time.Duration, memory int) {
	t.Helper()
	if h.PID() != pid {
		t.Fatal("the process has died")
	}
	mib := peak(t, pid)
	t.Logf("%v, peak %d MiB", took.Round(time.Millisecond), mib)
	if took > mostTime || mib > memory {
		t.Errorf("took %v and %d MiB, want at most %v and %d", took, mib, mostTime, memory)
	}
	if response, body := post(t, h, "/sweep", strings.NewReader(timer), nil); response.StatusCode != http.StatusOK {
		t.Errorf("the next sweep: %d: %s", response.StatusCode, body)
	}
}

func TestAnEventMadeToBreakTheReaderIsKeptAndTheBatchGoesOn(t *testing.T) {
	record := func(resource, metric string) []byte {
		return []byte(`{"records":[{"count":1,"total":1,"minimum":1,"maximum":1,"average":1,"time":"2026-05-04T12:00:00Z","timeGrain":"PT1M","resourceId":` +
			resource + `,"metricName":` + metric + `}]}`)
	}
	quoted := func(s string) string { return `"` + s + `"` }
	folder := t.TempDir()
	h := host(t, func(o *fakehost.Options) { o.Settings["TRIMTAB_LEDGER"] = "file:" + folder })
	pid := h.PID()
	packed := unpacksToAGigabyte(t)
	sequence := int64(0)
	for _, c := range []struct {
		name string
		body []byte
		// letter says that the event cannot be understood and is to be kept.
		letter bool
	}{
		{"a gigabyte packed", packed[:min(len(packed), 1<<20)], true},
		{"a megabyte of opening brackets", bytes.Repeat([]byte("["), 1<<20), true},
		{"a record nested deep", []byte(`{"records":[{"a":` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + `}]}`), true},
		{"a million records that are none", []byte(`{"records":[` + strings.Repeat("{},", 999_999) + `{}]}`), true},
		{"a million numbers", []byte(`[` + strings.Repeat("1,", 999_999) + `1]`), true},
		{"no UTF-8 in a name", record(quoted("/subscriptions/\xff\xfe"), quoted("cpu\xc3\x28")), true},
		{"a resource with every character that a key may not have", record(quoted(`/sub/\\#?'\"\u0000\u0001\u007f\u0085%2f`), quoted(`Percentage\u0000CPU`)), true},
		{"a resource that looks like a filter", record(quoted(web+`' or PartitionKey ne '`), quoted("Percentage CPU")), false},
		{"a resource of half a megabyte", record(quoted(strings.Repeat("/a", 1<<18)), quoted("Percentage CPU")), true},
		{"a metric of half a megabyte", record(quoted(web), quoted(strings.Repeat("m", 1<<19))), true},
		{"a number of a megabyte", []byte(`{"records":[{"total":` + strings.Repeat("9", 1<<20) + `}]}`), true},
		{"a time beyond all times", []byte(`{"records":[{"total":1,"time":"9999999-01-01T00:00:00Z","resourceId":"/a","metricName":"b"}]}`), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			sequence += 2
			good := load(time.Now(), web, sequence, 1, 50)
			events := append([]fakehost.Event{{Body: c.body, Sequence: sequence - 1, EnqueuedAt: time.Now()}}, good...)
			begun := time.Now()
			result, err := h.Deliver(t.Context(), "function", "3", events)
			if err != nil || !result.Succeeded || len(result.Attempts) != 1 {
				t.Fatalf("Deliver: %+.500v, %v", result, err)
			}
			bounded(t, h, pid, time.Since(begun))
			logs := strings.Join(result.Logs, "\n")
			if !strings.Contains(logs, "web: ") {
				t.Errorf("the good event beside it was not decided on: %.300q", logs)
			}
			if strings.Contains(logs, "1 of 2 events kept as dead letters") != c.letter {
				t.Errorf("kept: want %v: %.300q", c.letter, logs)
			}
		})
	}
	h.Stop()
	read, err := ledger.OpenFileReader(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = read.Close() }()
	letters, err := read.DeadLetters(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range letters {
		if len(l.Rejections) == 0 || l.Source.Partition != "3" {
			t.Errorf("sequence %d of partition %q with %d reasons", l.Source.Sequence, l.Source.Partition, len(l.Rejections))
		}
	}
	if len(letters) != 11 {
		t.Errorf("%d dead letters, want 11", len(letters))
	}
}

func TestAMillionEventsInOneBatchEndWithinBounds(t *testing.T) {
	folder := t.TempDir()
	h := host(t, func(o *fakehost.Options) {
		o.Settings["TRIMTAB_DEADLINE"], o.Settings["TRIMTAB_LEDGER"] = "30s", "file:"+folder
	})
	pid := h.PID()
	body := io.MultiReader(strings.NewReader(`{"Data":{"events":"[`), repeat(`\"e30=\",`, 9*999_999), strings.NewReader(`\"e30=\"]"},"Metadata":{}}`))
	begun := time.Now()
	response, text := post(t, h, "/function", body, nil)
	if response.StatusCode != 200 && response.StatusCode != 503 {
		t.Errorf("got %d: %.300s", response.StatusCode, text)
	}
	// The host makes batches of a hundred; a million letters, each with its source and reason, may take more than a body.
	within(t, h, pid, time.Since(begun), 2*mostMemory)
}

func TestAPolicyWithoutEndHoldsAndTheOthersDecide(t *testing.T) {
	doubling := func(step string) string {
		var s strings.Builder
		s.WriteString("want contains {\"code\": \"a\", \"state\": \"known\", \"instances\": 50} if {\n\tx0 := \"0123456789abcdef\"\n")
		for i := range 40 {
			fmt.Fprintf(&s, "\tx%d := "+step+"\n", i+1, i, i)
		}
		return s.String() + "\tcount(x40) > 0\n}\n"
	}
	const ten = "\tsome _ in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"
	for name, rego := range map[string]string{
		"loops within loops":  "want contains {\"code\": \"a\", \"state\": \"known\", \"instances\": 50} if {\n" + strings.Repeat(ten, 9) + "\tfalse\n}\n",
		"texts that double":   doubling(`concat("", [x%d, x%d])`),
		"formats that double": doubling(`sprintf("%%s%%s", [x%d, x%d])`),
	} {
		t.Run(name, func(t *testing.T) {
			policies := copyPolicies(t)
			// Beside the pool's own policy: one reason without end stops the whole of it.
			writePolicy(t, policies, "package pools.web\n\n"+rego)
			h := host(t, func(o *fakehost.Options) { o.Settings["TRIMTAB_POLICIES"] = policies })
			pid := h.PID()
			events := append(load(time.Now(), web, 1, 5, 90), load(time.Now(), strings.TrimSuffix(web, "web")+"batch", 6, 5, 90)...)
			begun := time.Now()
			result, err := h.Deliver(t.Context(), "function", "0", events)
			if err != nil || !result.Succeeded || len(result.Logs) != 2 {
				t.Fatalf("Deliver: %+.500v, %v", result, err)
			}
			took := time.Since(begun)
			if took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			bounded(t, h, pid, took)
			for _, line := range result.Logs {
				if !strings.Contains(line, "hold") {
					t.Errorf("got %q", line)
				}
			}
		})
	}
}

func TestHostileNamesAreNoKeysAndNoFilters(t *testing.T) {
	folder := t.TempDir()
	h := host(t, func(o *fakehost.Options) { o.Settings["TRIMTAB_LEDGER"] = "file:" + folder })
	for _, name := range []string{
		`a/b\c#d?e`, "'", `' or PartitionKey ne '`, "\x00\x01\x1f\x7f", "..", "../../etc", "~2f", "ünïcode\u2028", " ", strings.Repeat("p", 300),
	} {
		ctx, cancel := context.WithTimeout(t.Context(), mostTime)
		result, err := h.Deliver(ctx, "function", name, []fakehost.Event{
			{Body: []byte("junk"), Sequence: 1, EnqueuedAt: time.Now()}, load(time.Now(), web, 2, 1, 50)[0],
		})
		cancel()
		if err != nil || !result.Succeeded {
			t.Errorf("partition %.40q: %+.300v, %v", name, result, err)
		}
		for _, args := range [][]string{{"explain", name}, {"freeze", name}, {"release", name}} {
			if code, out := command(t, map[string]string{"TRIMTAB_LEDGER": "file:" + folder}, args...); code == 0 {
				t.Errorf("%.40q: want a refusal, got:\n%s", args, out)
			}
		}
	}
}
