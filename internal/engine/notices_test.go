package engine_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// told is an event of a hub with a body of one's own.
func (w *world) told(partition, sequence int, body string) engine.Batch {
	return engine.Batch{Invocation: fmt.Sprintf("told-%d-%d", partition, sequence), Events: []engine.Event{{
		Body: []byte(body), Source: scale.Source{
			Hub: "ns/metrics", Partition: strconv.Itoa(partition), Sequence: int64(sequence), Known: true, EnqueuedAt: w.clock(),
		},
	}}}
}

func (w *world) stamp(ago time.Duration) string { return w.clock().Add(-ago).Format(time.RFC3339Nano) }

// preempted is a scheduled event that preempts machines of a pool's set.
func (w *world) preempted(pool, id string, machines ...string) string {
	return `{"id":"1","topic":"/t","subject":"s","eventType":"Microsoft.ResourceNotifications.MaintenanceResources.ScheduledEventEmitted",` +
		`"eventTime":"` + w.stamp(10*time.Second) + `","data":{"resourceInfo":{"id":"` + setID + pool + `/providers/microsoft.maintenance/scheduledevents/` + id +
		`","properties":{"EventType":"Preempt","EventStatus":"Scheduled","EventId":"` + id + `","Resources":["` + strings.Join(machines, `","`) + `"]}}}}`
}

// written is a record of the Activity Log about a write to a resource.
func (w *world) written(resource, app string) string {
	return `{"records":[{"category":"Administrative","operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINESCALESETS/WRITE","resultType":"Success",` +
		`"time":"` + w.stamp(30*time.Second) + `","resourceId":"` + resource + `","correlationId":"c","identity":{"claims":{"appid":"` + app + `"}}}]}`
}

func TestAnEvictionIsReadAfreshAndDecidedOnAtOnce(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	ingest(t, e, w.minutes("web", 0, 1, 3, 60))
	reads := w.calls["read"]
	w.advance(time.Second)
	r := ingest(t, e, w.told(1, 1, w.preempted("web", "e1", "web_1", "web_2")))
	if r.Notices != 1 || r.Heeded != 1 || r.DeadLetters != 0 || r.Unheard != 0 {
		t.Errorf("got %+v", r)
	}
	if w.calls["read"] == reads {
		t.Error("the facts were not read afresh")
	}
	entry := w.entries("web")[0]
	if entry.Trigger.Kind != "eviction" || entry.Trigger.Source != "ns/metrics/1" {
		t.Errorf("got trigger %+v", entry.Trigger)
	}
	evictions := entry.View.Memory.Evictions
	if len(evictions) != 1 || evictions[0].Instances != 2 {
		t.Errorf("got %+v", evictions)
	}
}

func TestAnEvictionCountsOnceHoweverOftenItIsTold(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	body := w.preempted("web", "e1", "web_1", "web_2")
	ingest(t, e, w.told(1, 1, body))
	for _, c := range []struct {
		name   string
		batch  engine.Batch
		retold int
	}{
		{"the same event again", w.told(1, 1, body), 1},
		{"the same body in another event", w.told(1, 2, body), 1},
		{"the same body in another partition", w.told(0, 1, body), 1},
		{
			"an annotation of one of the machines", w.told(1, 3, `{"specversion":"1.0","id":"2","source":"/s","type":"Microsoft.ResourceNotifications.HealthResources.ResourceAnnotated",`+
				`"time":"`+w.stamp(0)+`","data":{"resourceInfo":{"properties":{"annotationName":"VirtualMachinePreempted","targetResourceId":"`+setID+`web/virtualMachines/2"}}}}`), 1,
		},
	} {
		if r := ingest(t, e, c.batch); r.Retold != c.retold || r.Heeded != 0 {
			t.Errorf("%s: got %+v", c.name, r.NoticeCounts)
		}
	}
	if got := w.control("web").Memory.Evictions; len(got) != 1 || got[0].Instances != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestAnEvictionSurvivesTheLossOfTheRaceForTheControlRow(t *testing.T) {
	w := newWorld(t, webPool("web"))
	ingest(t, w.engine(), w.minutes("web", 0, 1, 3, 60))
	losses := 7
	w.strike = func(point string) error {
		if point == "-commit" && losses > 0 {
			losses--
			return scale.ErrConflict
		}
		return nil
	}
	ingest(t, w.engine(), w.told(1, 1, w.preempted("web", "e1", "web_1")))
	if got := w.control("web").Memory.Evictions; len(got) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestMachinesAreToldByTheirSets(t *testing.T) {
	w := newWorld(t, webPool("web"), webPool("web_b"))
	e := w.engine()
	group, _, _ := strings.Cut(setID, "/virtualMachineScaleSets/")
	ill := func(resource string) string {
		return `{"records":[{"category":"ResourceHealth","time":"` + w.stamp(0) + `","resourceId":"` + resource + `","properties":{"eventProperties":{"currentHealthStatus":"Unavailable"}}}]}`
	}
	for n, c := range []struct {
		name, resource, pool, machine string
	}{
		{"an instance of a uniform set", setID + "web/virtualMachines/7", "web", "web_7"},
		{"a machine of a flexible set", group + "/virtualMachines/web_1a2b3c4d", "web", "web_1a2b3c4d"},
		{"the longest name of a set wins", group + "/virtualMachines/web_b_1a2b3c4d", "web_b", "web_b_1a2b3c4d"},
		{"the set itself", setID + "WEB_B", "web_b", "web_b"},
		{"a machine of no set", group + "/virtualMachines/db1", "", ""},
		{"a set of no pool", setID + "webx/virtualMachines/1", "", ""},
		{"a set of the same name elsewhere", strings.Replace(setID, "/rg/", "/rg2/", 1) + "web", "", ""},
	} {
		before := map[string]int{}
		for _, p := range w.pools {
			before[p.Name] = len(w.control(p.Name).Memory.Health)
		}
		r := ingest(t, e, w.told(1, n+1, ill(c.resource)))
		if (r.Unheard == 1) != (c.pool == "") || r.Notices != 1 {
			t.Errorf("%s: got %+v", c.name, r)
		}
		for _, p := range w.pools {
			all := w.control(p.Name).Memory.Health
			if grown := len(all) > before[p.Name]; grown != (p.Name == c.pool) {
				t.Errorf("%s: %s has %+v", c.name, p.Name, all)
			} else if grown && all[len(all)-1].Machine != c.machine {
				t.Errorf("%s: got %+v", c.name, all)
			}
		}
	}
}

func TestEchoesOfOwnChangesAreIgnoredAndCounted(t *testing.T) {
	grown := func() *world {
		w := newWorld(t, webPool("web"))
		ingest(t, w.engine(), w.minutes("web", 0, 1, 3, 90))
		if len(w.sets[setID+"web"].patches) != 1 {
			t.Fatal("nothing was changed")
		}
		w.advance(time.Minute)
		return w
	}
	autoscale := func(w *world, to int) string {
		return fmt.Sprintf(`{"status":"Activated","operation":"Scale Out","context":{"timestamp":%q,"resourceId":%q,"oldCapacity":"10","newCapacity":"%d"}}`, w.stamp(0), setID+"web", to)
	}
	for _, c := range []struct {
		name   string
		body   func(*world) string
		wait   time.Duration
		self   []string
		echo   bool
		rivals int
	}{
		{"a record that names this program", func(w *world) string { return w.written(setID+"web", "AB") }, 0, []string{"ab"}, true, 0},
		{"a record that names somebody else", func(w *world) string { return w.written(setID+"web", "cd") }, 0, []string{"ab"}, false, 1},
		{"who we are is not known, and it is the time of our change", func(w *world) string { return w.written(setID+"web", "cd") }, 0, nil, true, 0},
		{"who we are is not known, and it is an hour later", func(w *world) string { return w.written(setID+"web", "cd") }, time.Hour, nil, false, 1},
		{"autoscale tells of the count that we have set", func(w *world) string { return autoscale(w, 15) }, 0, nil, true, 0},
		{"autoscale has set another", func(w *world) string { return autoscale(w, 12) }, 0, nil, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := grown()
			w.self = c.self
			w.advance(c.wait)
			r := ingest(t, w.engine(), w.told(1, 1, c.body(w)))
			if (r.Echoes == 1) != c.echo || (r.Heeded == 1) == c.echo {
				t.Errorf("got %+v", r.NoticeCounts)
			}
			if got := w.control("web").Memory.Rivals; len(got) != c.rivals {
				t.Errorf("got %+v", got)
			}
			if kind := w.entries("web")[0].Trigger.Kind; (kind == "rival") == c.echo {
				t.Errorf("got an evaluation for %s", kind)
			}
		})
	}
}

func TestWhatChangedNothingAndWhatIsLongPastIsCountedOnly(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	ingest(t, e, w.minutes("web", 0, 1, 3, 60))
	reads := w.calls["read"]
	began := strings.Replace(w.written(setID+"web", "cd"), "Success", "Start", 1)
	old := w.preempted("web", "e1", "web_1")
	for _, batch := range []engine.Batch{w.told(1, 1, began), func() engine.Batch { w.advance(25 * time.Hour); return w.told(1, 2, old) }()} {
		if r := ingest(t, e, batch); r.Old != 1 || r.Heeded != 0 {
			t.Errorf("got %+v", r.NoticeCounts)
		}
	}
	if got := w.control("web").Memory.Notes; len(got.Evictions)+len(got.Rivals) != 0 || reads == 0 {
		t.Errorf("got %+v", got)
	}
}
