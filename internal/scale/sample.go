package scale

import (
	"slices"
	"time"
)

// Has says which statistics a sample carries. Absence is not zero.
type Has uint8

// The statistics of a sample.
const (
	HasAverage Has = 1 << iota
	HasMinimum
	HasMaximum
	HasTotal
	HasCount
)

// Stats are the statistics of one sample or of several together; a field counts only if Has says so.
type Stats struct {
	Has                              Has
	Average, Minimum, Maximum, Total float64
	Count                            float64
}

// Source is where a sample came from: the identity of an event is (hub, partition, sequence number), stable across
// redelivery (facts: functions-host 2.4).
type Source struct {
	// Hub is the namespace and name of the Event Hub, "namespace/hub", lower-cased.
	Hub       string `json:"hub"`
	Partition string `json:"partition"`
	// Sequence is the event's sequence number within its partition; Known is false where the invocation carried none.
	Sequence int64 `json:"sequence"`
	Known    bool  `json:"known"`
	// EnqueuedAt is the broker's time of arrival; never used as the time of a sample.
	EnqueuedAt time.Time `json:"enqueued_at"`
	// Element is the index of the sample within the event's body.
	Element int `json:"element"`
}

// Sample is one measured point of a series.
type Sample struct {
	// Resource is the ARM resource ID, lower-cased and without a trailing slash; Metric is lower-cased.
	Resource string
	Metric   string
	// Dimensions is the canonical form of the dimensions: key=value pairs, keys lower-cased and sorted, joined by
	// commas; empty for an undimensioned series.
	Dimensions string
	// At is the start of the span that the sample covers, Grain its length (0 for a point in time).
	At    time.Time
	Grain time.Duration
	Unit  string
	Stats
	Format Format
	// Running is set where total and count are sums since some beginning, nil where they are of the span. Such a sample is
	// a reading at an instant, and says something only beside an earlier one.
	Running *Running
	Source  Source
}

// Running says since when sums run.
type Running struct {
	// Since is the beginning, zero where it was not told.
	Since time.Time
}

// Format is what a sample was written in, as far as that tells how late and how often such samples come. The numbers are
// stored.
type Format uint8

// The formats (facts: events 4).
const (
	FormatUnknown Format = iota
	// FormatDiagnostics: platform metrics by diagnostic settings.
	FormatDiagnostics
	// FormatRule: platform metrics by data collection rules.
	FormatRule
	// FormatAgent: what agents, collectors and senders of one's own write.
	FormatAgent
	// FormatAlert: an edge of an alert.
	FormatAlert
	// FormatTable: rows of Application Insights' tables.
	FormatTable
	// Formats is how many there are.
	Formats
)

// formats are the names of the formats, as entries and pages write them.
var formats = [Formats]string{"unknown", "diagnostic setting", "data collection rule", "agent", "alert", "table row"}

// String names the format.
func (f Format) String() string { return formats[min(f, Formats-1)] }

// MarshalText writes the name.
func (f Format) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads a name; one of another program's is unknown.
func (f *Format) UnmarshalText(text []byte) error {
	*f = Format(max(0, slices.Index(formats[:], string(text))))
	return nil
}

// Rejection says why an element of an event's body could not be understood.
type Rejection struct {
	Element int    `json:"element"`
	Reason  string `json:"reason"`
	Detail  string `json:"detail"`
}

// DeadLetter is an event that could not be understood, wholly or in part, kept with its reasons.
type DeadLetter struct {
	Source     Source
	ReceivedAt time.Time
	Rejections []Rejection
	Body       []byte
	// Application and System are the properties that stood beside the body, as JSON objects; nil if there were none. What
	// is long is left out of them.
	Application, System []byte
}

// StoredWindow is the window of one pool for one source partition, as the ledger keeps it: the metric room alone knows
// what Data means. Version is the ledger's token for compare-and-set, empty for a window that is not stored yet.
type StoredWindow struct {
	// Source is "namespace/hub/partition".
	Source  string
	Data    []byte
	Version string
}
