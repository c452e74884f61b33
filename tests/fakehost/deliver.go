package fakehost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"
)

// Result is what became of one invocation, its retries included.
type Result struct {
	// Invocation is the host's name for it, the same in all attempts.
	Invocation string
	Attempts   []Attempt
	// Succeeded says that the last attempt did.
	Succeeded bool
	// Logs are the lines of the answer that succeeded: those of a failure are thrown away.
	Logs []string
	// Checkpointed says that the partition moved past the batch, which it does after a failure just as well.
	Checkpointed bool
}

// Attempt is one POST.
type Attempt struct {
	// Status is 0 where no answer came.
	Status int
	Body   []byte
	// Failure is why it failed, empty if it did not.
	Failure string
	Took    time.Duration
	logs    []string
}

// partition is what the host keeps of one partition: batches come one at a time.
type partition struct {
	mu         sync.Mutex
	batches    int
	checkpoint int64
	known      bool
}

// Deliver posts events of one partition to a function as one batch, with the retries of its policy, and then moves the
// checkpoint whatever became of it (facts: functions-host 4.1). Batches of one partition wait for each other. An error
// says that the host could not do its part; that the handler failed is a result.
//
// With cardinality one each event is an invocation of its own; the result is then that of the last.
func (h *Host) Deliver(ctx context.Context, function, part string, events []Event) (Result, error) {
	f, err := h.function(function, "eventHubTrigger")
	if err != nil {
		return Result{}, err
	}
	if len(events) == 0 || len(events) > h.app.MaxEventBatchSize {
		return Result{}, fmt.Errorf("a batch of %d events: the host makes them of 1 to %d", len(events), h.app.MaxEventBatchSize)
	}
	encoding := h.options.Encoding
	if encoding == "" {
		encoding = encodingOf(f.Trigger)
	}
	p := h.partition(part)
	p.mu.Lock()
	defer p.mu.Unlock()
	from := h.from
	from.partition = part
	step := len(events)
	if encoding.single() {
		step = 1
	}
	var result Result
	for ; len(events) > 0; events = events[step:] {
		batch := events[:step]
		result, err = h.invoke(ctx, f, func(now time.Time, retry *retryContext) ([]byte, error) {
			return encodeEvents(f, encoding, from, batch, now, retry)
		})
		if err != nil {
			return result, err
		}
		if p.batches++; p.batches%h.app.CheckpointEvery == 0 {
			p.checkpoint, p.known, result.Checkpointed = batch[len(batch)-1].Sequence, true, true
		}
	}
	return result, nil
}

// Feed delivers any number of events of one partition in batches as large as the host makes them, in order.
func (h *Host) Feed(ctx context.Context, function, part string, events []Event) ([]Result, error) {
	var results []Result
	for len(events) > 0 {
		n := min(len(events), h.app.MaxEventBatchSize)
		result, err := h.Deliver(ctx, function, part, events[:n])
		results = append(results, result)
		if err != nil {
			return results, err
		}
		events = events[n:]
	}
	return results, nil
}

// Checkpoint is the sequence number up to which a partition is done, false where there is none yet.
func (h *Host) Checkpoint(part string) (int64, bool) {
	p := h.partition(part)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.checkpoint, p.known
}

// Tick posts one invocation of a timer.
func (h *Host) Tick(ctx context.Context, function string, pastDue bool) (Result, error) {
	f, err := h.function(function, "timerTrigger")
	if err != nil {
		return Result{}, err
	}
	return h.invoke(ctx, f, func(now time.Time, retry *retryContext) ([]byte, error) {
		return encodeTimer(f, now, pastDue, retry)
	})
}

func (h *Host) function(name, trigger string) (*Function, error) {
	f := h.app.Functions[name]
	if f == nil || f.Trigger.Type != trigger {
		return nil, fmt.Errorf("the app has no function %s with an %s", name, trigger)
	}
	return f, nil
}

func (h *Host) partition(id string) *partition {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.parts[id] == nil {
		h.parts[id] = &partition{}
	}
	return h.parts[id]
}

// invoke posts until it succeeds or the policy is used up. An error means that the host stops or is gone: then nothing
// is checkpointed.
func (h *Host) invoke(ctx context.Context, f *Function, body func(time.Time, *retryContext) ([]byte, error)) (Result, error) {
	result := Result{Invocation: newGUID()}
	var retry *retryContext
	if f.Retry != nil {
		retry = &retryContext{MaxRetryCount: f.Retry.Max, State: map[string]any{}}
	}
	for {
		var attempt Attempt
		payload, err := body(h.options.Now(), retry)
		if err != nil {
			attempt.Failure = "binding: " + err.Error()
		} else {
			if err := h.available(ctx); err != nil {
				return result, err
			}
			attempt = h.post(ctx, f.Name, result.Invocation, payload)
		}
		if ctx.Err() != nil {
			return result, ctx.Err()
		}
		result.Attempts = append(result.Attempts, attempt)
		if attempt.Failure == "" {
			result.Succeeded, result.Logs = true, attempt.logs
			return result, nil
		}
		if h.isStopping() {
			return result, errors.New("the host is stopping")
		}
		if retry == nil || (f.Retry.Max >= 0 && retry.RetryCount >= f.Retry.Max) {
			return result, nil
		}
		retry.RetryCount++
		retry.Exception = map[string]any{"ClassName": "System.Net.Http.HttpRequestException", "Message": attempt.Failure}
		if err := h.options.Wait(ctx, f.Retry.Delay(retry.RetryCount)); err != nil {
			return result, err
		}
	}
}

func (h *Host) isStopping() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stopping
}

// hostVersion is what the host says of itself in its headers.
const hostVersion = "4.1052.200.26400"

// post makes one attempt and judges the answer as the host does (facts: functions-host 3.2).
func (h *Host) post(ctx context.Context, function, invocation string, payload []byte) Attempt {
	begun := time.Now()
	if h.app.FunctionTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, h.app.FunctionTimeout)
		defer cancel()
	}
	a := h.send(ctx, function, invocation, payload)
	a.Took = time.Since(begun)
	if a.Status == 0 {
		h.settle()
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		h.fault("%s timed out after %v: the host kills the handler with all its invocations", function, h.app.FunctionTimeout)
		h.mu.Lock()
		p := h.current
		h.mu.Unlock()
		p.end()
	}
	return a
}

// settle gives a handler whose connection broke the time to be seen dead, so that the next attempt does not meet the
// same corpse.
func (h *Host) settle() {
	h.mu.Lock()
	p := h.current
	h.mu.Unlock()
	late := time.NewTimer(200 * time.Millisecond)
	defer late.Stop()
	select {
	case <-p.exited:
	case <-late.C:
	}
}

func (h *Host) send(ctx context.Context, function, invocation string, payload []byte) Attempt {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url("/"+function), bytes.NewReader(payload))
	if err != nil {
		return Attempt{Failure: err.Error()}
	}
	if !h.options.Length {
		request.ContentLength = -1
		request.Body = io.NopCloser(bytes.NewReader(payload))
		request.GetBody = nil
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("X-Azure-Functions-InvocationId", invocation)
	request.Header.Set("X-Azure-Functions-HostVersion", hostVersion)
	request.Header.Set("User-Agent", "Azure-Functions-Host/"+hostVersion)
	response, err := h.client.Do(request)
	if err != nil {
		return Attempt{Failure: err.Error()}
	}
	defer response.Body.Close()
	a := Attempt{Status: response.StatusCode}
	if a.Body, err = io.ReadAll(response.Body); err != nil {
		a.Failure = err.Error()
		return a
	}
	a.Failure = h.judge(function, &a, response.Header.Get("Content-Type"))
	return a
}

// judge says why an answer is a failure, empty if it is none. What is not merely a failure but a breach of the protocol
// is also a fault.
func (h *Host) judge(function string, a *Attempt, contentType string) string {
	if a.Status < 200 || a.Status > 299 {
		return fmt.Sprintf("response status code does not indicate success: %d", a.Status)
	}
	if trimmed := bytes.TrimSpace(a.Body); len(trimmed) == 0 || bytes.Equal(trimmed, []byte("null")) {
		h.fault("%s answered %d with an empty body or null: the host waits until functionTimeout and kills the handler", function, a.Status)
		return "the invocation never completes"
	}
	if kind, _, err := mime.ParseMediaType(contentType); err != nil || (kind != "application/json" && kind != "text/json") {
		h.fault("%s answered with content type %q", function, contentType)
		return "unsupported media type"
	}
	var answer struct {
		Outputs     map[string]any
		Logs        []string
		ReturnValue any
	}
	if err := json.Unmarshal(a.Body, &answer); err != nil {
		h.fault("%s answered with malformed JSON: %v", function, err)
		return "malformed JSON"
	}
	a.logs = answer.Logs
	return ""
}
