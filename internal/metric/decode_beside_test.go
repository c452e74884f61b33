package metric_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// attributes are those of event, under a prefix.
func attributes(prefix string, value func(string) any) map[string]any {
	m := map[string]any{}
	for name, text := range map[string]string{
		"specversion": "1.0", "id": "5b3e-0001", "source": "/fleets/web", "type": "com.example.fleet.metric", "subject": "web-vmss",
		"time": "2026-05-04T09:03:10.25Z",
	} {
		m[prefix+name] = value(text)
	}
	return m
}

func plain(text string) any { return text }

func asBytes(text string) any { return []byte(text) }

// asHost is how the host writes bytes.
func asHost(text string) any { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestBinaryCloudEvents(t *testing.T) {
	timed := attributes("cloudEvents:", plain)
	timed["cloudEvents:time"] = at("2026-05-04T09:03:10.25Z")
	old := attributes("cloudEvents_", plain)
	old["cloudEvents_specversion"] = "0.3"
	health := attributes("cloudEvents_", plain)
	health["cloudEvents_type"] = "Microsoft.ResourceNotifications.HealthResources.ResourceAnnotated"
	json := map[string]any{"content-type": "application/json"}
	cases := []struct {
		name                string
		application, system map[string]any
		body                string
		want                []decoded
		reason              string
	}{
		{"the prefix with a colon", attributes("cloudEvents:", plain), json, simple, []decoded{queue(0)}, ""},
		{"the prefix with an underscore", attributes("cloudEvents_", plain), json, simple, []decoded{queue(0)}, ""},
		{"Kafka's headers, which are bytes", attributes("ce_", asBytes), nil, simple, []decoded{queue(0)}, ""},
		{"Kafka's headers as the host writes bytes", attributes("ce_", asHost), nil, simple, []decoded{queue(0)}, ""},
		{"a time of its own type", timed, json, simple, []decoded{queue(0)}, ""},
		{"a platform metric", attributes("cloudEvents_", plain), json, platform(), []decoded{cpu(0)}, ""},
		{"several readings", attributes("cloudEvents_", plain), json, `[` + simple + `,` + simple + `]`, []decoded{queue(0), queue(1)}, ""},
		{"an event in structured mode with attributes besides", attributes("cloudEvents_", plain), map[string]any{"content-type": "Application/CloudEvents+json; charset=utf-8"}, event(simple), []decoded{queue(0)}, ""},
		{"the same where nobody told the content-type", attributes("cloudEvents_", plain), nil, event(simple), []decoded{queue(0)}, ""},
		{"another version", old, json, simple, nil, metric.ReasonUnsupportedVersion},
		{"an event that is no metric", health, json, `{"resourceInfo":{}}`, nil, metric.ReasonRecognisedHealth},
		{"no attributes", map[string]any{"source": "x"}, json, simple, nil, metric.ReasonMissingField},
		{"no properties", nil, nil, simple, nil, metric.ReasonMissingField},
		{"no body", attributes("cloudEvents_", plain), json, "", nil, metric.ReasonEmptyBody},
	}
	d := metric.NewDecoder()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			samples, rejected := d.DecodeWith([]byte(c.body), metric.PropertiesOf(c.application, c.system), scale.Source{})
			var got []decoded
			for _, s := range samples {
				got = append(got, readable(s))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			reason := ""
			if len(rejected) > 0 {
				reason = rejected[0].Reason
			}
			if reason != c.reason || len(rejected) > 1 {
				t.Errorf("got %+v, want %q", rejected, c.reason)
			}
		})
	}
	if samples, _ := d.Decode([]byte(simple), scale.Source{}); len(samples) != 0 {
		t.Error("the envelope of one event serves the next")
	}
}

func TestPropertiesOf(t *testing.T) {
	text := "gzip"
	got := metric.PropertiesOf(
		map[string]any{
			"a": "x", "b": []byte("bytes"), "c": time.Date(2026, 5, 4, 11, 3, 10, 250_000_000, time.FixedZone("", 7200)), "d": int64(5),
			"e": true, "f": func() {}, "g": nil,
		}, map[string]any{"content-encoding": &text, "content-type": (*string)(nil)})
	if want := `{"a":"x","b":"bytes","c":"2026-05-04T09:03:10.25Z","d":5,"e":true,"g":null}`; string(got.Application) != want {
		t.Errorf("got %s", got.Application)
	}
	if want := `{"content-encoding":"gzip"}`; string(got.System) != want {
		t.Errorf("got %s", got.System)
	}
	if none := metric.PropertiesOf(nil, map[string]any{"x": 1.5}); none.Application != nil || none.System != nil {
		t.Errorf("got %+v", none)
	}
}

func TestPropertiesThatAreNoObjectSayNothing(t *testing.T) {
	for _, text := range []string{`null`, `5`, `[]`, `{`, `{"cloudEvents:specversion":`, `{"cloudEvents:specversion":5}x`, ``} {
		samples, rejected := metric.NewDecoder().DecodeWith([]byte(own()), metric.Properties{Application: []byte(text), System: []byte(text)}, scale.Source{})
		if len(samples) != 1 || len(rejected) != 0 {
			t.Errorf("%s: %+v", text, rejected)
		}
	}
}

func TestContentEncodingThatIsNotUndone(t *testing.T) {
	for _, value := range []any{"deflate", "BR", []byte("snappy"), asHost("lz4")} {
		p := metric.PropertiesOf(map[string]any{"Content-Encoding": value}, nil)
		_, rejected := metric.NewDecoder().DecodeWith([]byte("\x0b\x02\x80not json"), p, scale.Source{})
		if len(rejected) != 1 || rejected[0].Reason != metric.ReasonCompressed {
			t.Errorf("%v: %+v", value, rejected)
		}
		if samples, rejected := metric.NewDecoder().DecodeWith([]byte(own()), p, scale.Source{}); len(samples) != 1 {
			t.Errorf("%v, and the body is plain all the same: %+v", value, rejected)
		}
	}
	_, rejected := metric.NewDecoder().DecodeWith([]byte("{"), metric.Properties{System: []byte(`{"ContentEncoding":"identity"}`)}, scale.Source{})
	if len(rejected) != 1 || rejected[0].Reason != metric.ReasonBadJSON {
		t.Errorf("%+v", rejected)
	}
}
