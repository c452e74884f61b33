package arm_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"trimtab/tests/armemu/arm"
)

func TestTheFrontDoorRefuses(t *testing.T) {
	cases := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     string
	}{
		{"no token", "GET", web + version, "", []string{"Authorization", ""}, 401, "AuthenticationFailed"},
		{"a token of somebody else", "GET", web + version, "", []string{"Authorization", "Bearer other"}, 401, "AuthenticationFailed"},
		{"no api-version", "GET", web, "", nil, 400, "MissingApiVersionParameter"},
		{"an api-version that is none", "GET", web + "?api-version=latest", "", nil, 400, "InvalidApiVersionParameter"},
		{"a set that is not there", "GET", web + "x" + version, "", nil, 404, "ResourceNotFound"},
		{"a set that is not there, PATCH", "PATCH", web + "x" + version, "{}", nil, 404, "ResourceNotFound"},
		{"a kind of resource that is not emulated", "GET", group + "disks/d" + version, "", nil, 404, "InvalidResourceType"},
		{"a method that the resource has not", "POST", web + version, "", nil, 405, "MethodNotAllowed"},
		{"a PUT without a location", "PUT", web + version, "{}", nil, 400, "LocationRequired"},
		{"a stale ETag", "PATCH", web + version, `{"sku":{"capacity":5}}`, []string{"If-Match", `"0"`}, 412, "PreconditionFailed"},
		{"an ETag without its quotes", "PATCH", web + version, `{"sku":{"capacity":5}}`, []string{"If-Match", "1"}, 412, "PreconditionFailed"},
		{"no JSON", "PATCH", web + version, `{`, nil, 400, "InvalidRequestContent"},
		{"a capacity of the wrong type", "PATCH", web + version, `{"sku":{"capacity":"5"}}`, nil, 400, "InvalidRequestContent"},
		{"a negative capacity", "PATCH", web + version, `{"sku":{"capacity":-1}}`, nil, 400, "InvalidParameter"},
		{"a capacity above the platform's limit", "PATCH", web + version, `{"sku":{"capacity":1001}}`, nil, 400, "InvalidParameter"},
		{"a field that is not emulated", "PATCH", web + version, `{"plan":{"name":"p"}}`, nil, 501, "NotEmulated"},
		{"a property that is not emulated", "PATCH", web + version, `{"properties":{"doNotRunExtensionsOnOverprovisionedVMs":true}}`, nil, 501, "NotEmulated"},
		{"a mix on a uniform set", "PATCH", jobs + version, `{"properties":{"priorityMixPolicy":{"baseRegularPriorityCount":1,"regularPriorityPercentageAboveBase":1}}}`, nil, 400, "InvalidParameter"},
		{"a mix on a regular set", "PATCH", plain + version, `{"properties":{"priorityMixPolicy":{"baseRegularPriorityCount":1,"regularPriorityPercentageAboveBase":1}}}`, nil, 400, "InvalidParameter"},
		{"half a mix", "PATCH", web + version, `{"properties":{"priorityMixPolicy":{"baseRegularPriorityCount":1}}}`, nil, 400, "InvalidParameter"},
		{"a percentage above 100", "PATCH", web + version, `{"properties":{"priorityMixPolicy":{"baseRegularPriorityCount":1,"regularPriorityPercentageAboveBase":101}}}`, nil, 400, "InvalidParameter"},
		{"the instance view of a flexible set", "GET", web + "/instanceView" + version, "", nil, 409, "OperationNotAllowed"},
		{"a filter that is not known", "GET", group + "virtualMachines" + version + "&$filter=name%20eq%20%27x%27", "", nil, 400, "InvalidParameter"},
		{"instance views of a whole group", "GET", group + "virtualMachines" + version + "&$expand=instanceView", "", nil, 400, "InvalidParameter"},
		{"a skip token that is none", "GET", group + "virtualMachines" + version + "&$skiptoken=!!", "", nil, 400, "InvalidParameter"},
		{"an operation that never was", "GET", "/subscriptions/5a1f0000-0000-4000-8000-000000000001/providers/Microsoft.Compute/locations/westeurope/operations/none" + version, "", nil, 404, "NotFound"},
	}
	emu, _ := platform(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := send(t, emu, c.method, c.path, c.body, c.headers...)
			if r.status != c.status || r.code != c.code {
				t.Errorf("got %d %s, want %d %s: %s", r.status, r.code, c.status, c.code, r.body)
			}
			if s := state(t, emu, web); s.ETag != `"1"` || s.Capacity != 4 {
				t.Errorf("the refusal changed the set: %+v", s)
			}
		})
	}
	if r := send(t, emu, "GET", web+version, "", "Authorization", ""); !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer ") {
		t.Error("a refusal for want of a token names no authority")
	}
}

func TestPathsAreComparedWithoutCase(t *testing.T) {
	emu, _ := platform(t)
	for _, path := range []string{strings.ToLower(web), strings.ToUpper(web), web + "/"} {
		if r := send(t, emu, "GET", path+version, ""); r.status != 200 {
			t.Errorf("%s: got %d", path, r.status)
		}
	}
}

func TestAPatchIsTakenAtOnceAndCarriedOutWithTime(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) { c.BootSeconds, c.DeleteSeconds = 90, 30 })
	r := send(t, emu, "PATCH", web+version, `{"sku":{"capacity":7}}`, "If-Match", `"1"`)
	var doc struct {
		ETag string `json:"etag"`
		SKU  struct {
			Capacity int `json:"capacity"`
		} `json:"sku"`
		Properties struct {
			ProvisioningState string `json:"provisioningState"`
		} `json:"properties"`
	}
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil {
		t.Fatal(err)
	}
	if r.status != 200 || doc.ETag != `"2"` || doc.SKU.Capacity != 7 || doc.Properties.ProvisioningState != "Updating" {
		t.Errorf("got %d %+v, want 200, ETag \"2\", capacity 7, Updating", r.status, doc)
	}
	op := r.header.Get("Azure-AsyncOperation")
	if !strings.HasPrefix(op, emu.Endpoints().ARM+"/subscriptions/") || !strings.Contains(op, "/providers/Microsoft.Compute/locations/westeurope/operations/") {
		t.Errorf("got operation %q, want an absolute URL at the same host", op)
	}
	c.forward(89 * time.Second)
	if got, _ := opStatus(t, emu, op); got != "InProgress" {
		t.Errorf("after 89 s: got %s, want InProgress", got)
	}
	if s := state(t, emu, web); s.Regular.Creating+s.Spot.Creating != 3 || s.ProvisioningState != "Updating" {
		t.Errorf("after 89 s: got %+v, want three machines on their way", s)
	}
	c.forward(time.Second)
	if got, _ := opStatus(t, emu, op); got != "Succeeded" {
		t.Errorf("after 90 s: got %s, want Succeeded", got)
	}
	if s := state(t, emu, web); s.Regular.Running != 4 || s.Spot.Running != 3 || s.ProvisioningState != "Succeeded" || s.ETag != `"2"` {
		t.Errorf("after 90 s: got %+v, want 4 regular and 3 Spot running", s)
	}
	op = resize(t, emu, web, `{"sku":{"capacity":2}}`)
	if s := state(t, emu, web); s.Capacity != 2 || s.Regular.Deleting+s.Spot.Deleting != 5 {
		t.Errorf("after shrinking: got %+v, want five machines on their way out", s)
	}
	c.forward(30 * time.Second)
	if got, _ := opStatus(t, emu, op); got != "Succeeded" {
		t.Errorf("30 s after shrinking: got %s", got)
	}
	if s := state(t, emu, web); s.Regular.There+s.Spot.There != 2 || s.Regular.Deleting+s.Spot.Deleting != 0 {
		t.Errorf("30 s after shrinking: got %+v, want two machines", s)
	}
}

func TestNullTakesTheMixAway(t *testing.T) {
	emu, _ := platform(t)
	resize(t, emu, web, `{"properties":{"priorityMixPolicy":null}}`)
	if s := state(t, emu, web); s.Mix != nil {
		t.Errorf("got mix %v, want none", s.Mix)
	}
	resize(t, emu, web, `{"sku":{"capacity":6}}`)
	if s := state(t, emu, web); s.Regular.There != 3 || s.Spot.There != 3 {
		t.Errorf("got %+v, want what comes without a mix to be Spot", s)
	}
	resize(t, emu, web, `{"properties":{}}`)
	if s := state(t, emu, web); s.Mix != nil || s.ETag != `"4"` {
		t.Errorf("got %+v, want an empty PATCH to move the ETag only", s)
	}
}

func TestRecordsAreForgotten(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) { c.OperationTTLSeconds = 600 })
	op := resize(t, emu, web, `{"sku":{"capacity":5}}`)
	if got, _ := opStatus(t, emu, op); got != "Succeeded" {
		t.Fatalf("got %s", got)
	}
	c.forward(10 * time.Minute)
	if r := send(t, emu, "GET", op, ""); r.status != 200 {
		t.Errorf("after ten minutes: got %d, want it known", r.status)
	}
	c.forward(time.Second)
	if r := send(t, emu, "GET", op, ""); r.status != 404 {
		t.Errorf("a second later: got %d, want 404", r.status)
	}
}

func TestMachinesAreListedInPages(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) { c.PageSize = 2 })
	filter := "&$filter=%27virtualMachineScaleSet/id%27%20eq%20%27" + strings.ToUpper(plain) + "%27&$expand=instanceView"
	var names []string
	next, pages := group+"virtualMachines"+version+filter, 0
	for next != "" {
		pages++
		r := send(t, emu, "GET", next, "")
		var doc struct {
			NextLink string `json:"nextLink"`
			Value    []struct {
				Name       string `json:"name"`
				Properties struct {
					Set struct {
						ID string `json:"id"`
					} `json:"virtualMachineScaleSet"`
					View *struct{} `json:"instanceView"`
				} `json:"properties"`
			} `json:"value"`
		}
		if err := json.Unmarshal([]byte(r.body), &doc); err != nil || r.status != 200 {
			t.Fatalf("page %d: %d %s", pages, r.status, r.body)
		}
		for _, m := range doc.Value {
			names = append(names, m.Name)
			if m.Properties.View == nil || !strings.EqualFold(m.Properties.Set.ID, plain) {
				t.Errorf("%s: got %+v, want its view and its set", m.Name, m.Properties)
			}
		}
		next = doc.NextLink
	}
	unique := map[string]bool{}
	for _, n := range names {
		unique[n] = true
	}
	if pages != 3 || len(names) != 5 || len(unique) != 5 {
		t.Errorf("got %d pages with %v, want 3 with five machines", pages, names)
	}
}

func TestAUniformSetCountsItsMachines(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) { c.BootSeconds = 60 })
	resize(t, emu, jobs, `{"sku":{"capacity":5}}`)
	r := send(t, emu, "GET", jobs+"/instanceView"+version, "")
	for _, want := range []string{
		`{"code":"ProvisioningState/succeeded","count":3}`, `{"code":"PowerState/running","count":3}`,
		`{"code":"ProvisioningState/creating","count":2}`, `{"code":"PowerState/starting","count":2}`,
	} {
		if !strings.Contains(r.body, want) {
			t.Errorf("got %s, want %s in it", r.body, want)
		}
	}
	r = send(t, emu, "GET", jobs+"/virtualMachines"+version, "")
	if !strings.Contains(r.body, `"instanceId":"4"`) || !strings.Contains(r.body, `"provisioningState"`) {
		t.Errorf("instances: got %s", r.body)
	}
	if r = send(t, emu, "GET", web+"/virtualMachines"+version, ""); strings.Contains(r.body, `"properties"`) || !strings.Contains(r.body, "web_") {
		t.Errorf("a flexible set lists identities only: got %s", r.body)
	}
	if r = send(t, emu, "GET", group+"virtualMachineScaleSets"+version, ""); strings.Count(r.body, `"etag"`) != 3 {
		t.Errorf("the group's sets: got %s", r.body)
	}
}

func TestOneMachineCanBeRead(t *testing.T) {
	emu, _ := platform(t)
	r := send(t, emu, "GET", group+"virtualMachines"+version, "")
	var doc struct {
		Value []struct {
			ID         string         `json:"id"`
			Properties map[string]any `json:"properties"`
		} `json:"value"`
	}
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil || len(doc.Value) != 9 {
		t.Fatalf("got %d machines, %v; want the nine of both flexible sets", len(doc.Value), err)
	}
	if r = send(t, emu, "GET", doc.Value[0].ID+version, ""); r.status != 200 {
		t.Errorf("got %d %s", r.status, r.body)
	}
	if r = send(t, emu, "GET", group+"virtualMachines/none"+version, ""); r.status != 404 {
		t.Errorf("got %d for a machine that is not there", r.status)
	}
}

func TestTheIdentityEndpointRefusesWithoutItsHeader(t *testing.T) {
	emu, _ := platform(t)
	for name, headers := range map[string]string{"none": "", "wrong": "x"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", emu.Endpoints().Identity+"?api-version=2019-08-01&resource=r", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-IDENTITY-HEADER", headers)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 401 {
			t.Errorf("%s: got %d, want 401", name, resp.StatusCode)
		}
	}
}
