package metric_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

var updateGolden = flag.Bool("update", false, "rewrite the golden files; a person must then read the difference")

// decoded is how the golden files and the tests write a sample.
type decoded struct {
	Element    int                `json:"element"`
	Resource   string             `json:"resource"`
	Metric     string             `json:"metric"`
	Dimensions string             `json:"dimensions,omitempty"`
	At         time.Time          `json:"at"`
	Grain      string             `json:"grain"`
	Unit       string             `json:"unit,omitempty"`
	Stats      map[string]float64 `json:"stats"`
	// Running is since when the statistics run, "?" where that was not told.
	Running string `json:"running,omitempty"`
}

func readable(s scale.Sample) decoded {
	stats := map[string]float64{}
	for _, f := range []struct {
		has   scale.Has
		name  string
		value float64
	}{
		{scale.HasAverage, "average", s.Average},
		{scale.HasMinimum, "minimum", s.Minimum},
		{scale.HasMaximum, "maximum", s.Maximum},
		{scale.HasTotal, "total", s.Total},
		{scale.HasCount, "count", s.Count},
	} {
		if s.Has&f.has != 0 {
			stats[f.name] = f.value
		}
	}
	running := ""
	if s.Running != nil {
		if running = "?"; !s.Running.Since.IsZero() {
			running = s.Running.Since.Format(time.RFC3339)
		}
	}
	return decoded{
		Element: s.Source.Element, Resource: s.Resource, Metric: s.Metric, Dimensions: s.Dimensions,
		At: s.At, Grain: s.Grain.String(), Unit: s.Unit, Stats: stats, Running: running,
	}
}

// told is how the golden files and the tests write a notice.
type told struct {
	Element  int              `json:"element"`
	Notice   scale.NoticeKind `json:"notice"`
	Resource string           `json:"resource"`
	At       time.Time        `json:"at"`
	ID       string           `json:"id,omitempty"`
	Machines []string         `json:"machines,omitempty"`
	State    string           `json:"state,omitempty"`
	Over     bool             `json:"over,omitempty"`
	By       string           `json:"by,omitempty"`
	From     *int             `json:"from,omitempty"`
	To       *int             `json:"to,omitempty"`
}

func noticed(n scale.Notice) told {
	return told{n.Source.Element, n.Kind, n.Resource, n.At, n.ID, n.Machines, n.State, n.Over, n.By, n.From, n.To}
}

// TestRealBodies decodes bodies that were captured or documented by others (testdata/events/NOTICE).
func TestRealBodies(t *testing.T) { golden(t, "testdata/events", 18) }

// TestBodiesOfEveryFormat decodes bodies of ours, of the formats of which there is none of others that would make samples.
func TestBodiesOfEveryFormat(t *testing.T) { golden(t, "testdata/formats", 9) }

// golden holds what comes of each of the bodies in a folder to the file beside it.
func golden(t *testing.T, folder string, bodies int) {
	t.Helper()
	files, err := filepath.Glob(folder + "/*.json")
	if err != nil || len(files) != bodies {
		t.Fatalf("%d bodies, %v", len(files), err)
	}
	d := metric.NewDecoder()
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			samples, rejected := d.Decode(body, scale.Source{})
			var got bytes.Buffer
			lines := json.NewEncoder(&got)
			lines.SetEscapeHTML(false)
			for _, s := range samples {
				if err := lines.Encode(readable(s)); err != nil {
					t.Fatal(err)
				}
			}
			for _, n := range d.Notices() {
				if err := lines.Encode(noticed(n)); err != nil {
					t.Fatal(err)
				}
			}
			for _, r := range rejected {
				if err := lines.Encode(r); err != nil {
					t.Fatal(err)
				}
			}
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if *updateGolden {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
