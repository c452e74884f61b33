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
	// applied and overtook go into the request log.
	applied, overtook bool
}

// route is a method and a path whose {parts} are taken out; the rest is compared without regard to case, as ARM does.
type route struct {
	method, path string
	serve        func(*world, call) answer
}

const (
	computePath = "/subscriptions/{sub}/resourcegroups/{group}/providers/microsoft.compute/"
	setPath     = computePath + "virtualmachinescalesets/{name}"
)

var routes = []route{
	{http.MethodGet, setPath, (*world).readSet},
	{http.MethodPatch, setPath, (*world).patchSet},
	{http.MethodGet, computePath + "virtualmachinescalesets", (*world).listSets},
	{http.MethodGet, setPath + "/instanceview", (*world).instanceView},
	{http.MethodPost, setPath + "/delete", (*world).deleteInstances},
	{http.MethodPost, setPath + "/deallocate", power(powerDeallocated)},
	{http.MethodPost, setPath + "/poweroff", power(powerStopped)},
	{http.MethodPost, setPath + "/start", power(powerRunning)},
	{http.MethodGet, setPath + "/virtualmachines", (*world).listInstances},
	{http.MethodGet, setPath + "/virtualmachines/{instance}", (*world).readInstance},
	{http.MethodDelete, setPath + "/virtualmachines/{instance}", (*world).deleteMachine},
	{http.MethodPost, setPath + "/virtualmachines/{instance}/simulateeviction", (*world).simulateEviction},
	{http.MethodGet, computePath + "virtualmachines", (*world).listMachines},
	{http.MethodGet, computePath + "virtualmachines/{name}", (*world).readInstance},
	{http.MethodDelete, computePath + "virtualmachines/{name}", (*world).deleteMachine},
	{http.MethodPost, computePath + "virtualmachines/{name}/simulateeviction", (*world).simulateEviction},
	{http.MethodGet, "/subscriptions/{sub}/providers/microsoft.compute/locations/{location}/operations/{operation}", (*world).poll},
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
			return r.serve(w, c)
		}
	}
	if known {
		return failure(http.StatusMethodNotAllowed, "MethodNotAllowed", "The method "+c.method+" is not allowed on this resource.")
	}
	return failure(http.StatusNotFound, "InvalidResourceType", "No resource of the emulated types lies at "+c.path+".")
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
