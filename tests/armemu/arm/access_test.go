package arm_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"trimtab/tests/armemu/arm"
)

func TestQuotaRefusesWhatDoesNotFit(t *testing.T) {
	cases := []struct {
		name  string
		quota arm.Quota
		set   string
		to    string
		text  string
	}{
		{"a family", arm.Quota{Name: "standardDSv5Family", Limit: 28}, plain, "9", "standardDSv5Family Cores quota"},
		{"the region", arm.Quota{Name: "cores", Limit: 28}, plain, "9", "Total Regional Cores quota"},
		{"Spot", arm.Quota{Name: "lowPriorityCores", Limit: 4}, web, "10", "LowPriorityCores quota"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			emu, _ := platform(t)
			turn(t, emu, c.quota)
			r := send(t, emu, "PATCH", c.set+version, `{"sku":{"capacity":`+c.to+`}}`)
			if r.status != http.StatusConflict || r.code != "OperationNotAllowed" || !strings.Contains(r.body, c.text) || !strings.Contains(r.body, "Additional Required: ") {
				t.Fatalf("at once: got %d %s", r.status, r.body)
			}
			if s := state(t, emu, c.set); s.ETag != `"1"` {
				t.Errorf("the refusal changed the set: %+v", s)
			}
			late := c.quota
			late.Late = true
			turn(t, emu, late)
			status, code := opStatus(t, emu, resize(t, emu, c.set, `{"sku":{"capacity":`+c.to+`}}`))
			if status != "Failed" || code != "OperationNotAllowed" {
				t.Errorf("late: got %s %s", status, code)
			}
			if s := state(t, emu, c.set); s.Regular.Failed+s.Spot.Failed == 0 || s.Regular.Creating+s.Spot.Creating > 0 {
				t.Errorf("late: got %+v, want what fitted up and the rest failed", s)
			}
		})
	}
}

func TestSDKReadsUsages(t *testing.T) {
	emu, _ := platform(t)
	turn(t, emu, arm.Quota{Name: "lowPriorityCores", Limit: 10})
	lower := false
	turn(t, emu, arm.Evict{Set: web, Count: 1, Policy: arm.Deallocate, LowerCapacity: &lower})
	got := map[string][2]int64{}
	for pager := sdk(t, emu, policy.RetryOptions{}).NewUsageClient().NewListPager("westeurope", nil); pager.More(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Value {
			got[*u.Name.Value] = [2]int64{int64(*u.CurrentValue), *u.Limit}
		}
	}
	// Three regular of web, three of jobs and five of plain at two cores each; the deallocated Spot machine counts still.
	if got["cores"] != [2]int64{22, 100000} || got["standardDSv5Family"][0] != 22 || got["lowPriorityCores"] != [2]int64{2, 10} {
		t.Errorf("got %v", got)
	}
}

func TestRightsAreAskedAndListed(t *testing.T) {
	emu, _ := platform(t)
	rg := strings.TrimSuffix(group, "/providers/Microsoft.Compute/")
	reader := arm.Grant{Scope: rg, Actions: []string{"Microsoft.Compute/*/read", "Microsoft.Authorization/permissions/read"}}
	writer := arm.Grant{Scope: web, Actions: []string{"Microsoft.Compute/virtualMachineScaleSets/*"}, NotActions: []string{"*/delete/action"}}
	turn(t, emu, arm.Grants{Grants: []arm.Grant{reader, writer}})
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"reading", "GET", plain + version, "", 200, ""},
		{"writing where only reading is allowed", "PATCH", plain + version, `{"properties":{}}`, 403, "AuthorizationFailed"},
		{"writing where it is allowed", "PATCH", web + version, `{"properties":{}}`, 200, ""},
		{"what a not-action takes out", "POST", web + "/delete" + version, `{"instanceIds":["x"]}`, 403, "AuthorizationFailed"},
		{"growth without the linked rights", "PATCH", web + version, `{"sku":{"capacity":9}}`, 403, "LinkedAuthorizationFailed"},
		{"a subscription's usages from a group's role", "GET", "/subscriptions/" + subscription + "/providers/Microsoft.Compute/locations/westeurope/usages" + version, "", 403, "AuthorizationFailed"},
	} {
		if r := send(t, emu, c.method, c.path, c.body); r.status != c.status || r.code != c.code {
			t.Errorf("%s: got %d %s, want %d %s", c.name, r.status, r.code, c.status, c.code)
		}
	}
	var doc struct {
		Value []struct {
			Actions    []string `json:"actions"`
			NotActions []string `json:"notActions"`
		} `json:"value"`
	}
	r := send(t, emu, "GET", web+"/providers/Microsoft.Authorization/permissions?api-version=2022-04-01", "")
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil || len(doc.Value) != 2 || doc.Value[1].NotActions[0] != "*/delete/action" {
		t.Errorf("at the set: got %s, %v", r.body, err)
	}
	if r := send(t, emu, "GET", "/subscriptions/"+subscription+"/providers/Microsoft.Authorization/permissions?api-version=2022-04-01", ""); r.status != 404 {
		t.Errorf("at the subscription, where the operation is not documented: got %d", r.status)
	}
	turn(t, emu, arm.Grants{})
	if r := send(t, emu, "PATCH", plain+version, `{"properties":{}}`); r.status != 200 {
		t.Errorf("without assignments everything is allowed: got %d", r.status)
	}
}

func TestAutoscaleSettingsAreListed(t *testing.T) {
	emu, _ := platform(t)
	turn(t, emu, arm.Autoscale{Name: "rival", Target: web}, arm.Autoscale{Name: "asleep", Target: jobs, Group: "other", Disabled: true})
	for path, want := range map[string]int{
		"/subscriptions/" + subscription + "/providers/Microsoft.Insights/autoscaleSettings":                      2,
		"/subscriptions/" + subscription + "/resourceGroups/rg/providers/Microsoft.Insights/autoscaleSettings":    1,
		"/subscriptions/" + subscription + "/resourceGroups/other/providers/Microsoft.Insights/autoscaleSettings": 1,
	} {
		var doc struct {
			Value []struct {
				Properties struct {
					Enabled bool   `json:"enabled"`
					Target  string `json:"targetResourceUri"`
				} `json:"properties"`
			} `json:"value"`
		}
		r := send(t, emu, "GET", path+"?api-version=2022-10-01", "")
		if err := json.Unmarshal([]byte(r.body), &doc); err != nil || len(doc.Value) != want {
			t.Errorf("%s: got %s, %v; want %d settings", path, r.body, err, want)
		}
	}
	turn(t, emu, arm.Autoscale{Name: "rival", Target: web, Remove: true})
	if r := send(t, emu, "GET", "/subscriptions/"+subscription+"/resourceGroups/rg/providers/Microsoft.Insights/autoscaleSettings?api-version=2022-10-01", ""); r.body != "{\"value\":[]}\n" {
		t.Errorf("once removed: got %s", r.body)
	}
}

func TestTheDateHeaderShowsTheEmulatedClockAndItsSkew(t *testing.T) {
	emu, c := platform(t)
	for _, skew := range []int{0, 400, -90} {
		turn(t, emu, arm.Skew{Seconds: skew})
		got, err := http.ParseTime(send(t, emu, "GET", web+version, "").header.Get("Date"))
		if err != nil || got.Sub(c.Now()) != time.Duration(skew)*time.Second {
			t.Errorf("skew %d: got %v at %v, %v", skew, got, c.Now(), err)
		}
	}
}

func TestZoneBalancingAddsOneForAWhile(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) {
		c.BootSeconds, c.DeleteSeconds = 60, 30
		c.Sets = []arm.SetConfig{{ID: plain, Capacity: 3, Zones: []string{"1", "2"}}}
	})
	turn(t, emu, arm.Rebalance{Set: plain})
	if s := state(t, emu, plain); s.Regular.There != 4 || s.Capacity != 3 {
		t.Errorf("at once: got %+v, want one above capacity", s)
	}
	c.forward(90 * time.Second)
	if s := state(t, emu, plain); s.Regular.There != 3 || s.Zones["2"] != 2 {
		t.Errorf("at the end: got %+v, want three, two of them in zone 2", s)
	}
}
