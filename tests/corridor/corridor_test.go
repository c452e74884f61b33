package corridor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
	"trimtab/tests/fakehost"
)

func TestMetricEventsInOneConditionalPatchOut(t *testing.T) {
	r := newRig(t)
	h := r.host()
	res := r.deliver(h, 0, r.minutes("web", 0, 5, 90))
	if len(res.Logs) != 1 || !strings.Contains(res.Logs[0], "web: scale 10 -> ") || !strings.Contains(res.Logs[0], "sent") {
		t.Errorf("got logs %q, want one line for the pool that says what was sent", res.Logs)
	}
	taken := r.patches("web")
	if len(taken) != 1 || taken[0].IfMatch != `"1"` {
		t.Fatalf("got %+v, want one PATCH on the etag that was read", taken)
	}
	var body map[string]any
	if err := json.Unmarshal(taken[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	for key := range body {
		if key != "sku" && key != "properties" {
			t.Errorf("the PATCH holds %q", key)
		}
	}
	r.sweepUntil(h, "outcome", r.settled("web"))
	last := r.entries("web")
	change := last[len(last)-1]
	if change.Outcome == nil || change.Outcome.Result != scale.Applied || change.Decision.To.Instances != r.capacity("web") {
		t.Errorf("got outcome %+v, want applied at %d", change.Outcome, r.capacity("web"))
	}
	h.Check(t)

	out, err := r.command("explain", "web", "--change")
	if err != nil {
		t.Fatalf("explain: %v\n%s", err, out)
	}
	for _, want := range []string{"Grow from 10 to", "Outcome: applied", "What the policy wanted", "track", "cpu", "fresh"} {
		if !strings.Contains(out, want) {
			t.Errorf("explain does not say %q:\n%s", want, out)
		}
	}
}

// command runs the program at a desk, over the same ledger.
func (r *rig) command(args ...string) (string, error) {
	cmd := exec.CommandContext(r.t.Context(), binary(r.t), args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.t.TempDir()}
	for k, v := range r.settings() {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestAKillBetweenIntentAndOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		fault *arm.Fault
		plan  *arm.Plan
	}{
		"before the PATCH has an effect":          {&arm.Fault{Method: "PATCH", Hang: true}, nil},
		"after it had, before its answer is read": {&arm.Fault{Method: "PATCH", Hang: true, After: true}, nil},
		"while the operation goes on":             {nil, &arm.Plan{Polls: 3, Seconds: 60}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			h := r.host()
			var knob arm.Knob
			if c.fault != nil {
				knob = *c.fault
			} else {
				knob = arm.PlanNext{Set: shop + "web", Plan: *c.plan}
			}
			if err := r.arm.Turn(knob); err != nil {
				t.Fatal(err)
			}
			events := r.minutes("web", 0, 5, 90)
			if c.fault != nil {
				// The host's retries deliver the batch again after the kill, as the platform's do.
				done := make(chan struct{})
				go func() {
					defer close(done)
					_, _ = h.Deliver(context.WithoutCancel(t.Context()), "function", "0", events)
				}()
				r.until("intent", func() bool { return r.stored("web").Control.Intent != nil })
				r.until("PATCH under way", func() bool { return r.attempted("web") })
				h.Kill()
				<-done
			} else {
				r.deliver(h, 0, events)
				h.Kill()
			}
			r.sweepUntil(h, "intent closed", r.settled("web"))
			r.sweepUntil(h, "growth applied", func() bool { return r.capacity("web") > 10 && r.settled("web")() })
			want := 0
			for _, e := range r.entries("web") {
				if e.Decision.Act {
					if e.Outcome == nil {
						t.Errorf("entry %s has no outcome", e.Key)
					} else if e.Outcome.Result == scale.Applied {
						want = e.Decision.To.Instances
					}
				}
			}
			if n := r.writes("web"); n != 1 || r.capacity("web") != want {
				t.Errorf("%d writes to %d, want one, to %d", n, r.capacity("web"), want)
			}
		})
	}
}

// until waits for a condition of the test's world, without a sleep of its own: each look is a call.
func (r *rig) until(what string, done func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: not within the time allowed", what)
		}
	}
}

// attempted reports whether a PATCH has reached the emulator, answered or not.
func (r *rig) attempted(pool string) bool {
	for _, q := range r.arm.Requests() {
		if q.Method == "PATCH" && strings.HasSuffix(strings.ToLower(q.Path), "/"+pool) {
			return true
		}
	}
	return false
}

func TestADuplicatedBatchIsFoldedOnce(t *testing.T) {
	r := newRig(t)
	h := r.host()
	events := r.minutes("web", 0, 5, 60)
	r.deliver(h, 0, events)
	first := r.windows("web")
	r.deliver(h, 0, events)
	again := r.windows("web")
	if len(first) != 1 || len(again) != 1 || !bytes.Equal(first[0].Data, again[0].Data) {
		t.Error("the second delivery changed the window")
	}
	if n := len(r.patches("web")); n > 1 {
		t.Errorf("%d PATCHes", n)
	}
}

func TestTheSameBatchAtTwoProcessesAtOnce(t *testing.T) {
	r := newRig(t)
	hosts := []*fakehost.Host{r.host(), r.host()}
	events := r.minutes("web", 0, 5, 90)
	var group sync.WaitGroup
	for _, h := range hosts {
		group.Go(func() {
			res, err := h.Deliver(context.WithoutCancel(t.Context()), "function", "0", events)
			if err != nil || !res.Succeeded {
				t.Errorf("deliver: %v %+v", err, res)
			}
		})
	}
	group.Wait()
	r.sweepUntil(hosts[0], "outcome", r.settled("web"))
	if n := r.writes("web"); n != 1 {
		t.Errorf("%d writes, want one", n)
	}
	if windows := r.windows("web"); len(windows) != 1 {
		t.Errorf("%d windows, want one", len(windows))
	}
}

func TestARestartWithinACooldownStillRests(t *testing.T) {
	r := newRig(t)
	// A cooldown of an hour is eighteen seconds of this test.
	edit(t, filepath.Join(r.policies, "pools", "web", "data.json"), `"grow_seconds": 60`, `"grow_seconds": 3600`)
	h := r.host()
	r.deliver(h, 0, r.minutes("web", 0, 5, 90))
	r.sweepUntil(h, "outcome", r.settled("web"))
	h.Kill()
	// Nine minutes on, the new machines serve and the load is too much for them too.
	later := r.now().Add(9 * time.Minute)
	r.until("nine minutes later", func() bool { return r.now().After(later) })
	res := r.deliver(h, 0, r.minutes("web", 0, 5, 100))
	if len(res.Logs) != 1 || !strings.Contains(res.Logs[0], "cooldown_grow") {
		t.Errorf("got %q, want a hold because of cooldown_grow", res.Logs)
	}
	if h.Starts() < 2 {
		t.Error("the handler was not restarted")
	}
}

func TestStorageDownIsANon2xxAndTheBatchIsFoldedOnceWhenItComesAgain(t *testing.T) {
	r := newRig(t)
	h := r.host()
	r.deliver(h, 0, r.minutes("web", 0, 1, 60))
	r.gate.set(true)
	events := r.minutes("web", 0, 3, 60)
	done := make(chan fakehost.Result, 1)
	go func() {
		res, err := h.Deliver(context.WithoutCancel(t.Context()), "function", "0", events)
		if err != nil {
			t.Error(err)
		}
		done <- res
	}()
	r.until("a failed attempt", func() bool { return saw(h, `"msg":"invocation failed"`) })
	r.gate.set(false)
	res := <-done
	if !res.Succeeded || len(res.Attempts) < 2 || res.Attempts[0].Status < 500 {
		t.Fatalf("got %+v, want attempts that failed with 5xx and then one that did not", res)
	}
	folded := 0
	for _, e := range r.entries("web") {
		folded += e.Trigger.Folded
	}
	if folded != 8 {
		t.Errorf("%d samples folded, want eight: two of each of four events", folded)
	}
}

func saw(h *fakehost.Host, text string) bool {
	for _, l := range h.Lines() {
		if strings.Contains(l.Text, text) {
			return true
		}
	}
	return false
}

func TestARMDownIs200AndASweepDoesItLater(t *testing.T) {
	r := newRig(t)
	h := r.host()
	if err := r.arm.Turn(arm.Fault{Status: 503, Code: "ServiceUnavailable", Times: 1_000_000}); err != nil {
		t.Fatal(err)
	}
	res := r.deliver(h, 0, r.minutes("web", 0, 5, 90))
	if len(res.Attempts) != 1 || res.Attempts[0].Status != 200 || !strings.Contains(res.Logs[0], "facts_unknown") {
		t.Fatalf("got %+v %q", res.Attempts, res.Logs)
	}
	if err := r.arm.Turn(arm.Restore{}); err != nil {
		t.Fatal(err)
	}
	r.sweepUntil(h, "growth by a sweep", func() bool { return r.capacity("web") > 10 && r.settled("web")() })
	if n := len(r.patches("web")); n != 1 {
		t.Errorf("%d PATCHes", n)
	}
}

func TestBadInputNeverStopsABatch(t *testing.T) {
	r := newRig(t)
	h := r.host()
	events := r.minutes("web", 3, 3, 60)
	events[1].Body = []byte("not json at all")
	events = append(events, fakehost.Event{Body: []byte{0xff, 0xfe, 0x00}, Sequence: 4, EnqueuedAt: r.now()})
	res := r.deliver(h, 3, events)
	if len(res.Attempts) != 1 {
		t.Errorf("%d attempts", len(res.Attempts))
	}
	letters, err := r.ledger.DeadLetters(t.Context(), 10)
	if err != nil || len(letters) != 2 {
		t.Fatalf("%d dead letters, %v", len(letters), err)
	}
	for _, l := range letters {
		if l.Source.Hub != "test.servicebus.windows.net/metrics" || l.Source.Partition != "3" || !l.Source.Known ||
			(l.Source.Sequence != 2 && l.Source.Sequence != 4) || len(l.Rejections) == 0 || l.Rejections[0].Reason == "" {
			t.Errorf("got %+v", l)
		}
	}
	if e := r.entries("web"); len(e) != 1 || e[0].Trigger.Folded != 4 {
		t.Errorf("got %d entries, want one with the samples of the two good events", len(e))
	}
}

func TestEveryEncodingOfTheHostIsUnderstood(t *testing.T) {
	r := newRig(t)
	for part, encoding := range []fakehost.Encoding{
		fakehost.ManyBinary, fakehost.ManyString, fakehost.ManyParsed, fakehost.OneBinary, fakehost.OneString,
	} {
		for _, length := range []bool{false, true} {
			h := r.host(func(o *fakehost.Options) { o.Encoding, o.Length = encoding, length })
			r.deliver(h, part, r.minutes("batch", part, 2, 75))
			h.Check(t)
			h.Stop()
		}
	}
	if w := r.stored("batch").Windows; len(w) != 5 {
		t.Errorf("%d windows, want one for each partition", len(w))
	}
	folded := 0
	for _, e := range r.entries("batch") {
		folded += e.Trigger.Folded
	}
	if folded != 20 {
		t.Errorf("%d samples folded, want 20", folded)
	}
}

func TestABadStartSaysEverythingThatIsWrong(t *testing.T) {
	r := newRig(t)
	edit(t, filepath.Join(r.policies, "pools", "web", "data.json"), `"limits"`, `"limts"`)
	edit(t, filepath.Join(r.policies, "pools", "batch", "data.json"), `"max": 40`, `"max": 0`)
	for file, text := range map[string]string{
		"batch/broken.rego":  "package pools.batch\n\nbroken {\n",
		"web/clock.rego":     "package pools.web\n\nclock := time.now_ns()\n",
		"batch/unknown.rego": "package pools.batch\n\nimport data.lib.scale\n\nwant contains scale.trak(\"jobs\", {})\n",
		"web/setting.rego":   "package pools.web\n\nx := input.settings.nope\n\ny := nothing\n",
	} {
		if err := os.WriteFile(filepath.Join(r.policies, "pools", filepath.FromSlash(file)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), binary(t), "serve")
	cmd.Env = []string{"FUNCTIONS_CUSTOMHANDLER_PORT=0", "TRIMTAB_LEDGER=memry", "TRIMTAB_POLICIES=" + r.policies, "TRIMTAB_DEADLINE=9m"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err == nil || !asExit(err, &exit) || exit.ExitCode() == 0 {
		t.Fatalf("got %v, want a non-zero exit", err)
	}
	for _, want := range []string{
		"FUNCTIONS_CUSTOMHANDLER_PORT", "TRIMTAB_LEDGER", "TRIMTAB_DEADLINE", "pools/web/data.json:", "limts", "limits",
		"pools/batch/data.json:", "pools/batch/broken.rego:4: unexpected eof", "pools/web/clock.rego:3: undefined function time.now_ns",
		"pools/batch/unknown.rego:5: undefined function data.lib.scale.trak", "pools/web/setting.rego:5: var nothing is unsafe",
		`pools/web/setting.rego:3: pool web (pools/web/data.json:3) has no setting "nope"`,
	} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("stderr does not speak of %q:\n%s", want, stderr.String())
		}
	}
}

func asExit(err error, into **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*into = e
	return ok
}

func TestOperatorsOrdersHoldFromTheNextDecision(t *testing.T) {
	r := newRig(t)
	h := r.host()
	if out, err := r.command("freeze", "web", "--reason", "change freeze"); err != nil || !strings.Contains(out, "frozen") {
		t.Fatalf("freeze: %v %s", err, out)
	}
	if res := r.deliver(h, 0, r.minutes("web", 0, 5, 90)); !strings.Contains(res.Logs[0], "frozen") {
		t.Errorf("got %q", res.Logs)
	}
	if out, err := r.command("release", "web"); err != nil || !strings.Contains(out, "no orders") {
		t.Fatalf("release: %v %s", err, out)
	}
	if out, err := r.command("pin", "web", "7", "--for", "2h"); err != nil || !strings.Contains(out, "pinned to 7") {
		t.Fatalf("pin: %v %s", err, out)
	}
	r.deliver(h, 0, r.minutes("web", 0, 1, 90))
	if n := r.capacity("web"); n != 7 {
		t.Errorf("got capacity %d, want the pinned 7", n)
	}
	if out, err := r.command("freeze", "wbe"); err == nil || !strings.Contains(out, "web") {
		t.Errorf("an unknown pool: %v %s", err, out)
	}
}

// TestSecretsStayOutOfLogAndRows plants canaries where secrets are and looks for them where they must not be.
func TestSecretsStayOutOfLogAndRows(t *testing.T) {
	r := newRig(t)
	h := r.host()
	r.deliver(h, 0, r.minutes("web", 0, 5, 90))
	r.sweepUntil(h, "outcome", r.settled("web"))
	canaries := []string{"canary-hub-key", r.arm.Endpoints().IdentityHeader, r.arm.Token()}
	var written strings.Builder
	for _, l := range h.Lines() {
		written.WriteString(l.Text + "\n")
	}
	for _, e := range r.entries("web") {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		written.Write(text)
	}
	control, err := json.Marshal(r.stored("web").Control)
	if err != nil {
		t.Fatal(err)
	}
	written.Write(control)
	for _, c := range canaries {
		if c == "" {
			t.Fatal("an empty canary")
		}
		if strings.Contains(written.String(), c) {
			t.Errorf("%q was written down", fmt.Sprintf("%.6s…", c))
		}
	}
}
