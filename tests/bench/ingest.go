package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"trimtab/internal/invocation"
	"trimtab/internal/ledger"
	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

const resource = "/SUBSCRIPTIONS/0B1F6471-1BF0-4DDA-AEC3-111122223333/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.COMPUTE/VIRTUALMACHINESCALESETS/WEB"

var names = []string{
	"Percentage CPU", "Network In Total", "Network Out Total", "Disk Read Bytes", "Disk Write Bytes", "Available Memory Bytes",
	"Inbound Flows", "Outbound Flows", "OS Disk Queue Depth", "Data Disk Queue Depth",
}

// post is an invocation as the host posts it: 64 events of ten platform metric records each, a minute apart.
func post(sequence int64) ([]byte, error) {
	var bodies []string
	var sequences []int64
	start := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for i := range 64 {
		var records []map[string]any
		for j, name := range names {
			v := 10.5 + float64(i*7+j)
			records = append(records, map[string]any{
				"count": 4, "total": 4 * v, "minimum": v - 1, "maximum": v + 1, "average": v, "resourceId": resource,
				"time":       start.Add(time.Duration(i) * time.Minute).Format("2006-01-02T15:04:05.0000000Z"),
				"metricName": name, "timeGrain": "PT1M",
			})
		}
		body, err := json.Marshal(map[string]any{"records": records})
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, base64.StdEncoding.EncodeToString(body))
		sequences = append(sequences, sequence+int64(i))
	}
	list, err := json.Marshal(bodies)
	if err != nil {
		return nil, err
	}
	numbers, err := json.Marshal(sequences)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"Data": map[string]any{"events": string(list)},
		"Metadata": map[string]any{
			"PartitionContext": map[string]any{
				"FullyQualifiedNamespace": "ns.servicebus.windows.net", "EventHubName": "metrics", "ConsumerGroup": "$Default", "PartitionId": "0",
			},
			"SequenceNumberArray": string(numbers),
		},
	})
}

// plain is the same bytes by encoding/json into plain structs.
func plain(body []byte) (records int, err error) {
	var envelope struct {
		Data     map[string]string
		Metadata struct{ SequenceNumberArray string }
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return 0, err
	}
	var events [][]byte
	if err := json.Unmarshal([]byte(envelope.Data["events"]), &events); err != nil {
		return 0, err
	}
	var sequences []int64
	if err := json.Unmarshal([]byte(envelope.Metadata.SequenceNumberArray), &sequences); err != nil {
		return 0, err
	}
	for _, event := range events {
		var doc struct {
			Records []struct {
				Count, Total, Minimum, Maximum, Average float64
				ResourceID                              string
				Time                                    time.Time
				MetricName, TimeGrain                   string
			}
		}
		if err := json.Unmarshal(event, &doc); err != nil {
			return 0, err
		}
		records += len(doc.Records)
	}
	return records, nil
}

var errShort = errors.New("not every record was read")

// ingest measures the way from invocation bytes to samples, and on to windows on the memory ledger.
func (s *suite) ingest(ctx context.Context) error {
	body, err := post(1)
	if err != nil {
		return err
	}
	base := func() error {
		if n, err := plain(body); err != nil || n != 640 {
			return errors.Join(errShort, err)
		}
		return nil
	}
	var parser invocation.Parser
	decoder := metric.NewDecoder()
	read := func() error {
		in, err := parser.Events(body, "events")
		if err != nil {
			return err
		}
		n := 0
		for _, e := range in.Events {
			samples, _ := decoder.Decode(e.Body, e.Source)
			n += len(samples)
		}
		if n != 640 {
			return errShort
		}
		return nil
	}
	r, err := s.ratio(read, base)
	if err != nil {
		return err
	}
	s.add("ingest_vs_encoding_json", r, "ratio")

	windows := &windowing{ctx: ctx, parser: &parser, decoder: decoder, ledger: ledger.NewMemory(), signals: tenSignals()}
	// Each call brings the same points under new sequence numbers, so that all of them are folded.
	bodies := make([][]byte, 64)
	for i := range bodies {
		if bodies[i], err = post(int64(1 + 64*i)); err != nil {
			return err
		}
	}
	n := 0
	r, err = s.ratio(func() error { n++; return windows.store(bodies[n%len(bodies)]) }, base)
	s.add("window_vs_encoding_json", r, "ratio")
	return err
}

func tenSignals() (all []scale.Signal) {
	for i, name := range names {
		all = append(all, scale.Signal{
			Name: fmt.Sprintf("s%d", i), Resource: lower(resource), Metric: lower(name), Aggregation: scale.Average,
			Window: 30 * time.Minute, Bucket: time.Minute, StaleAfter: 15 * time.Minute, MinCoverage: 50,
		})
	}
	return all
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// windowing is the first half of the corridor: read, fold, store.
type windowing struct {
	ctx     context.Context
	parser  *invocation.Parser
	decoder *metric.Decoder
	ledger  *ledger.Memory
	signals []scale.Signal
	commits int
}

func (w *windowing) store(body []byte) error {
	in, err := w.parser.Events(body, "events")
	if err != nil {
		return err
	}
	stored, err := w.ledger.Load(w.ctx, "web")
	if err != nil {
		return err
	}
	kept := scale.StoredWindow{Source: "ns/metrics/0"}
	if len(stored.Windows) > 0 {
		kept = stored.Windows[0]
	}
	window, err := metric.ParseWindow(kept.Data)
	if err != nil {
		return err
	}
	var routed []metric.Routed
	for _, e := range in.Events {
		samples, _ := w.decoder.Decode(e.Body, e.Source)
		own := append([]scale.Sample(nil), samples...)
		for i := range own {
			for n := range w.signals {
				if metric.Listens(&w.signals[n], &own[i]) {
					routed = append(routed, metric.Routed{Signal: n, Sample: &own[i]})
				}
			}
		}
	}
	if len(routed) != 640 {
		return errShort
	}
	window.Fold(w.signals, routed, time.Date(2026, 5, 4, 10, 5, 0, 0, time.UTC))
	kept.Data = window.AppendTo(nil)
	w.commits++
	return w.ledger.Commit(w.ctx, "web", scale.Commit{Attempt: fmt.Sprint(w.commits), Windows: []scale.StoredWindow{kept}})
}
