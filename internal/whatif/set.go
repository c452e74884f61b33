package whatif

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"trimtab/internal/scale"
)

// Read reads a view: alone, or within an entry as the journal has it and explain prints it.
func Read(text []byte) (*scale.View, error) {
	var frame struct {
		View json.RawMessage `json:"view"`
	}
	if err := json.Unmarshal(text, &frame); err != nil {
		return nil, fmt.Errorf("read a view: not a JSON object: %w", err)
	}
	if frame.View != nil {
		text = frame.View
	}
	return decode(text)
}

func decode(text []byte) (*scale.View, error) {
	var v scale.View
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("read a view: %w", err)
	}
	switch {
	case v.Pool == "" || v.Policy == "":
		return nil, errors.New("read a view: it names no pool and no policy: what trimtab explain --json prints is right")
	case v.Version != scale.ViewVersion:
		return nil, fmt.Errorf("read a view: it has version %d, not %d", v.Version, scale.ViewVersion)
	case v.Now.IsZero():
		return nil, errors.New("read a view: it has no now")
	}
	return &v, nil
}

// Set changes one thing of a view: a field by its JSON path (rails.limits.max=40, settings.cpu_percent=70, now=…), a
// signal's number in its unit without _milli (signals.cpu.average=71.5), a signal's value and all that goes with it
// (signals.cpu.value=71.5, which also makes a missing signal fresh), or the count (capacity=12).
func Set(v *scale.View, path, value string) (*scale.View, error) {
	parts := strings.Split(path, ".")
	if len(parts) == 3 && parts[0] == "signals" && parts[2] == "value" {
		s, ok := v.Signals[parts[1]]
		m, err := milli(value)
		switch {
		case !ok:
			return nil, fmt.Errorf("set %s: no signal %q; the view has %s", path, parts[1], keys(v.Signals))
		case err != nil:
			return nil, fmt.Errorf("set %s: %w", path, err)
		}
		return With(v, parts[1], WithValue(s, m, v.Facts.Capacity)), nil
	}
	if path == "capacity" {
		w, err := Set(v, "facts.capacity", value)
		if err != nil {
			return nil, err
		}
		// What was intended is what there is: the new count is nobody's interference.
		w.Memory.Intended = &scale.Capacity{Instances: w.Facts.Capacity, Mix: w.Facts.Mix}
		w.Memory.Capacities, w.Facts.Live = nil, nil
		return w, nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var document map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&document); err != nil {
		return nil, err
	}
	if err := put(document, parts, value); err != nil {
		return nil, fmt.Errorf("set %s: %w", path, err)
	}
	if text, err = json.Marshal(document); err != nil {
		return nil, err
	}
	w, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("set %s=%s: %w", path, value, err)
	}
	return w, nil
}

// put writes a value at a path. What the view leaves out because it is empty may be given a value; whether there is such
// a field at all is found when the view is read again.
func put(at map[string]any, parts []string, value string) error {
	for i, name := range parts[:len(parts)-1] {
		next, ok := at[name].(map[string]any)
		if !ok {
			if at[name] != nil || i == 0 && !slices.Contains([]string{"labels", "schedules", "settings", "signals"}, name) {
				return fmt.Errorf("%q is no object with fields; there is %s", name, keys(at))
			}
			next = map[string]any{}
			at[name] = next
		}
		at = next
	}
	name := parts[len(parts)-1]
	if _, is := at[name]; !is {
		if _, is := at[name+"_milli"]; is {
			m, err := milli(value)
			if err != nil {
				return err
			}
			at[name+"_milli"] = m
			return nil
		}
	}
	var parsed any
	dec := json.NewDecoder(strings.NewReader(value))
	dec.UseNumber()
	if err := dec.Decode(&parsed); err != nil || dec.More() {
		parsed = value
	}
	if _, text := at[name].(string); text {
		parsed = value
	}
	at[name] = parsed
	return nil
}

// milli reads a decimal number as thousandths.
func milli(text string) (scale.Milli, error) {
	r, ok := new(big.Rat).SetString(strings.TrimSpace(text))
	if !ok {
		return 0, fmt.Errorf("%q is no number", text)
	}
	f, _ := r.Float64()
	m, ok := scale.ToMilli(f)
	if !ok {
		return 0, fmt.Errorf("%s is more than a signal may be", text)
	}
	return m, nil
}

func keys[V any](of map[string]V) string {
	if len(of) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(of)), ", ")
}
