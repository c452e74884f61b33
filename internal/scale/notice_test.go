package scale_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/scale"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func TestTheSameEvictionToldTwiceCountsOnce(t *testing.T) {
	var n scale.Notes
	for _, step := range []struct {
		name     string
		at       time.Time
		machines []string
		news     int
	}{
		{"the scheduled event names two machines", noon, []string{"web_1", "web_2", "web_1"}, 2},
		{"it comes again when it starts", noon.Add(30 * time.Second), []string{"web_1", "web_2"}, 0},
		{"the annotation names one of them, and the announcement was earlier", noon.Add(-time.Minute), []string{"web_2"}, 0},
		{"another machine in the same minute", noon.Add(40 * time.Second), []string{"web_3", "web_1"}, 1},
		{"a machine without a name", noon.Add(2 * time.Minute), nil, 1},
		{"a machine of the same name an hour later is another", noon.Add(time.Hour), []string{"web_1"}, 1},
	} {
		if news := n.Evict(step.at, "", step.machines); news != step.news {
			t.Errorf("%s: %d, want %d", step.name, news, step.news)
		}
	}
	want := []scale.Eviction{
		{At: noon, Instances: 3, Machines: []string{"web_1", "web_2", "web_3"}},
		{At: noon.Add(2 * time.Minute), Instances: 1},
		{At: noon.Add(time.Hour), Instances: 1, Machines: []string{"web_1"}},
	}
	if diff := cmp.Diff(want, n.Evictions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEvictionsOfZonesAreApart(t *testing.T) {
	var n scale.Notes
	n.Evict(noon, "1", []string{"a"})
	n.Evict(noon, "2", []string{"b"})
	if len(n.Evictions) != 2 {
		t.Errorf("%+v", n.Evictions)
	}
}

func TestAMachineHasOneStateAndIsForgottenWhenWell(t *testing.T) {
	var n scale.Notes
	for _, step := range []struct {
		name string
		at   time.Time
		is   string
		well bool
		news bool
		left int
	}{
		{"well from the beginning", noon, "available", true, false, 0},
		{"ill", noon, "unavailable", false, true, 1},
		{"still ill", noon.Add(time.Minute), "unavailable", false, false, 1},
		{"in another way", noon.Add(time.Minute), "degraded", false, true, 1},
		{"an older word comes late", noon.Add(30 * time.Second), "available", true, false, 1},
		{"well again", noon.Add(2 * time.Minute), "available", true, true, 0},
	} {
		if news := n.Ail(scale.Ailment{At: step.at, Machine: "web_1", State: step.is}, step.well); news != step.news || len(n.Health) != step.left {
			t.Errorf("%s: news %t, left %v", step.name, news, n.Health)
		}
	}
}

func TestARivalsDeedIsNotedOnce(t *testing.T) {
	var n scale.Notes
	r := scale.Rival{At: noon, By: "autoscale", Action: "scaleup"}
	if !n.Contend(r) || n.Contend(r) || len(n.Rivals) != 1 {
		t.Errorf("%+v", n.Rivals)
	}
}

func TestAnEvictionToldAgainAfterAnOutageIsNotCountedTwice(t *testing.T) {
	var n scale.Notes
	n.Evict(noon, "1", []string{"m1", "m2"})
	n.Trim(noon.Add(2 * time.Hour))
	if news := n.Evict(noon.Add(5*time.Minute), "1", []string{"m1", "m2"}); news != 0 {
		t.Errorf("%d of two machines counted again", news)
	}
	if news := n.Evict(noon.Add(time.Hour), "1", []string{"m1"}); news != 1 {
		t.Errorf("a machine that came back and went again is %d", news)
	}
}

func TestNotesAreBoundedAndAge(t *testing.T) {
	var n scale.Notes
	for i := range 3 * scale.MaxEvictions {
		at := noon.Add(time.Duration(i) * time.Minute)
		n.Evict(at, "", []string{fmt.Sprint("m", i)})
		n.Ail(scale.Ailment{At: at, Machine: fmt.Sprint("m", i), State: "unavailable"}, false)
		n.Contend(scale.Rival{At: at, By: "autoscale", Action: "scaleup"})
	}
	shared := n.Evictions
	end := noon.Add(3 * scale.MaxEvictions * time.Minute)
	n.Trim(end)
	if len(n.Evictions) != scale.MaxEvictions || len(n.Health) != scale.MaxAilments || len(n.Rivals) != scale.MaxRivals {
		t.Errorf("%d, %d, %d", len(n.Evictions), len(n.Health), len(n.Rivals))
	}
	if last := shared[len(shared)-1]; len(last.Machines) != 1 {
		t.Errorf("a list that others hold was altered: %+v", last)
	}
	for _, e := range n.Evictions {
		if named := end.Sub(e.At) <= scale.KeepNames; named != (len(e.Machines) == 1) {
			t.Errorf("names at %v: %v", e.At, e.Machines)
		}
	}
	old := n
	old.Trim(end.Add(scale.KeepNames + time.Minute))
	for _, e := range old.Evictions {
		if len(e.Machines) != 0 {
			t.Errorf("names are kept too long: %+v", e)
		}
	}
	n.Trim(end.Add(-time.Hour))
	if at := n.Evictions[len(n.Evictions)-1].At; at.After(end.Add(-time.Hour)) {
		t.Errorf("an eviction in the future: %v", at)
	}
	n.Trim(end.Add(25 * time.Hour))
	if diff := cmp.Diff(scale.Notes{}, n); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
