package fakehost

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

var functionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,127}$`)

func (a *App) readFunctions(settings map[string]string) error {
	files, err := definitions(a.Root)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("no function: the handler would not even be started")
	}
	var errs []error
	for _, file := range files {
		f, err := readFunction(a.Root, file, settings)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		a.Functions[f.Name] = f
	}
	return errors.Join(errs...)
}

// functionFile is a function.json; the retry's intervals depend on its strategy.
type functionFile struct {
	Bindings []Binding
	Retry    *struct {
		Strategy        string
		MaxRetryCount   *int
		DelayInterval   string
		MinimumInterval string
		MaximumInterval string
	}
	Disabled   bool
	ScriptFile string
}

func readFunction(root, file string, settings map[string]string) (*Function, error) {
	name := path.Dir(file)
	if !functionName.MatchString(name) {
		return nil, errors.New("the folder's name is no name for a function")
	}
	entries, err := os.ReadDir(filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	if len(entries) != 1 {
		return nil, errors.New("the folder holds other files: the host would guess a script among them")
	}
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return nil, err
	}
	var decoded functionFile
	if err := json.Unmarshal(text, &decoded); err != nil {
		return nil, err
	}
	f := &Function{Name: name}
	if f.Trigger, err = trigger(decoded.Bindings); err != nil {
		return nil, err
	}
	if err := f.Trigger.resolve(settings); err != nil {
		return nil, err
	}
	f.Retry, err = decoded.retry()
	return f, err
}

// trigger finds the one trigger among bindings whose names differ.
func trigger(bindings []Binding) (Binding, error) {
	var triggers []Binding
	names := map[string]bool{}
	for _, b := range bindings {
		if b.Name == "" || b.Type == "" || names[strings.ToLower(b.Name)] {
			return Binding{}, fmt.Errorf("binding %q of type %q lacks a name or type of its own", b.Name, b.Type)
		}
		names[strings.ToLower(b.Name)] = true
		if strings.HasSuffix(strings.ToLower(b.Type), "trigger") {
			triggers = append(triggers, b)
		}
	}
	if len(triggers) != 1 {
		return Binding{}, fmt.Errorf("%d triggers, where there must be one", len(triggers))
	}
	return triggers[0], nil
}

// resolve checks a trigger and puts the settings in.
func (b *Binding) resolve(settings map[string]string) error {
	var errs []error
	missing := func(name string) {
		errs = append(errs, fmt.Errorf("%%%s%% does not resolve to a value: there is no such setting", name))
	}
	b.EventHubName = expand(b.EventHubName, settings, missing)
	b.ConsumerGroup = expand(b.ConsumerGroup, settings, missing)
	b.Schedule = expand(b.Schedule, settings, missing)
	if b.Direction != "" && b.Direction != "in" {
		errs = append(errs, fmt.Errorf("direction %q of a trigger", b.Direction))
	}
	switch strings.ToLower(b.Type) {
	case "eventhubtrigger":
		errs = append(errs, b.resolveHub(settings))
	case "timertrigger":
		if n := len(strings.Fields(b.Schedule)); n != 6 && n != 5 {
			errs = append(errs, fmt.Errorf("schedule %q has %d fields, not 6", b.Schedule, n))
		}
	default:
		errs = append(errs, fmt.Errorf("trigger %s is not known here", b.Type))
	}
	return errors.Join(errs...)
}

func (b *Binding) resolveHub(settings map[string]string) error {
	var errs []error
	if settings[b.Connection] == "" && settings[b.Connection+"__fullyQualifiedNamespace"] == "" {
		errs = append(errs, fmt.Errorf("connection %q names no setting", b.Connection))
	}
	if b.EventHubName == "" && !strings.Contains(settings[b.Connection], "EntityPath=") {
		errs = append(errs, errors.New("no eventHubName"))
	}
	if b.ConsumerGroup == "" {
		b.ConsumerGroup = "$Default"
	}
	if b.Cardinality == "" {
		b.Cardinality = "one"
	}
	if encodingOf(*b) == "" {
		errs = append(errs, fmt.Errorf("cardinality %q with dataType %q", b.Cardinality, b.DataType))
	}
	return errors.Join(errs...)
}

// retry checks a retry policy as the host does (facts: functions-host 4.2).
func (f *functionFile) retry() (*Retry, error) {
	if f.Retry == nil {
		return nil, nil
	}
	if f.Retry.MaxRetryCount == nil {
		return nil, errors.New("retry without maxRetryCount")
	}
	r := &Retry{Strategy: f.Retry.Strategy, Max: *f.Retry.MaxRetryCount}
	low, high := f.Retry.DelayInterval, f.Retry.DelayInterval
	switch r.Strategy {
	case "fixedDelay":
	case "exponentialBackoff":
		low, high = f.Retry.MinimumInterval, f.Retry.MaximumInterval
	default:
		return nil, fmt.Errorf("retry strategy %q", r.Strategy)
	}
	if low == "" || high == "" {
		return nil, fmt.Errorf("retry strategy %s without its intervals", r.Strategy)
	}
	var err error
	if r.Min, err = timeSpan(low, 0); err != nil {
		return nil, err
	}
	if r.Most, err = timeSpan(high, 0); err != nil {
		return nil, err
	}
	if r.Most < r.Min {
		return nil, errors.New("retry: the smallest interval is the larger one")
	}
	return r, nil
}
