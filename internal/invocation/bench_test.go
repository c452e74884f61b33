package invocation_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"trimtab/internal/invocation"
	"trimtab/internal/metric"
)

const (
	benchEvents  = 64
	benchRecords = 10
)

// benchBatch is a batch as an Event Hub with diagnostic settings on it would bring it: each event tells ten metrics of
// one scale set, 640 records in all.
func benchBatch() [][]byte {
	names := [benchRecords]string{
		"Percentage CPU", "Available Memory Bytes", "Network In Total", "Network Out Total", "Disk Read Bytes",
		"Disk Write Bytes", "OS Disk Queue Depth", "Data Disk Queue Depth", "Inbound Flows", "Outbound Flows",
	}
	bodies := make([][]byte, benchEvents)
	for e := range bodies {
		var b strings.Builder
		b.WriteString(`{"records":[`)
		for r, name := range names {
			if r > 0 {
				b.WriteByte(',')
			}
			average := 10 + float64((e*benchRecords+r)*7919%8000)/113
			fmt.Fprintf(&b, `{"count":4,"total":%.6g,"minimum":%.6g,"maximum":%.6g,"average":%.6g,"resourceId":"/SUBSCRIPTIONS/0B1F6471-1BF0-4DDA-AEC3-111122223333/RESOURCEGROUPS/RG-WEB-%02d/PROVIDERS/MICROSOFT.COMPUTE/VIRTUALMACHINESCALESETS/WEB-VMSS-%02d","time":"2026-05-04T09:%02d:00.0000000Z","metricName":"%s","timeGrain":"PT1M"}`,
				4*average, average*0.8, average*1.2, average, e%8, e%8, e%60, name)
		}
		b.WriteString(`]}`)
		bodies[e] = []byte(b.String())
	}
	return bodies
}

// request wraps bodies as the host does: with dataType binary as base64, otherwise as strings.
func request(bodies [][]byte, binary bool) []byte {
	var events, sequences, times, offsets, properties any
	texts := make([]string, len(bodies))
	numbers := make([]int, len(bodies))
	enqueued := make([]string, len(bodies))
	positions := make([]string, len(bodies))
	bags := make([]map[string]any, len(bodies))
	for i, b := range bodies {
		texts[i] = string(b)
		numbers[i] = 41 + i
		enqueued[i] = fmt.Sprintf("2026-01-05T10:00:%02d.123", i%60)
		positions[i] = fmt.Sprint(8589934592 + 100*i)
		bags[i] = map[string]any{"SequenceNumber": numbers[i], "EnqueuedTimeUtc": enqueued[i], "OffsetString": positions[i]}
	}
	events = texts
	if binary {
		events = bodies
	}
	sequences, times, offsets, properties = numbers, enqueued, positions, bags
	context := map[string]any{
		"IsCheckpointingAfterInvocation": true, "FullyQualifiedNamespace": "ns1.servicebus.windows.net",
		"EventHubName": "metrics", "ConsumerGroup": "$Default", "PartitionId": "3",
	}
	return marshal(map[string]any{
		"Data": map[string]any{"events": string(marshal(events))},
		"Metadata": map[string]any{
			"TriggerPartitionContext": context, "PartitionContext": context,
			"SequenceNumberArray":   string(marshal(sequences)),
			"EnqueuedTimeUtcArray":  string(marshal(times)),
			"OffsetStringArray":     string(marshal(offsets)),
			"SystemPropertiesArray": string(marshal(properties)),
			"sys":                   map[string]any{"MethodName": "function", "UtcNow": "2026-01-05T10:00:02.364163Z"},
		},
	})
}

// marshal writes JSON as Json.NET does, without escapes for HTML.
func marshal(v any) []byte {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return []byte(strings.TrimSpace(b.String()))
}

// plainRequest and plainRecord are the obvious way to read the same bytes.
type plainRequest struct {
	Data     struct{ Events string }
	Metadata struct {
		PartitionContext struct {
			FullyQualifiedNamespace, EventHubName, ConsumerGroup, PartitionId string
		}
		SequenceNumberArray, EnqueuedTimeUtcArray, OffsetStringArray string
	}
}

type plainRecord struct {
	Count, Total, Minimum, Maximum, Average float64
	ResourceID                              string `json:"resourceId"`
	Time                                    string `json:"time"`
	MetricName                              string `json:"metricName"`
	TimeGrain                               string `json:"timeGrain"`
}

func plainly(body []byte, binary bool) (records int, err error) {
	var req plainRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return 0, err
	}
	var sequences []int64
	if err := json.Unmarshal([]byte(req.Metadata.SequenceNumberArray), &sequences); err != nil {
		return 0, err
	}
	var bodies [][]byte
	if binary {
		if err := json.Unmarshal([]byte(req.Data.Events), &bodies); err != nil {
			return 0, err
		}
	} else {
		var texts []string
		if err := json.Unmarshal([]byte(req.Data.Events), &texts); err != nil {
			return 0, err
		}
		for _, t := range texts {
			bodies = append(bodies, []byte(t))
		}
	}
	for _, b := range bodies {
		var e struct{ Records []plainRecord }
		if err := json.Unmarshal(b, &e); err != nil {
			return 0, err
		}
		records += len(e.Records)
	}
	return records, nil
}

// BenchmarkIngest turns the bytes of one invocation into samples: the time of trimtab over that of encoding is the
// figure ingest_vs_encoding_json.
func BenchmarkIngest(b *testing.B) {
	for _, envelope := range []struct {
		name   string
		binary bool
	}{{"binary", true}, {"string", false}} {
		body := request(benchBatch(), envelope.binary)
		b.Run("envelope="+envelope.name+"/by=trimtab", func(b *testing.B) {
			var p invocation.Parser
			d := metric.NewDecoder()
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				inv, err := p.Events(body, "events")
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for i := range inv.Events {
					samples, _ := d.Decode(inv.Events[i].Body, inv.Events[i].Source)
					n += len(samples)
				}
				if n != benchEvents*benchRecords {
					b.Fatalf("%d samples", n)
				}
			}
		})
		b.Run("envelope="+envelope.name+"/by=encoding", func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				n, err := plainly(body, envelope.binary)
				if err != nil || n != benchEvents*benchRecords {
					b.Fatalf("%d records, %v", n, err)
				}
			}
		})
	}
}
