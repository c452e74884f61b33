package arm

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// call is one request that passed the front: authenticated, versioned, routed.
type call struct {
	now    time.Time
	method string
	host   string
	path   string
	header http.Header
	query  url.Values
	body   []byte
	args   map[string]string
}

// answer is what goes back. Doc is encoded as JSON unless it is nil.
type answer struct {
	status int
	header http.Header
	doc    any
	// applied, overtook and makes go into the request log.
	applied, overtook bool
	makes             *int
	// touched is how many machines a scale operation makes, takes away or switches.
	touched int
}

// route is a method and a path whose {parts} are taken out; the rest is compared without regard to case, as ARM does.
// Action is the right that it needs, limit the policy that it is counted by.
type route struct {
	method, path string
	serve        func(*world, call) answer
	action       string
	limit        policy
}

const (
	subPath     = "/subscriptions/{sub}"
	groupPath   = subPath + "/resourcegroups/{group}"
	computePath = groupPath + "/providers/microsoft.compute/"
	setPath     = computePath + "virtualmachinescalesets/{name}"
	placePath   = subPath + "/providers/microsoft.compute/locations/{location}"

	setRight    = "Microsoft.Compute/virtualMachineScaleSets/"
	setVMRight  = setRight + "virtualMachines/"
	vmRight     = "Microsoft.Compute/virtualMachines/"
	rivalRight  = "Microsoft.Insights/autoscaleSettings/read"
	accessRight = "Microsoft.Authorization/permissions/read"
)

// routes are all there is. What the page on limits does not name is counted at the front door only.
var routes = []route{
	{http.MethodGet, setPath, (*world).readSet, setRight + "read", policyGetSet},
	{http.MethodPatch, setPath, (*world).patchSet, setRight + "write", policyUpdateSet},
	{http.MethodPut, setPath, (*world).putSet, setRight + "write", policyUpdateSet},
	{http.MethodDelete, setPath, (*world).deleteSet, setRight + "delete", policyDeleteSet},
	{http.MethodPut, setPath + "/virtualmachines/{instance}", (*world).putInstance, setVMRight + "write", policyUpdateSetVM},
	{http.MethodPatch, computePath + "virtualmachines/{name}", (*world).patchMachine, vmRight + "write", policyUpdateVM},
	{http.MethodGet, subPath + "/providers/microsoft.compute/skus", (*world).listSKUs, "Microsoft.Compute/skus/read", policyNone},
	{http.MethodGet, computePath + "virtualmachinescalesets", (*world).listSets, setRight + "read", policyListSets},
	{http.MethodGet, setPath + "/instanceview", (*world).instanceView, setRight + "instanceView/read", policyHighCostSet},
	{http.MethodPost, setPath + "/delete", (*world).deleteInstances, setRight + "delete/action", policyDeleteSet},
	{http.MethodPost, setPath + "/deallocate", powerSet(powerDeallocated), setRight + "deallocate/action", policyDeleteSet},
	{http.MethodPost, setPath + "/poweroff", powerSet(powerStopped), setRight + "powerOff/action", policyPowerSet},
	{http.MethodPost, setPath + "/start", powerSet(powerRunning), setRight + "start/action", policyStartSet},
	{http.MethodGet, setPath + "/virtualmachines", (*world).listInstances, setVMRight + "read", policyNone},
	{http.MethodGet, setPath + "/virtualmachines/{instance}", (*world).readInstance, setVMRight + "read", policyGetSetVM},
	{http.MethodDelete, setPath + "/virtualmachines/{instance}", (*world).deleteMachine, setVMRight + "delete", policyDeleteSetVM},
	{http.MethodPost, setPath + "/virtualmachines/{instance}/simulateeviction", (*world).simulateEviction, setVMRight + "simulateEviction/action", policyUpdateSetVM},
	{http.MethodPost, setPath + "/virtualmachines/{instance}/deallocate", powerMachine(powerDeallocated), setVMRight + "deallocate/action", policyDeleteSetVM},
	{http.MethodPost, setPath + "/virtualmachines/{instance}/poweroff", powerMachine(powerStopped), setVMRight + "powerOff/action", policyDeleteSetVM},
	{http.MethodPost, setPath + "/virtualmachines/{instance}/start", powerMachine(powerRunning), setVMRight + "start/action", policyUpdateSetVM},
	{http.MethodGet, computePath + "virtualmachines", (*world).listMachines, vmRight + "read", policyListVMs},
	{http.MethodGet, computePath + "virtualmachines/{name}", (*world).readInstance, vmRight + "read", policyGetVM},
	{http.MethodDelete, computePath + "virtualmachines/{name}", (*world).deleteMachine, vmRight + "delete", policyDeleteVM},
	{http.MethodPost, computePath + "virtualmachines/{name}/simulateeviction", (*world).simulateEviction, vmRight + "simulateEviction/action", policyDeleteVM},
	{http.MethodPost, computePath + "virtualmachines/{name}/deallocate", powerMachine(powerDeallocated), vmRight + "deallocate/action", policyDeleteVM},
	{http.MethodPost, computePath + "virtualmachines/{name}/poweroff", powerMachine(powerStopped), vmRight + "powerOff/action", policyUpdateVM},
	{http.MethodPost, computePath + "virtualmachines/{name}/start", powerMachine(powerRunning), vmRight + "start/action", policyUpdateVM},
	{http.MethodGet, placePath + "/operations/{operation}", (*world).poll, "", policyOperation},
	{http.MethodGet, placePath + "/usages", (*world).listUsages, "Microsoft.Compute/locations/usages/read", policyNone},
	{http.MethodGet, subPath + "/providers/microsoft.insights/autoscalesettings", (*world).listAutoscale, rivalRight, policyNone},
	{http.MethodGet, groupPath + "/providers/microsoft.insights/autoscalesettings", (*world).listAutoscale, rivalRight, policyNone},
	{http.MethodGet, groupPath + "/providers/microsoft.authorization/permissions", (*world).listPermissions, accessRight, policyNone},
	{http.MethodGet, setPath + "/providers/microsoft.authorization/permissions", (*world).listPermissions, accessRight, policyNone},
}

// match takes the path apart by the pattern; ok is false when they do not fit.
func match(pattern, path string) (args map[string]string, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(strings.TrimRight(path, "/"), "/")
	if len(want) != len(got) {
		return nil, false
	}
	args = map[string]string{}
	for i, p := range want {
		switch name, isArg := strings.CutPrefix(p, "{"); {
		case isArg && got[i] != "":
			args[strings.TrimSuffix(name, "}")] = got[i]
		case isArg || !strings.EqualFold(p, got[i]):
			return nil, false
		}
	}
	return args, true
}

func (w *world) dispatch(c call) answer {
	known := false
	for _, r := range routes {
		args, ok := match(r.path, c.path)
		if !ok {
			continue
		}
		known = true
		if r.method == c.method {
			c.args = args
			return w.serve(r, c)
		}
	}
	if known {
		return failure(http.StatusMethodNotAllowed, "MethodNotAllowed", "The method "+c.method+" is not allowed on this resource.")
	}
	return failure(http.StatusNotFound, "InvalidResourceType", "No resource of the emulated types lies at "+c.path+".")
}

// serve asks the right, counts the call, and has it served; what was counted goes into every answer's headers.
func (w *world) serve(r route, c call) answer {
	h := http.Header{}
	refused := w.front(c, h)
	if refused == nil {
		refused = w.forbidden(c.path, r.action)
	}
	var cost *bill
	if refused == nil {
		cost, refused = w.charge(w.limitOf(r, c), c, w.region(c), h)
	}
	var a answer
	if refused != nil {
		a = *refused
	} else {
		a = r.serve(w, c)
		cost.further(a.touched, h)
	}
	if s := w.sets[strings.ToLower(setRoute(c))]; s != nil && a.applied && c.method != http.MethodGet {
		s.wroteAt = c.now
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	for k, v := range h {
		a.header[k] = v
	}
	return a
}

// target finds the set that a call's path names, or the answer that says that there is none.
func (w *world) target(c call) (*set, *answer) {
	s := w.sets[strings.ToLower("/subscriptions/"+c.args["sub"]+"/resourceGroups/"+c.args["group"]+
		"/providers/Microsoft.Compute/virtualMachineScaleSets/"+c.args["name"])]
	if s == nil {
		a := failure(http.StatusNotFound, "ResourceNotFound", "The resource 'Microsoft.Compute/virtualMachineScaleSets/"+
			c.args["name"]+"' under resource group '"+c.args["group"]+"' was not found.")
		return nil, &a
	}
	return s, nil
}

func success(doc any) answer { return answer{status: http.StatusOK, header: http.Header{}, doc: doc} }

// failure is an error as ARM's front door and most providers wrap it.
func failure(status int, code, message string) answer {
	return answer{
		status: status, header: http.Header{},
		doc: map[string]any{"error": map[string]any{"code": code, "message": message}},
	}
}

func (a answer) write(rw http.ResponseWriter) {
	for k, v := range a.header {
		rw.Header()[k] = v
	}
	if a.doc == nil {
		rw.WriteHeader(a.status)
		return
	}
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(a.status)
	// A client that has gone away is no concern of the emulator's.
	_ = json.NewEncoder(rw).Encode(a.doc)
}
