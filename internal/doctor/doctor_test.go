package doctor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/doctor"
	"trimtab/internal/guard"
	"trimtab/internal/scale"
)

var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// checks are the findings that are not well, as "level check".
func checks(all []doctor.Finding) (got []string) {
	for _, f := range all {
		if f.Level != doctor.OK {
			got = append(got, string(f.Level)+" "+f.Check)
		}
		if f.Level == doctor.Problem && f.Do == "" {
			got = append(got, f.Check+" says not what to do")
		}
	}
	return got
}

func pool() *scale.Pool {
	return &scale.Pool{
		Name: "web", Mode: scale.Enforce, Orchestration: scale.Flexible, Rails: scale.Rails{Limits: scale.Limits{Min: 1, Max: 50}},
		Signals: []scale.Signal{{Name: "cpu", Resource: "/r", Metric: "percentage cpu"}},
	}
}

func healthy() *scale.Inspection {
	return &scale.Inspection{
		Facts: scale.Facts{
			ReadAt: now, Orchestration: scale.Flexible, Spot: true, Capacity: 4, Mix: &scale.Mix{Base: 2, RegularPercent: 25},
			ProvisioningState: "Succeeded", PlatformMax: 1000, PlatformMaxRule: "scale_set",
			Model: &scale.Model{Priority: "Spot", EvictionPolicy: "Delete", FaultDomains: 1},
		},
	}
}

func TestSet(t *testing.T) {
	cases := []struct {
		name   string
		change func(*scale.Pool, *scale.Inspection)
		mix    bool
		want   []string
	}{
		{"a flexible Spot set with a mix is well", func(*scale.Pool, *scale.Inspection) {}, true, nil},
		{"a set of another mode than the definition says", func(p *scale.Pool, _ *scale.Inspection) { p.Orchestration = scale.Uniform }, true, []string{"problem orchestration"}},
		{"a single placement group below a maximum above 100", func(p *scale.Pool, in *scale.Inspection) {
			p.Rails.Limits.Max, in.Facts.Model.SinglePlacementGroup, in.Facts.PlatformMax, in.Facts.Mix = 101, true, 100, nil
		}, false, []string{"problem platform_limit"}},
		{"a single placement group with a maximum of 100", func(p *scale.Pool, in *scale.Inspection) {
			p.Rails.Limits.Max, in.Facts.Model.SinglePlacementGroup, in.Facts.PlatformMax, in.Facts.Mix = 100, true, 100, nil
		}, false, nil},
		{"a maximum above the platform's", func(p *scale.Pool, _ *scale.Inspection) { p.Rails.Limits.Max = 1001 }, true, []string{"warning platform_limit"}},
		{"a mix wanted on a regular profile", func(_ *scale.Pool, in *scale.Inspection) {
			in.Facts.Spot, in.Facts.Mix, in.Facts.Model.Priority = false, nil, "Regular"
		}, true, []string{"problem mix_on_regular"}},
		{"a regular profile where no mix is wanted", func(_ *scale.Pool, in *scale.Inspection) {
			in.Facts.Spot, in.Facts.Mix, in.Facts.Model.Priority = false, nil, "Regular"
		}, false, nil},
		{"a mix wanted on a Uniform set", func(p *scale.Pool, in *scale.Inspection) {
			p.Orchestration, in.Facts.Orchestration, in.Facts.Mix = scale.Uniform, scale.Uniform, nil
		}, true, []string{"problem mix"}},
		{"a mix wanted in a single placement group", func(_ *scale.Pool, in *scale.Inspection) {
			in.Facts.Model.SinglePlacementGroup = true
		}, true, []string{"problem mix_in_one_group"}},
		{"fault domains that forbid a mix", func(_ *scale.Pool, in *scale.Inspection) { in.Facts.Model.FaultDomains = 2 }, true, []string{"problem mix_fault_domains"}},
		{"fault domains without a mix", func(_ *scale.Pool, in *scale.Inspection) { in.Facts.Model.FaultDomains, in.Facts.Mix = 3, nil }, false, nil},
		{"evicted machines are deallocated", func(_ *scale.Pool, in *scale.Inspection) { in.Facts.Model.EvictionPolicy = "Deallocate" }, true, []string{"warning eviction_policy"}},
		{"the platform restores Spot machines itself", func(_ *scale.Pool, in *scale.Inspection) { in.Facts.Model.SpotRestore = true }, true, []string{"problem spot_restore"}},
		{"overprovision", func(_ *scale.Pool, in *scale.Inspection) { in.Facts.Model.Overprovision = true }, true, []string{"warning overprovision"}},
		{"zone balance", func(_ *scale.Pool, in *scale.Inspection) { in.Facts.Model.ZoneBalance = true }, true, []string{"warning zone_balance"}},
		{"automatic repairs and rebalancing of zones", func(_ *scale.Pool, in *scale.Inspection) {
			in.Facts.Model.Repairs, in.Facts.Model.ZoneRebalance = true, true
		}, true, []string{"warning zone_rebalance", "warning repairs"}},
		{"traps that the pool's definition accepts", func(p *scale.Pool, in *scale.Inspection) {
			in.Facts.Model.SpotRestore, in.Facts.Model.FaultDomains, in.Facts.Live = true, 2, &scale.Live{Attached: 1}
			in.Facts.Autoscale = &scale.Autoscale{Settings: []scale.Autoscaler{{ID: "/x", Enabled: true}}}
			p.Rails.Accept = []string{"autoscale", "attached", "spot_restore", "mix_fault_domains"}
		}, true, nil},
		{"machines attached by hand", func(_ *scale.Pool, in *scale.Inspection) {
			in.Facts.Live = &scale.Live{Attached: 2, AttachedNames: []string{"cattle", "pet"}}
		}, true, []string{"problem attached"}},
		{"a last operation that failed", func(_ *scale.Pool, in *scale.Inspection) { in.Facts.ProvisioningState = "Failed" }, true, []string{"warning provisioning"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, in := pool(), healthy()
			c.change(p, in)
			if diff := cmp.Diff(c.want, checks(doctor.Set(p, in, guard.Wish{Mix: c.mix, StandIn: c.mix}))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnread(t *testing.T) {
	for name, c := range map[string]struct {
		err  scale.FleetError
		want doctor.Level
	}{
		"a set that is not there": {scale.FleetError{Status: 404}, doctor.Problem},
		"no right to read it":     {scale.FleetError{Status: 403}, doctor.Problem},
		"an ID that is none":      {scale.FleetError{Class: scale.ClassInvalid}, doctor.Problem},
		"a throttle":              {scale.FleetError{Status: 429, Class: scale.ClassThrottled}, doctor.Unknown},
		"a server in trouble":     {scale.FleetError{Status: 503, Class: scale.ClassUnsure}, doctor.Unknown},
	} {
		if f := doctor.Unread("web", "scale_set", &c.err); f.Level != c.want || f.Do == "" {
			t.Errorf("%s: got %+v, want %s", name, f, c.want)
		}
	}
}

func TestRivals(t *testing.T) {
	on, off := scale.Autoscaler{ID: "/x", Enabled: true}, scale.Autoscaler{ID: "/y"}
	for name, c := range map[string]struct {
		seen *scale.Autoscale
		want []string
	}{
		"none where all could be seen":      {&scale.Autoscale{Whole: true}, nil},
		"none where one group was seen":     {&scale.Autoscale{}, []string{"unknown autoscale"}},
		"none could be seen":                {&scale.Autoscale{Problem: "forbidden"}, []string{"unknown autoscale"}},
		"one on the set":                    {&scale.Autoscale{Whole: true, Settings: []scale.Autoscaler{off, on}}, []string{"problem autoscale"}},
		"one on the set that is turned off": {&scale.Autoscale{Settings: []scale.Autoscaler{off}}, []string{"warning autoscale"}},
	} {
		in := healthy()
		in.Facts.Autoscale = c.seen
		if diff := cmp.Diff(c.want, checks(doctor.Set(pool(), in, guard.Wish{Mix: true}))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRights(t *testing.T) {
	least := []scale.Permission{{Actions: doctor.SetRights()}}
	less := func(action string) []scale.Permission {
		return []scale.Permission{{Actions: doctor.SetRights(), NotActions: []string{action}}}
	}
	for name, c := range map[string]struct {
		granted []scale.Permission
		observe bool
		want    []string
	}{
		"the shipped role":                          {least, false, nil},
		"no role at all":                            {nil, false, []string{"problem rights", "warning rights_to_choose"}},
		"without the right to write":                {less("Microsoft.Compute/virtualMachineScaleSets/write"), false, []string{"problem rights"}},
		"without it, where the pool observes":       {less("Microsoft.Compute/virtualMachineScaleSets/write"), true, []string{"warning rights"}},
		"without reading, where the pool observes":  {less("Microsoft.Compute/virtualMachineScaleSets/read"), true, []string{"problem rights"}},
		"without a linked right":                    {less("Microsoft.Network/virtualNetworks/subnets/join/action"), false, []string{"problem rights"}},
		"what one role takes out another may grant": {append(less("*/write"), least...), false, nil},
		"without deleting chosen machines":          {less("microsoft.compute/*/delete/action"), false, []string{"warning rights_to_choose"}},
		"an owner":                                  {[]scale.Permission{{Actions: []string{"*"}}}, false, []string{"warning rights_too_wide"}},
		"a reader":                                  {[]scale.Permission{{Actions: []string{"*/read"}}}, true, []string{"warning rights", "warning rights_to_choose"}},
	} {
		p := pool()
		if c.observe {
			p.Mode = scale.Observe
		}
		if diff := cmp.Diff(c.want, checks(doctor.Rights(p, scale.Flexible, c.granted))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	parks := pool()
	parks.Rails.Shrink = scale.Selection{Order: []scale.Preference{scale.PreferOldest}, Action: scale.Deallocate}
	for o, action := range map[scale.Orchestration]string{
		scale.Flexible: "Microsoft.Compute/virtualMachines/start/action", scale.Uniform: "Microsoft.Compute/virtualMachineScaleSets/start/action",
	} {
		if got := checks(doctor.Rights(parks, o, less(action))); !slices.Equal(got, []string{"problem rights_to_choose"}) {
			t.Errorf("%s, a pool that deallocates, without %s: got %v", o, action, got)
		}
		if got := checks(doctor.Rights(pool(), o, less(action))); got != nil {
			t.Errorf("%s, a pool that does not deallocate, without %s: got %v", o, action, got)
		}
	}
	uniform := []scale.Permission{{Actions: []string{
		"Microsoft.Compute/virtualMachineScaleSets/*", "Microsoft.Authorization/permissions/read",
	}}}
	if got := checks(doctor.Rights(pool(), scale.Uniform, uniform)); got != nil {
		t.Errorf("a Uniform set needs no rights to machines and networks: got %v", got)
	}
}

func TestSkew(t *testing.T) {
	for name, c := range map[string]struct {
		off  time.Duration
		took time.Duration
		want doctor.Level
		text string
	}{
		"none":                            {0, time.Millisecond, doctor.OK, ""},
		"whole seconds are no skew":       {-900 * time.Millisecond, time.Millisecond, doctor.OK, ""},
		"a slow answer is no skew":        {20 * time.Second, 25 * time.Second, doctor.OK, ""},
		"we are a little ahead":           {-7 * time.Second, time.Millisecond, doctor.Warning, "6s ahead of"},
		"we are a little behind":          {6 * time.Second, time.Millisecond, doctor.Warning, "6s behind"},
		"we are far behind":               {400 * time.Second, time.Second, doctor.Problem, "behind"},
		"we are far ahead":                {-time.Hour, time.Second, doctor.Problem, "ahead of"},
		"a service that does not tell it": {-time.Duration(1 << 62), 0, doctor.Unknown, ""},
	} {
		server := now.Add(c.off)
		if c.want == doctor.Unknown {
			server = time.Time{}
		}
		f := doctor.Skew("arm", server, now, now.Add(c.took))
		if f.Level != c.want || !strings.Contains(f.Says, c.text) {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

func TestPool(t *testing.T) {
	seen := func(v scale.SignalView) *scale.Entry {
		return &scale.Entry{At: now, View: scale.View{Signals: map[string]scale.SignalView{"cpu": v}}}
	}
	fresh := seen(scale.SignalView{State: scale.SignalFresh, NewestAt: now})
	for name, c := range map[string]struct {
		control scale.Control
		last    *scale.Entry
		want    []string
	}{
		"evaluated a minute ago":             {scale.Control{EvaluatedAt: now.Add(-time.Minute)}, fresh, nil},
		"never evaluated":                    {scale.Control{}, nil, []string{"warning evaluated"}},
		"evaluated an hour ago":              {scale.Control{EvaluatedAt: now.Add(-time.Hour)}, fresh, []string{"problem evaluated"}},
		"a signal that was never seen":       {scale.Control{EvaluatedAt: now}, seen(scale.SignalView{State: scale.SignalMissing}), []string{"problem signal cpu"}},
		"a signal that stopped":              {scale.Control{EvaluatedAt: now}, seen(scale.SignalView{State: scale.SignalStale, NewestAt: now.Add(-time.Hour)}), []string{"problem signal cpu"}},
		"a signal with gaps":                 {scale.Control{EvaluatedAt: now}, seen(scale.SignalView{State: scale.SignalPartial, NewestAt: now}), []string{"warning signal cpu"}},
		"a signal that is new to the policy": {scale.Control{EvaluatedAt: now}, &scale.Entry{}, []string{"unknown signal cpu"}},
		"facts that cannot be read":          {scale.Control{EvaluatedAt: now, FactsProblem: "403"}, fresh, []string{"warning facts"}},
		"a back-off in force": {scale.Control{EvaluatedAt: now, Memory: scale.Memory{BackOffs: []scale.BackOff{
			{Until: now.Add(time.Minute), Code: "AllocationFailed"}, {Until: now.Add(-time.Minute)},
		}}}, fresh, []string{"warning back_off"}},
		"a rival that was heard of": {scale.Control{EvaluatedAt: now, Memory: scale.Memory{Notes: scale.Notes{Rivals: []scale.Rival{
			{At: now.Add(-time.Hour), By: "autoscale", Action: "scaleup"}, {At: now.Add(-48 * time.Hour)},
		}}}}, fresh, []string{"problem rival"}},
	} {
		if diff := cmp.Diff(c.want, checks(doctor.Pool(pool(), &c.control, c.last, now, 5*time.Minute))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestHubAndLetters(t *testing.T) {
	for name, c := range map[string]struct {
		got  doctor.Finding
		want doctor.Level
	}{
		"a hub with events":          {doctor.Hub("hub", "metrics", []time.Time{{}, now.Add(-time.Minute)}, now), doctor.OK},
		"a hub that has gone quiet":  {doctor.Hub("hub", "metrics", []time.Time{now.Add(-2 * time.Hour)}, now), doctor.Warning},
		"a hub without events":       {doctor.Hub("hub", "metrics", []time.Time{{}, {}}, now), doctor.Problem},
		"no dead letters":            {doctor.Letters("ledger", nil), doctor.OK},
		"dead letters":               {doctor.Letters("ledger", []scale.DeadLetter{{Rejections: []scale.Rejection{{Reason: "not_json"}}}}), doctor.Warning},
		"usages that may not be had": {doctor.Usages("web", &scale.FleetError{Status: 403}), doctor.Warning},
		"a check without its right":  {doctor.Unlooked("web", "rights", &scale.FleetError{Status: 403}), doctor.Unknown},
	} {
		if c.got.Level != c.want {
			t.Errorf("%s: got %+v, want %s", name, c.got, c.want)
		}
	}
}

func TestAReportCountsAndKeepsItsOrder(t *testing.T) {
	all := []doctor.Finding{{Level: doctor.Problem}, {Level: doctor.OK}, {Level: doctor.Unknown}, {Level: doctor.Warning}, {Level: doctor.OK}}
	r := doctor.NewReport(all)
	if got, want := r.String(), "doctor: ok=2 warnings=1 problems=1 unknown=1"; got != want || !slices.Equal(r.Findings, all) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhatNobodyListensToIsOffered(t *testing.T) {
	series := []doctor.Series{{Resource: "/r", Metric: "cpu percent", Samples: 9}, {Resource: "/other", Metric: "Percentage CPU", Samples: 3}, {Resource: "/x", Metric: "y", Samples: 1}}
	f := doctor.Unrouted("ledger", series)
	if f.Level != doctor.OK || !strings.Contains(f.Says, "3 series") || !strings.Contains(f.Do, `"metric": "cpu percent"`) {
		t.Errorf("got %+v", f)
	}
	for _, c := range []struct {
		one  doctor.Series
		want string
	}{
		{doctor.Series{Resource: "/r", Metric: "cpu"}, `"NAME": {"resource": "/r", "metric": "cpu"}`},
		{doctor.Series{Resource: "/r", Metric: "cpu", Dimensions: `a\,b=x\=y\,z,vmname=web_3`}, `"NAME": {"resource": "/r", "metric": "cpu", "dimensions": {"a,b": "*", "vmname": "*"}}`},
		{doctor.Series{Resource: "host/hugin", Metric: "cpu_usage_idle", Dimensions: "cpu=cpu-total,host=Hugin"}, `"NAME": {"resource": "*", "metric": "cpu_usage_idle", "dimensions": {"cpu": "*", "host": "*"}}`},
		{doctor.Series{Resource: "web-vmss", Metric: "cpu"}, `"NAME": {"resource": "web-vmss", "metric": "cpu"}`},
	} {
		if f := doctor.Unrouted("ledger", []doctor.Series{c.one}); !strings.Contains(f.Do, c.want) {
			t.Errorf("%+v is offered as %q, want %s", c.one, f.Do, c.want)
		}
	}
	if f := doctor.Unrouted("ledger", nil); f.Level != doctor.OK || f.Do != "" {
		t.Errorf("none: got %+v", f)
	}
	never := &scale.Entry{At: now, View: scale.View{Signals: map[string]scale.SignalView{"cpu": {State: scale.SignalMissing}}}}
	found := doctor.Offer(doctor.Pool(pool(), &scale.Control{EvaluatedAt: now}, never, now, time.Minute), pool(), series)
	last := found[len(found)-1]
	if !strings.Contains(last.Do, `"cpu percent" of /r`) || !strings.Contains(last.Do, `"Percentage CPU" of /other`) || strings.Contains(last.Do, "/x") {
		t.Errorf("got %+v, want the two that are near", last)
	}
}

func TestAPairHasOneSetOfEachPriority(t *testing.T) {
	spot, regular := healthy(), healthy()
	regular.Facts.Spot, regular.Facts.Model.Priority = false, "Regular"
	for name, c := range map[string]struct {
		role scale.Role
		in   *scale.Inspection
		want []string
	}{
		"the regular set":              {scale.RoleRegular, regular, nil},
		"the Spot set":                 {scale.RoleSpot, spot, nil},
		"a Spot set where regular was": {scale.RoleRegular, spot, []string{"problem pair"}},
		"a regular set where Spot was": {scale.RoleSpot, regular, []string{"problem pair"}},
	} {
		if diff := cmp.Diff(c.want, checks(doctor.Member("web", c.role, c.in))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
