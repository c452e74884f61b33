package metric_test

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

func TestNoBytesAreAnEmptyWindow(t *testing.T) {
	for _, data := range [][]byte{nil, {}} {
		w, err := metric.ParseWindow(data)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, set := w.Watermark(); set {
			t.Error("it has a watermark")
		}
		again, err := metric.ParseWindow(w.AppendTo(nil))
		if err != nil || again.Relived() != 0 {
			t.Errorf("encoded and read again: %v", err)
		}
	}
}

func TestAppendToAppends(t *testing.T) {
	w := windowOf([]scale.Signal{windowSignal("cpu", scale.Average)}, windowSample(-1, 1, 50))
	data := w.AppendTo([]byte("before"))
	if rest, ok := strings.CutPrefix(string(data), "before"); !ok || rest != string(w.AppendTo(nil)) {
		t.Errorf("got %q", data)
	}
}

func TestValuesAreStoredExactly(t *testing.T) {
	signals := []scale.Signal{windowSignal("cpu", scale.Average)}
	for _, v := range []float64{
		0, 1, -1, 72.35, 0.1085, 1.0 / 3, 1e-300, -1e-7, 1835008, 1 << 53, 1<<53 + 2, -(1 << 60), 9.007e15, 1e24, math.MaxInt64,
		math.SmallestNonzeroFloat64,
	} {
		w := windowOf(signals, windowStats(-1, 1, scale.Stats{Has: windowAll, Average: v, Minimum: v, Maximum: v, Total: v, Count: 3}))
		stored, err := metric.ParseWindow(w.AppendTo(nil))
		if err != nil {
			t.Fatal(err)
		}
		// The same value again is a repeat only if what was stored is exactly what came.
		again := windowStats(-1, 2, scale.Stats{Has: windowAll, Average: v, Minimum: v, Maximum: v, Total: v, Count: 3})
		if n, _ := stored.Fold(signals, windowRoute(again), windowNow); n.Repeated != 1 {
			t.Errorf("%v: %+v", v, n)
		}
	}
}

func TestDamageIsAnErrorThatSaysWhere(t *testing.T) {
	signals := []scale.Signal{windowSignal("cpu", scale.Average)}
	good := windowOf(signals, windowSample(-2, 1, 50.123), windowSample(-1, 2, 60)).AppendTo(nil)
	for i := range good {
		for _, flip := range []byte{1, 0x80, 0xff} {
			bad := slices.Clone(good)
			bad[i] ^= flip
			if _, err := metric.ParseWindow(bad); err == nil {
				t.Errorf("byte %d changed by %x: no error", i, flip)
			}
		}
		if _, err := metric.ParseWindow(good[:i]); err == nil && i > 0 {
			t.Errorf("cut off at %d: no error", i)
		}
	}
	newer := slices.Clone(good)
	newer[0] = 9
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"a newer version":         {newer, "window: version 9 is not known, this program reads versions 1 to 2"},
		"a changed byte":          {append(slices.Clone(good[:len(good)-5]), 0, 0, 0, 0, 0), "window: damaged: checksum"},
		"a rest of a window":      {good[:3], "window: cut off after 3 bytes"},
		"something after the end": {windowSealed(append(good[:len(good)-4:len(good)-4], 0)), "bytes after the end"},
		"too many points": {
			windowSealed([]byte{1, 0, 0, 0, 0, 0, 2, 0, 0xff, 0xff, 0xff, 0x7f, 0}), "more things announced than there are bytes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := metric.ParseWindow(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// windowSealed appends the checksum that makes the bytes look whole.
func windowSealed(body []byte) []byte {
	return binary.LittleEndian.AppendUint32(slices.Clone(body), crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func FuzzParseWindow(f *testing.F) {
	for seed := range uint64(3) {
		w := windowWorldOf(seed, 20, 1, true)
		data := w.atRandom(&testing.T{}).AppendTo(nil)
		f.Add(data[:len(data)-4])
		w = windowWorldOf(seed, 300, 200, false)
		data = w.atRandom(&testing.T{}).AppendTo(nil)
		f.Add(data[:len(data)-4])
	}
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	signals := windowWorldOf(0, 0, 1, false).signals
	f.Fuzz(func(t *testing.T, body []byte) {
		w, err := metric.ParseWindow(windowSealed(body))
		if err != nil {
			return
		}
		first := w.AppendTo(nil)
		again, err := metric.ParseWindow(first)
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if !slices.Equal(first, again.AppendTo(nil)) {
			t.Error("read again, other bytes")
		}
		metric.View(signals, []*metric.Window{w, again}, windowNow, func(time.Time) (int, bool) { return 3, true })
		samples := []*scale.Sample{windowSample(-1, math.MaxInt64, 50), windowSample(-2, math.MaxInt64, 1)}
		n, _ := w.Fold(signals, windowRoute(samples...), windowNow)
		if n.Folded+n.Repeated+n.Late+n.Future+n.Absent != 2 {
			t.Errorf("counts: %+v", n)
		}
		metric.View(signals, []*metric.Window{w, again}, windowNow, nil)
	})
}

// windowFirstVersion is a window of two samples as version 1 wrote it.
const windowFirstVersion = "AQEWsJv9o75nAAAgAQIDY3B1A6/Q2GY4ljTugPDCxsi+qAaAnJw5AgCfgNSmjci+qAaMkCifrrVeU4+5BwEAiAOYA8AMIL+AnJw5kLkHAgCoBLgEwBEgtt/6BA=="

func TestWindowsOfTheFirstVersionAreRead(t *testing.T) {
	signals := []scale.Signal{windowSignal("cpu", scale.Average)}
	data, err := base64.StdEncoding.DecodeString(windowFirstVersion)
	if err != nil {
		t.Fatal(err)
	}
	old, err := metric.ParseWindow(data)
	if err != nil {
		t.Fatal(err)
	}
	now := &metric.Window{}
	now.Fold(signals, windowRoute(windowSample(-3, 10, 50), windowSample(-2, 11, 70)), windowNow)
	if diff := cmp.Diff(windowAverages(t, now, signals), windowAverages(t, old, signals)); diff != "" {
		t.Error(diff)
	}
	if n, _ := old.Fold(signals, windowRoute(windowSample(-3, 10, 50), windowSample(-1, 12, 90)), windowNow); n != (metric.Counts{Folded: 1, Repeated: 1}) {
		t.Errorf("got %+v", n)
	}
}
