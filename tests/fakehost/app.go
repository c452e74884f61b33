// Package fakehost stands in for the Azure Functions host: it reads an app's real host.json and function.json files,
// starts the binary that they name as the host would, and posts invocations in the host's own encoding, with its
// retries, checkpoints and restarts (facts: functions-host 1 to 4 and 7). It needs no testing.T, so that a demonstration
// can drive the handler with it too.
//
// The invariant: it is never kinder to the handler than the host is. What the host would refuse, misread or wait for in
// vain is an error or a fault here.
package fakehost

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// App is what the host learns from an app root and its settings.
type App struct {
	Root       string
	Executable string
	Arguments  []string
	// Directory is the working directory of the handler.
	Directory string
	// FunctionTimeout is how long an invocation may take; 0 for no limit.
	FunctionTimeout time.Duration
	// InitializationTimeout is how long the handler may take to answer its first request.
	InitializationTimeout time.Duration
	MaxEventBatchSize     int
	// CheckpointEvery is batchCheckpointFrequency: the number of batches between two checkpoints.
	CheckpointEvery int
	// InitialOffset is where a partition without a checkpoint begins: fromStart, fromEnd or fromEnqueuedTime, then with
	// InitialAt.
	InitialOffset string
	InitialAt     time.Time
	Functions     map[string]*Function
}

// Function is one function of an app.
type Function struct {
	Name    string
	Trigger Binding
	// Retry is nil where a failed invocation is not tried again.
	Retry *Retry
}

// Binding is a trigger, with the app's settings put in for %NAME%.
type Binding struct {
	Type, Name, Direction string
	Cardinality, DataType string
	EventHubName          string
	ConsumerGroup         string
	Connection            string
	Schedule              string
}

// Retry is the retry policy of a function; Max of -1 means for ever.
type Retry struct {
	Strategy string
	Max      int
	Min      time.Duration
	Most     time.Duration
}

// Delay is how long the host waits before the attempt of that number, counted from 1. The host adds some jitter, which is
// left out here.
func (r *Retry) Delay(attempt int) time.Duration {
	if r.Strategy == "fixedDelay" {
		return r.Min
	}
	d := r.Min
	for range attempt - 1 {
		if d *= 2; d >= r.Most {
			return r.Most
		}
	}
	return d
}

// hostFile is the part of host.json that matters here.
type hostFile struct {
	Version         string
	FunctionTimeout string
	ExtensionBundle struct{ ID, Version string }
	CustomHandler   *struct {
		Description *struct {
			DefaultExecutablePath string
			WorkingDirectory      string
			WorkerDirectory       string
			DefaultWorkerPath     string
			Arguments             []string
		}
		InitializationTimeout       string
		EnableForwardingHTTPRequest bool
	}
	Extensions struct{ EventHubs eventHubs }
}

type eventHubs struct {
	MaxEventBatchSize                    *int
	MinEventBatchSize                    *int
	MaxWaitTime                          string
	BatchCheckpointFrequency             *int
	PrefetchCount                        *int
	PrefetchSizeInBytes                  *int
	TargetUnprocessedEventThreshold      *int
	InitialOffsetOptions                 struct{ Type, EnqueuedTimeUtc string }
	TransportType                        string
	ClientRetryOptions                   json.RawMessage
	TrackLastEnqueuedEventProperties     bool
	PartitionOwnershipExpirationInterval string
	LoadBalancingUpdateInterval          string
	EnableCheckpointing                  *bool
	WebProxy, CustomEndpointAddress      string
}

// overridePrefix begins the settings that change host.json (facts: functions-host 1.1).
const overridePrefix = "AzureFunctionsJobHost__"

// ReadApp reads an app root as the host does at start, with the app's settings. The error joins all that the host would
// refuse, and what it would take in silence for something else than was meant.
func ReadApp(root string, settings map[string]string) (*App, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	app := &App{Root: root, Functions: map[string]*Function{}}
	errs := []error{app.readHost(settings), app.readFunctions(settings)}
	if settings["AzureWebJobsStorage"] == "" && !hasPrefix(settings, "AzureWebJobsStorage__") {
		errs = append(errs, errors.New("setting AzureWebJobsStorage is missing: no trigger but HTTP works without"))
	}
	if got := settings["FUNCTIONS_WORKER_RUNTIME"]; got != "custom" {
		errs = append(errs, fmt.Errorf("setting FUNCTIONS_WORKER_RUNTIME is %q, not custom", got))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("app root %s: %w", root, err)
	}
	return app, nil
}

func (a *App) readHost(settings map[string]string) error {
	text, err := os.ReadFile(filepath.Join(a.Root, "host.json"))
	if err != nil {
		return err
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return fmt.Errorf("host.json: %w", err)
	}
	for name, value := range settings {
		if rest, ok := strings.CutPrefix(name, overridePrefix); ok {
			override(tree, strings.Split(rest, "__"), value)
		}
	}
	if text, err = json.Marshal(tree); err != nil {
		return err
	}
	var host hostFile
	if err := json.Unmarshal(text, &host); err != nil {
		return fmt.Errorf("host.json: %w", err)
	}
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf("host.json: "+format, args...)) }
	if host.Version != "2.0" {
		refuse("version is %q, not 2.0", host.Version)
	}
	if host.ExtensionBundle.ID == "" || host.ExtensionBundle.Version == "" {
		refuse("no extensionBundle: the triggers have no implementation")
	}
	if host.CustomHandler == nil || host.CustomHandler.Description == nil {
		refuse("missing worker description")
		return errors.Join(errs...)
	}
	a.describe(&host, settings, refuse)
	if a.FunctionTimeout, err = timeSpan(host.FunctionTimeout, 30*time.Minute); err != nil || (a.FunctionTimeout != 0 && a.FunctionTimeout < time.Second) {
		refuse("functionTimeout %q", host.FunctionTimeout)
	}
	a.hubs(tree, host.Extensions.EventHubs, refuse)
	return errors.Join(errs...)
}

// describe takes the custom handler's description.
func (a *App) describe(host *hostFile, settings map[string]string, refuse func(string, ...any)) {
	d := host.CustomHandler.Description
	if d.DefaultExecutablePath == "" {
		refuse("customHandler.description.defaultExecutablePath is empty")
	}
	a.Executable = filepath.FromSlash(expand(d.DefaultExecutablePath, settings, nil))
	if joined := filepath.Join(a.Root, d.WorkerDirectory, a.Executable); !filepath.IsAbs(a.Executable) {
		if _, err := os.Stat(joined); err == nil {
			a.Executable = joined
		}
	}
	a.Directory = filepath.Join(a.Root, d.WorkingDirectory)
	arguments := slices.Clone(d.Arguments)
	if d.DefaultWorkerPath != "" {
		refuse("defaultWorkerPath is not known here")
	}
	for i := range arguments {
		arguments[i] = expand(arguments[i], settings, nil)
	}
	// Joined with blanks and never quoted: an argument that holds one falls apart (facts: functions-host 1.1).
	a.Arguments = strings.Fields(strings.Join(arguments, " "))
	var err error
	if a.InitializationTimeout, err = timeSpan(host.CustomHandler.InitializationTimeout, 30*time.Second); err != nil {
		refuse("customHandler.initializationTimeout %q", host.CustomHandler.InitializationTimeout)
	}
	if host.CustomHandler.EnableForwardingHTTPRequest {
		refuse("enableForwardingHttpRequest is not known here")
	}
}

// hubs takes the options of the Event Hubs extension. An option that the host does not know it leaves aside in silence;
// here that is an error, since nobody means it.
func (a *App) hubs(tree map[string]any, e eventHubs, refuse func(string, ...any)) {
	known, err := json.Marshal(e)
	if err != nil {
		refuse("extensions.eventHubs: %v", err)
		return
	}
	var names map[string]any
	_ = json.Unmarshal(known, &names)
	for name := range child(child(tree, "extensions"), "eventHubs") {
		if !hasFold(names, name) {
			refuse("extensions.eventHubs.%s is no option: the host would ignore it", name)
		}
	}
	a.MaxEventBatchSize, a.CheckpointEvery = 100, 1
	if e.MaxEventBatchSize != nil {
		a.MaxEventBatchSize = *e.MaxEventBatchSize
	}
	if e.BatchCheckpointFrequency != nil {
		a.CheckpointEvery = *e.BatchCheckpointFrequency
	}
	if a.MaxEventBatchSize < 1 || a.CheckpointEvery < 1 {
		refuse("extensions.eventHubs: maxEventBatchSize and batchCheckpointFrequency are above 0")
	}
	if e.MinEventBatchSize != nil && *e.MinEventBatchSize > 1 && *e.MinEventBatchSize >= a.MaxEventBatchSize {
		refuse("extensions.eventHubs: minEventBatchSize is not below maxEventBatchSize")
	}
	a.InitialOffset = e.InitialOffsetOptions.Type
	a.InitialAt, _ = time.Parse(time.RFC3339, e.InitialOffsetOptions.EnqueuedTimeUtc)
	switch strings.ToLower(e.InitialOffsetOptions.Type) {
	case "", "fromstart", "fromend":
	case "fromenqueuedtime":
		if e.InitialOffsetOptions.EnqueuedTimeUtc == "" {
			refuse("extensions.eventHubs.initialOffsetOptions: fromEnqueuedTime without enqueuedTimeUtc")
		}
	default:
		refuse("extensions.eventHubs.initialOffsetOptions.type %q", e.InitialOffsetOptions.Type)
	}
}

// override puts the value of a setting into the tree of host.json, whose names it meets in any case.
func override(tree map[string]any, path []string, value string) {
	name := path[0]
	for known := range tree {
		if strings.EqualFold(known, name) {
			name = known
		}
	}
	if len(path) > 1 {
		next, ok := tree[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			tree[name] = next
		}
		override(next, path[1:], value)
		return
	}
	var parsed any = value
	if err := json.Unmarshal([]byte(value), &parsed); err != nil {
		parsed = value
	}
	tree[name] = parsed
}

func child(tree map[string]any, name string) map[string]any {
	for known, value := range tree {
		if strings.EqualFold(known, name) {
			m, _ := value.(map[string]any)
			return m
		}
	}
	return nil
}

func hasFold(names map[string]any, name string) bool {
	for known := range names {
		if strings.EqualFold(known, name) {
			return true
		}
	}
	return false
}

func hasPrefix(settings map[string]string, prefix string) bool {
	for name, value := range settings {
		if strings.HasPrefix(name, prefix) && value != "" {
			return true
		}
	}
	return false
}

var percent = regexp.MustCompile(`%([^%\s]+)%`)

// expand puts settings in for %NAME%. An unset name is left out, or handed to missing where that is not nil.
func expand(text string, settings map[string]string, missing func(name string)) string {
	return percent.ReplaceAllStringFunc(text, func(match string) string {
		name := strings.Trim(match, "%")
		value, ok := settings[name]
		if (!ok || value == "") && missing != nil {
			missing(name)
		}
		return value
	})
}

// timeSpan reads a .NET time span, [d.]hh:mm:ss[.fffffff]; "-1" means no limit, which is 0 here.
func timeSpan(text string, fallback time.Duration) (time.Duration, error) {
	switch text {
	case "":
		return fallback, nil
	case "-1":
		return 0, nil
	}
	days := 0
	rest := text
	if head, tail, ok := strings.Cut(text, "."); ok && strings.Contains(tail, ":") {
		n, err := strconv.Atoi(head)
		if err != nil {
			return 0, fmt.Errorf("time span %q", text)
		}
		days, rest = n, tail
	}
	parts := strings.Split(rest, ":")
	if len(parts) != 3 {
		return 0, fmt.Errorf("time span %q", text)
	}
	d, err := time.ParseDuration(parts[0] + "h" + parts[1] + "m" + parts[2] + "s")
	if err != nil {
		return 0, fmt.Errorf("time span %q: %w", text, err)
	}
	return time.Duration(days)*24*time.Hour + d, nil
}

// definitions lists the folders directly below the root that hold a function.json.
func definitions(root string) ([]string, error) {
	return fs.Glob(os.DirFS(root), "*/function.json")
}
