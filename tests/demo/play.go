package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"trimtab/tests/fakehost"
)

// lag is how long after its end a minute arrives: as fast as an agent of one's own, slower than nothing.
const lag = 40 * time.Second

// play posts the day, minute by minute, each partition on its own, and ticks the sweep.
func (s *stage) play(ctx context.Context) error {
	for minute := range s.hours * 60 {
		start := s.origin.Add(time.Duration(minute) * time.Minute)
		if err := s.wait(ctx, start.Add(time.Minute+lag)); err != nil {
			return err
		}
		batches := s.minute(minute, start)
		var group sync.WaitGroup
		errs := make([]error, len(batches)+1)
		for part, events := range batches {
			if len(events) == 0 {
				continue
			}
			group.Go(func() { errs[part] = s.deliver(ctx, part, events) })
		}
		group.Go(func() { errs[len(batches)] = s.tick(ctx) })
		group.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// wait lets the demo's time reach an instant.
func (s *stage) wait(ctx context.Context, until time.Time) error {
	left := time.Duration(float64(until.Sub(s.now())) / s.speed)
	if left <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// minute is what the senders put into the hub about one minute, dealt to the partitions as a hub without keys does.
func (s *stage) minute(minute int, start time.Time) [partitions][]fakehost.Event {
	web, batch := s.running("web"), s.running("batch")
	load, jobs := s.load["web"][minute], s.load["batch"][minute]
	bodies := []string{
		// Platform metrics, as diagnostic settings export them.
		platform("web", start, map[string]float64{
			"Percentage CPU": min(100, 16*load/web), "Requests Per Second": 30 * load / web,
		}),
		// The same of the other set, as a data collection rule exports them.
		exported("batch", start, "Percentage CPU", min(100, 14*jobs/batch)),
	}
	for half := range 2 {
		// The jobs' own sender speaks Trimtab's own format, twice a minute.
		bodies = append(bodies, own("batch", start.Add(time.Duration(half)*30*time.Second), "Running Jobs", jobs/batch))
	}
	if minute%360 == 200 {
		bodies = append(bodies, `<14>1 a line of a log that strayed into the hub`)
		s.malformed++
	}
	var dealt [partitions][]fakehost.Event
	for i, body := range bodies {
		part := (minute + i) % partitions
		s.next[part]++
		dealt[part] = append(dealt[part], fakehost.Event{
			Body: []byte(body), Sequence: s.next[part], EnqueuedAt: start.Add(time.Minute + lag/2),
		})
	}
	return dealt
}

// deliver posts one batch and says what it changed. Now and then the host delivers a batch again, as hosts do.
func (s *stage) deliver(ctx context.Context, part int, events []fakehost.Event) error {
	s.mu.Lock()
	s.posted += len(events)
	s.batches++
	again := s.batches%97 == 0
	if again {
		s.posted += len(events)
		s.twice += len(events)
	}
	s.mu.Unlock()
	for range map[bool]int{false: 1, true: 2}[again] {
		r, err := s.host.Deliver(ctx, "function", fmt.Sprint(part), events)
		if err != nil {
			return err
		}
		if !r.Succeeded {
			return fmt.Errorf("partition %d: the handler failed the batch: %s", part, r.Attempts[len(r.Attempts)-1].Failure)
		}
		s.tell(r.Logs)
	}
	return nil
}

func (s *stage) tick(ctx context.Context) error {
	r, err := s.host.Tick(ctx, "sweep", false)
	if err != nil {
		return err
	}
	if !r.Succeeded {
		return fmt.Errorf("the handler failed a sweep: %s", r.Attempts[len(r.Attempts)-1].Failure)
	}
	s.tell(r.Logs)
	return nil
}

// tell prints what changed, and with -v what held.
func (s *stage) tell(logs []string) {
	for _, l := range sorted(logs) {
		if s.verbose || strings.Contains(l, ": scale ") || strings.Contains(l, ": mix ") {
			s.mu.Lock()
			fmt.Printf("%s  %s\n", s.now().Format("15:04"), l)
			s.mu.Unlock()
		}
	}
}

// settle lets the last changes end and the last invocations be heard of.
func (s *stage) settle(ctx context.Context) (*summary, error) {
	for range 6 {
		if err := s.wait(ctx, s.now().Add(time.Minute)); err != nil {
			return nil, err
		}
		if err := s.tick(ctx); err != nil {
			return nil, err
		}
	}
	sum := &summary{stage: s}
	for _, r := range s.arm.Requests() {
		if r.Method == "PATCH" && r.Status == 200 {
			sum.patches++
		}
	}
	return sum, nil
}

const isoWithSeven = "2006-01-02T15:04:05.0000000Z"

// platform is a body of metrics as diagnostic settings write them: the resource ID in capitals.
func platform(set string, at time.Time, values map[string]float64) string {
	var records []string
	for _, name := range []string{"Percentage CPU", "Requests Per Second"} {
		v, ok := values[name]
		if !ok {
			continue
		}
		records = append(records, fmt.Sprintf(
			`{"count":4,"total":%g,"minimum":%g,"maximum":%g,"average":%g,"resourceId":%q,"time":%q,"metricName":%q,"timeGrain":"PT1M"}`,
			4*v, 0.9*v, 1.1*v, v, strings.ToUpper(group+set), at.Format(isoWithSeven), name))
	}
	return `{"records":[` + strings.Join(records, ",") + `]}`
}

// exported is a body as the metrics export of a data collection rule writes it: values are text.
func exported(set string, at time.Time, name string, v float64) string {
	return fmt.Sprintf(`{"Average":"%g","Count":"4","Maximum":"%g","Minimum":"%g","Total":"%g","resourceId":%q,"time":%q,`+
		`"unit":"Percent","metricName":%q,"timeGrain":"PT1M"}`,
		v, 1.1*v, 0.9*v, 4*v, strings.ToLower(group+set), at.Format(isoWithSeven), name)
}
