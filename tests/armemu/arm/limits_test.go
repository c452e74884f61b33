package arm_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"trimtab/tests/armemu/arm"
)

func limited(c *arm.Config) { c.Limits = arm.Documented }

// The rows are those of the example on Microsoft's page "Compute throttling limits" (articles/virtual-machines/
// compute-throttling-limits.md in MicrosoftDocs/azure-compute-docs at 1a043fb3): a bucket of 12 refilled by 4 a minute.
// In its fourth minute the page lets 13 requests meet 12 tokens, and in its fifth 5 meet 4.
func TestTheExampleOfTheLimitsPageRowByRow(t *testing.T) {
	emu, c := platform(t, limited)
	for minute, row := range []struct{ sent, refused, left int }{{0, 0, 12}, {8, 0, 4}, {0, 0, 8}, {13, 1, 0}, {5, 1, 0}, {0, 0, 4}} {
		if minute == 0 {
			// The bucket is there from the first call on.
			continue
		}
		refused, left := 0, ""
		for range row.sent {
			r := send(t, emu, "PATCH", plain+version, `{"sku":{"capacity":5}}`)
			left = r.header.Values("x-ms-ratelimit-remaining-resource")[0]
			if r.status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused != row.refused {
			t.Errorf("minute %d: %d of %d requests were refused, want %d", minute+1, refused, row.sent, row.refused)
		}
		if want := fmt.Sprintf("Microsoft.Compute/UpdateVMScaleSet;%d", row.left); row.sent > 0 && left != want {
			t.Errorf("minute %d: the header says %q, want %q", minute+1, left, want)
		}
		c.forward(time.Minute)
	}
}

// The figures are those of the tables on the same page.
func TestEachPolicyHoldsWhatItsTableSays(t *testing.T) {
	list := group + "virtualMachines" + version + "&$filter='virtualMachineScaleSet/id'%20eq%20'" + web + "'"
	cases := []struct {
		name, method, path, body string
		most, refill             int
	}{
		{"update of a scale set", "PATCH", web + version, `{"properties":{}}`, 12, 4},
		{"deletion of instances", "POST", web + "/delete" + version, `{"instanceIds":["none"]}`, 12, 4},
		{"reading a scale set", "GET", web + version, "", 36, 12},
		{"the instance view of a scale set", "GET", jobs + "/instanceView" + version, "", 30, 10},
		{"reading one instance of a uniform set", "GET", jobs + "/virtualMachines/0" + version, "", 36, 12},
		{"deleting one instance of a uniform set", "DELETE", jobs + "/virtualMachines/99" + version, "", 12, 4},
		{"reading a machine", "GET", group + "virtualMachines/none" + version, "", 36, 12},
		{"listing machines", "GET", list, "", 900, 300},
		{"listing scale sets", "GET", group + "virtualMachineScaleSets" + version, "", 1080, 360},
		{"asking about an operation", "GET", "/subscriptions/" + subscription + "/providers/Microsoft.Compute/locations/westeurope/operations/o" + version, "", 45, 15},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			emu, c := platform(t, limited)
			start, passed := c.Now(), 0
			var r reply
			exhaust := func(most int) {
				for n := range most + 1 {
					if n%20 == 19 {
						// Within the front door's own pace.
						c.forward(time.Second)
					}
					if r = send(t, emu, tc.method, tc.path, tc.body); r.status == http.StatusTooManyRequests {
						return
					}
					passed++
				}
			}
			exhaust(tc.most)
			if passed != tc.most || !strings.Contains(r.body, `"TooManyRequests"`) || !strings.HasPrefix(r.body, `{"code":"OperationNotAllowed"`) {
				t.Fatalf("%d calls went through, then %d %s; want %d and an unwrapped refusal", passed, r.status, r.body, tc.most)
			}
			if !strings.HasSuffix(r.header.Get("x-ms-ratelimit-remaining-resource"), ";0") || r.header.Get("Retry-After") == "" {
				t.Errorf("the refusal has headers %v", r.header)
			}
			c.forward(time.Minute - c.Now().Sub(start))
			passed = 0
			exhaust(tc.refill)
			if passed != tc.refill {
				t.Errorf("after a minute %d calls went through, want %d", passed, tc.refill)
			}
		})
	}
}

func TestTheRegionsBucketIsSharedByItsSets(t *testing.T) {
	emu, c := platform(t, limited, func(c *arm.Config) {
		for i := range 60 {
			c.Sets = append(c.Sets, arm.SetConfig{ID: fmt.Sprintf("%svirtualMachineScaleSets/set%d", group, i), Capacity: 1})
		}
	})
	r, passed := reply{}, 0
	for i := 0; passed < 2000; i++ {
		if i%10 == 9 {
			// Within the front door's own pace, and within the minute.
			c.forward(time.Second)
		}
		if r = send(t, emu, "POST", fmt.Sprintf("%svirtualMachineScaleSets/set%d/deallocate%s", group, i%60, version), `{"instanceIds":["none"]}`); r.status == 429 {
			break
		}
		passed++
	}
	if passed != 525 {
		t.Errorf("%d calls went through, want 525: %s", passed, r.body)
	}
	values := r.header.Values("x-ms-ratelimit-remaining-resource")
	if len(values) != 2 || !strings.HasSuffix(values[1], ";0") || strings.HasSuffix(values[0], ";0") {
		t.Errorf("got headers %v, want the region's to be the empty one", values)
	}
}

func TestTheFrontDoorHasBucketsOfItsOwn(t *testing.T) {
	emu, c := platform(t, limited)
	where := "/subscriptions/" + subscription + "/providers/Microsoft.Compute/locations/westeurope/usages" + version
	r, passed := reply{}, 0
	for ; passed < 300; passed++ {
		if r = send(t, emu, "GET", where, ""); r.status == 429 {
			break
		}
	}
	if passed != 250 || r.code != "SubscriptionRequestsThrottled" || r.header.Get("Retry-After") != "1" || r.header.Get("x-ms-ratelimit-remaining-subscription-reads") != "0" {
		t.Errorf("%d reads went through, then %d %s %v", passed, r.status, r.code, r.header)
	}
	c.forward(time.Second)
	for passed = 0; passed < 30; passed++ {
		if r = send(t, emu, "GET", where, ""); r.status == 429 {
			break
		}
	}
	if passed != 25 {
		t.Errorf("a second later %d reads went through, want 25", passed)
	}
	if r = send(t, emu, "PATCH", web+version, `{"properties":{}}`); r.status != 200 || r.header.Get("x-ms-ratelimit-remaining-subscription-writes") != "199" {
		t.Errorf("a write: got %d %v, want it counted apart", r.status, r.header)
	}
}

func TestNoLimitIsInForceUnlessAskedFor(t *testing.T) {
	emu, _ := platform(t)
	for range 300 {
		if r := send(t, emu, "GET", web+version, ""); r.status != 200 || r.header.Get("x-ms-ratelimit-remaining-resource") != "" {
			t.Fatalf("got %d %v", r.status, r.header)
		}
	}
	if err := emu.Turn(arm.Drain{Policy: "reads"}); err == nil {
		t.Error("a bucket that is not there was drained")
	}
}

func TestSomebodyElseMayDrainABucket(t *testing.T) {
	emu, _ := platform(t, limited)
	send(t, emu, "GET", web+version, "")
	turn(t, emu, arm.Drain{Policy: "GetVMScaleSet", Set: web, Left: 1})
	if r := send(t, emu, "GET", web+version, ""); r.status != 200 || !strings.HasSuffix(r.header.Get("x-ms-ratelimit-remaining-resource"), ";0") {
		t.Errorf("the last one: got %d %v", r.status, r.header)
	}
	if r := send(t, emu, "GET", web+version, ""); r.status != 429 {
		t.Errorf("past it: got %d", r.status)
	}
	if r := send(t, emu, "GET", jobs+version, ""); r.status != 200 {
		t.Errorf("another set: got %d", r.status)
	}
}

func TestSDKWaitsAsTheHeaderSays(t *testing.T) {
	emu, _ := platform(t, limited)
	f := sdk(t, emu, policy.RetryOptions{MaxRetries: -1})
	for range 36 {
		send(t, emu, "GET", web+version, "")
	}
	_, err := f.NewVirtualMachineScaleSetsClient().Get(t.Context(), "rg", "web", nil)
	if re := wantResponse(t, err, 429, "OperationNotAllowed"); re.RawResponse.Header.Get("Retry-After") != "60" {
		t.Errorf("got Retry-After %q, want a minute", re.RawResponse.Header.Get("Retry-After"))
	}
}
