package doctor

import (
	"fmt"
	"strings"
	"time"

	"trimtab/internal/scale"
)

// How far a clock may be off. What arrives more than a minute ahead is taken for arrived now, and leases and cooldowns
// are compared with instants that other processes wrote.
const (
	skewWarning = 5 * time.Second
	skewProblem = 30 * time.Second
)

// Skew judges our clock by a service's. Its Date header has whole seconds and was written somewhere between question and
// answer, so so much is allowed for.
func Skew(subject string, server, asked, answered time.Time) Finding {
	a := &about{subject: subject}
	off := time.Duration(0)
	switch {
	case server.IsZero():
		a.add("clock", Unknown, "", "the service did not say what time it is")
		return a.all[0]
	case server.Add(time.Second).Before(asked):
		off = asked.Sub(server.Add(time.Second))
	case server.After(answered):
		off = -server.Sub(answered)
	}
	word := "ahead of"
	if off < 0 {
		word = "behind"
	}
	const do = "synchronise this machine's clock; in Azure Functions, move the app to another instance by restarting it"
	switch d := off.Abs(); {
	case d >= skewProblem:
		a.add("clock", Problem, do, "our clock is %s %s the service's", d.Round(time.Second), word)
	case d >= skewWarning:
		a.add("clock", Warning, do, "our clock is %s %s the service's", d.Round(time.Second), word)
	default:
		a.ok("clock", "our clock and the service's agree")
	}
	return a.all[0]
}

// Pool judges what the ledger holds of a pool: whether anything evaluates it, and whether its signals were ever seen.
// last is its newest entry, nil for none; stale is how old an evaluation may be.
func Pool(p *scale.Pool, control *scale.Control, last *scale.Entry, now time.Time, stale time.Duration) []Finding {
	a := &about{subject: p.Name}
	if control.EvaluatedAt.IsZero() || last == nil {
		a.add("evaluated", Warning, "start the app, and look whether its timer (sweep) and its trigger (function) run",
			"the pool was never evaluated")
		return a.all
	}
	if age := now.Sub(control.EvaluatedAt); age > stale {
		a.add("evaluated", Problem, "look whether the app runs, and whether its timer (sweep) does",
			"the last evaluation was %s ago; a sweep comes each minute", age.Round(time.Second))
	} else {
		a.ok("evaluated", "last evaluated %s ago, mode %s", age.Round(time.Second), p.Mode)
	}
	if problem := control.FactsProblem; problem != "" {
		a.add("facts", Warning, "", "the scale set could not be read lately: %s", problem)
	}
	for i := range p.Signals {
		a.signal(&p.Signals[i], last)
	}
	for _, b := range control.Memory.BackOffs {
		if now.Before(b.Until) {
			a.add("back_off", Warning, "", "%s rests until %s after %s", orAll(string(b.Direction)), b.Until.UTC().Format(time.RFC3339), b.Code)
		}
	}
	if r := newestRival(control.Memory.Rivals); r != nil && now.Sub(r.At) < 24*time.Hour {
		a.add("rival", Problem, "find out who writes the capacity besides Trimtab, and stop one of the two",
			"somebody else changed the scale set %s ago: %s by %s", now.Sub(r.At).Round(time.Second), r.Action, r.By)
	}
	return a.all
}

func orAll(s string) string {
	if s == "" {
		return "everything"
	}
	return s
}

func newestRival(rivals []scale.Rival) (newest *scale.Rival) {
	for i := range rivals {
		if newest == nil || rivals[i].At.After(newest.At) {
			newest = &rivals[i]
		}
	}
	return newest
}

// signal judges one signal by the view of the newest entry.
func (a *about) signal(s *scale.Signal, last *scale.Entry) {
	v, known := last.View.Signals[s.Name]
	check := "signal " + s.Name
	switch {
	case !known:
		a.add(check, Unknown, "", "the newest entry does not know it: the pool's definition is newer")
	case v.State == scale.SignalMissing && v.NewestAt.IsZero():
		a.add(check, Problem, "send "+s.Metric+" of "+s.Resource+" to the hub, or correct resource and metric in the pool's data.json; `trimtab decode` shows what an event's body holds",
			"no sample of it was seen within its window")
	case v.State == scale.SignalMissing, v.State == scale.SignalStale:
		a.add(check, Problem, "look at its sender; `trimtab explain "+a.subject+"` shows since when",
			"%s: the newest sample is of %s", v.State, v.NewestAt.UTC().Format(time.RFC3339))
	case v.State == scale.SignalPartial:
		a.add(check, Warning, "lower min_coverage, lengthen bucket_seconds to the sender's pace, or look at the sender",
			"partial: %d of %d buckets hold samples", v.Buckets, v.Expected)
	default:
		a.ok(check, "fresh, %s old", (time.Duration(v.AgeSeconds) * time.Second).String())
	}
}

// Letters judges the dead letters that are kept: at most so many as were asked for.
func Letters(subject string, letters []scale.DeadLetter) Finding {
	a := &about{subject: subject}
	if len(letters) == 0 {
		a.ok("dead_letters", "none is kept")
		return a.all[0]
	}
	counts, order := map[string]int{}, []string{}
	for _, l := range letters {
		for _, r := range l.Rejections {
			if counts[string(r.Reason)] == 0 {
				order = append(order, string(r.Reason))
			}
			counts[string(r.Reason)]++
		}
	}
	parts := make([]string, len(order))
	for i, reason := range order {
		parts[i] = fmt.Sprintf("%s %d times", reason, counts[reason])
	}
	a.add("dead_letters", Warning, "read them with `trimtab decode`, and correct the sender",
		"%d events could not be understood: %s", len(letters), strings.Join(parts, ", "))
	return a.all[0]
}

// Hub judges a hub by when each of its partitions got its newest event, zero for those that hold none.
func Hub(subject, name string, arrivals []time.Time, now time.Time) Finding {
	a := &about{subject: subject}
	var newest time.Time
	for _, at := range arrivals {
		if at.After(newest) {
			newest = at
		}
	}
	const do = "look at what sends metrics: diagnostic settings, data collection rules, agents; `trimtab send` sends a sample by hand"
	switch age := now.Sub(newest); {
	case newest.IsZero():
		a.add("hub", Problem, do, "%s has %d partitions and holds no event", name, len(arrivals))
	case age > time.Hour:
		a.add("hub", Warning, do, "%s has %d partitions; the newest event came %s ago", name, len(arrivals), age.Round(time.Minute))
	default:
		a.ok("hub", "%s has %d partitions; the newest event came %s ago", name, len(arrivals), max(age, 0).Round(time.Second))
	}
	return a.all[0]
}

// Unlooked judges what could not be looked at.
func Unlooked(subject, check string, err *scale.FleetError) Finding {
	f := Unread(subject, check, err)
	f.Level = Unknown
	if check == "autoscale" || check == "rights" {
		f.Do = "assign the roles of deploy/roles to the app's identity; they hold the rights that this check needs"
	}
	return f
}

// Usages judges usages that could not be read: growth then goes ahead without knowing what the quota leaves.
func Usages(subject string, err *scale.FleetError) Finding {
	f := Unread(subject, "usages", err)
	if f.Level == Problem {
		f.Level, f.Do = Warning, "assign the role of deploy/roles/trimtab-subscription.json on the subscription: usages lie above resource groups"
	}
	return f
}
