package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/google/go-cmp/cmp"

	"trimtab/tests/broker"
)

func TestManagementTellsWhatIsThere(t *testing.T) {
	b := start(t, broker.Options{})
	b.Append("metrics", "1", broker.Event{Body: []byte("a")}, broker.Event{Body: []byte("b")})
	client := consumer(t, b, "$Default")
	hub, err := client.GetEventHubProperties(patient(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if hub.Name != "metrics" || !slices.Equal(hub.PartitionIDs, []string{"0", "1", "2", "3"}) {
		t.Errorf("hub %+v", hub)
	}
	for id, last := range map[string]int64{"0": -1, "1": 1} {
		p, err := client.GetPartitionProperties(patient(t), id, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.LastEnqueuedSequenceNumber != last || p.IsEmpty != (last < 0) || p.BeginningSequenceNumber != 0 {
			t.Errorf("partition %s: %+v", id, p)
		}
	}
	if _, err := client.GetPartitionProperties(patient(t), "9", nil); err == nil {
		t.Error("a partition that is not there has properties")
	}
}

func TestWhatIsSentArrivesAsItWas(t *testing.T) {
	b := start(t, broker.Options{})
	client := producer(t, b)
	event := &azeventhubs.EventData{
		Body: []byte("\x00\xffbody"), ContentType: to.Ptr("application/x"), MessageID: to.Ptr("id-1"), CorrelationID: "c",
		Properties: map[string]any{"text": "t", "number": int64(5), "flag": true, "share": 1.5, "bytes": []byte{1}},
	}
	before := time.Now().Add(-time.Second)
	if err := send(t, client, &azeventhubs.EventDataBatchOptions{PartitionID: to.Ptr("2")}, event); err != nil {
		t.Fatal(err)
	}
	got := receive(t, consumer(t, b, "$Default"), "2", earliest, 1)[0]
	if diff := cmp.Diff(*event, got.EventData); diff != "" {
		t.Errorf("(-sent +received)\n%s", diff)
	}
	if got.SequenceNumber != 0 || got.Offset != "0" || got.EnqueuedTime.Before(before) || got.PartitionKey != nil {
		t.Errorf("sequence %d, offset %q, enqueued %v, key %v", got.SequenceNumber, got.Offset, got.EnqueuedTime, got.PartitionKey)
	}
}

func TestEventsGoToTheirPartition(t *testing.T) {
	b := start(t, broker.Options{})
	client := producer(t, b)
	for i := range 8 {
		for _, o := range []*azeventhubs.EventDataBatchOptions{{PartitionKey: to.Ptr(fmt.Sprint("key", i%3))}, {PartitionID: to.Ptr("3")}, nil} {
			if err := send(t, client, o, bodies("x", 2)...); err != nil {
				t.Fatal(err)
			}
		}
	}
	homes, total := map[string]map[string]bool{}, 0
	for _, id := range b.Partitions("metrics") {
		events := b.Events("metrics", id)
		total += len(events)
		for i, e := range events {
			if e.Sequence != int64(i) {
				t.Errorf("partition %s: event %d has the number %d", id, i, e.Sequence)
			}
			if e.Key != "" {
				if homes[e.Key] == nil {
					homes[e.Key] = map[string]bool{}
				}
				homes[e.Key][id] = true
			}
		}
	}
	if total != 48 {
		t.Errorf("%d events, want 48", total)
	}
	for key, where := range homes {
		if len(where) != 1 {
			t.Errorf("%s went to %d partitions", key, len(where))
		}
	}
	if len(homes) != 3 {
		t.Errorf("%d keys, want 3", len(homes))
	}
	for _, e := range receive(t, consumer(t, b, "$Default"), "3", earliest, len(b.Events("metrics", "3"))) {
		if e.PartitionKey == nil && string(e.Body) == "" {
			t.Error("an event without a body")
		}
	}
}

func TestLargeEventsCrossFramesAndTooLargeOnesAreRefused(t *testing.T) {
	b := start(t, broker.Options{})
	client := producer(t, b)
	large := bytes.Repeat([]byte("0123456789"), 90_000)
	if err := send(t, client, &azeventhubs.EventDataBatchOptions{PartitionID: to.Ptr("0")}, &azeventhubs.EventData{Body: large}); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, consumer(t, b, "$Default"), "0", earliest, 1)[0]; !bytes.Equal(got.Body, large) {
		t.Errorf("%d bytes arrived, and not those that were sent", len(got.Body))
	}
	err := send(t, client, nil, &azeventhubs.EventData{Body: make([]byte, 1<<20)})
	if !errors.Is(err, azeventhubs.ErrEventDataTooLarge) {
		t.Errorf("an event of 1 MiB: %v, want ErrEventDataTooLarge", err)
	}
}

func TestReadersBeginWhereTheyAsk(t *testing.T) {
	clock := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	b := start(t, broker.Options{Now: func() time.Time { clock = clock.Add(time.Minute); return clock }})
	for i := range 6 {
		b.Append("metrics", "0", broker.Event{Body: fmt.Append(nil, i)})
	}
	b.Expire("metrics", "0", 1)
	events := b.Events("metrics", "0")
	for _, c := range []struct {
		name string
		from azeventhubs.StartPosition
		want string
	}{
		{"the earliest that retention has left", earliest, "1"},
		{"behind a sequence number", azeventhubs.StartPosition{SequenceNumber: to.Ptr[int64](2)}, "3"},
		{"at a sequence number", azeventhubs.StartPosition{SequenceNumber: to.Ptr[int64](2), Inclusive: true}, "2"},
		{"behind one that is expired", azeventhubs.StartPosition{SequenceNumber: to.Ptr[int64](0)}, "1"},
		{"behind an offset", azeventhubs.StartPosition{Offset: &events[1].Offset}, "3"},
		{"at an offset", azeventhubs.StartPosition{Offset: &events[1].Offset, Inclusive: true}, "2"},
		{"behind a time", azeventhubs.StartPosition{EnqueuedTime: &events[2].EnqueuedAt}, "4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := receive(t, consumer(t, b, "other"), "0", c.from, 1); string(got[0].Body) != c.want {
				t.Errorf("first event %s, want %s", got[0].Body, c.want)
			}
		})
	}
	t.Run("latest sees what comes later only", func(t *testing.T) {
		reader, err := consumer(t, b, "$Default").NewPartitionClient("0", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = reader.Close(patient(t)) }()
		got := make(chan string, 1)
		go func() {
			events, err := reader.ReceiveEvents(patient(t), 1, nil)
			if err != nil {
				got <- err.Error()
				return
			}
			got <- string(events[0].Body)
		}()
		eventually(t, "a reader", func() bool { return len(b.Readers("metrics", "$Default")["0"]) == 1 })
		b.Append("metrics", "0", broker.Event{Body: []byte("new")})
		if text := <-got; text != "new" {
			t.Errorf("first event %q", text)
		}
	})
	t.Run("a position beyond the end is refused", func(t *testing.T) {
		for _, from := range []azeventhubs.StartPosition{{Offset: to.Ptr("999999")}, {SequenceNumber: to.Ptr[int64](99)}} {
			reader, err := consumer(t, b, "$Default").NewPartitionClient("0", &azeventhubs.PartitionClientOptions{StartPosition: from})
			if err != nil {
				t.Fatal(err)
			}
			if events, err := reader.ReceiveEvents(patient(t), 1, nil); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%d events, %v", len(events), err)
			}
			_ = reader.Close(patient(t))
		}
	})
}

func TestOwnerLevelsDecideWhoReads(t *testing.T) {
	b := start(t, broker.Options{})
	b.Append("metrics", "0", broker.Event{Body: []byte("a")})
	client := consumer(t, b, "$Default")
	open := func(level *int64) (*azeventhubs.PartitionClient, error) {
		reader, err := client.NewPartitionClient("0", &azeventhubs.PartitionClientOptions{StartPosition: earliest, OwnerLevel: level})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = reader.Close(context.WithoutCancel(t.Context())) })
		_, err = reader.ReceiveEvents(patient(t), 1, nil)
		return reader, err
	}
	lost := func(err error) bool {
		var e *azeventhubs.Error
		return errors.As(err, &e) && e.Code == azeventhubs.ErrorCodeOwnershipLost
	}
	first, err := open(to.Ptr[int64](1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(to.Ptr[int64](0)); !lost(err) {
		t.Errorf("a lower level: %v, want ownership lost", err)
	}
	if _, err := open(nil); !lost(err) {
		t.Errorf("no level: %v, want ownership lost", err)
	}
	second, err := open(to.Ptr[int64](1))
	if err != nil {
		t.Fatalf("the same level: %v", err)
	}
	if _, err := first.ReceiveEvents(patient(t), 1, nil); !lost(err) {
		t.Errorf("the first after the second came: %v, want ownership lost", err)
	}
	b.Detach("metrics", "0", broker.Stolen)
	if _, err := second.ReceiveEvents(patient(t), 1, nil); !lost(err) {
		t.Errorf("after a theft: %v, want ownership lost", err)
	}
}

func TestTheSixthReaderWithoutALevelIsRefused(t *testing.T) {
	b := start(t, broker.Options{})
	b.Append("metrics", "0", broker.Event{Body: []byte("a")})
	client := consumer(t, b, "$Default")
	for i := range 6 {
		reader, err := client.NewPartitionClient("0", &azeventhubs.PartitionClientOptions{StartPosition: earliest})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = reader.Close(context.WithoutCancel(t.Context())) }()
		_, err = reader.ReceiveEvents(patient(t), 1, nil)
		if (err != nil) != (i == 5) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("reader %d: %v", i+1, err)
		}
	}
}

// token is a credential that gives one token.
type token string

func (k token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(k), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func TestClaimsAreCheckedOverTLS(t *testing.T) {
	const key = "c2VjcmV0LWtleQ=="
	b := start(t, broker.Options{TLS: true, Key: key, Token: "good", Namespace: "ns.servicebus.windows.net"})
	options := &azeventhubs.ProducerClientOptions{
		CustomEndpoint: b.Address(), TLSConfig: b.ClientTLS(), RetryOptions: azeventhubs.RetryOptions{MaxRetries: -1},
	}
	send := func(client *azeventhubs.ProducerClient, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close(context.WithoutCancel(t.Context())) }()
		return send(t, client, nil, bodies("x", 1)...)
	}
	wrong := "Endpoint=sb://ns.servicebus.windows.net;SharedAccessKeyName=test;SharedAccessKey=d3Jvbmc="
	for _, c := range []struct {
		name string
		err  error
		ok   bool
	}{
		{"the key", send(azeventhubs.NewProducerClientFromConnectionString(b.ConnectionString(), "metrics", options)), true},
		{"another key", send(azeventhubs.NewProducerClientFromConnectionString(wrong, "metrics", options)), false},
		{"an identity", send(azeventhubs.NewProducerClient("ns.servicebus.windows.net", "metrics", token("good"), options)), true},
		{"a stranger", send(azeventhubs.NewProducerClient("ns.servicebus.windows.net", "metrics", token("bad"), options)), false},
	} {
		var e *azeventhubs.Error
		switch {
		case c.ok && c.err != nil:
			t.Errorf("%s: %v", c.name, c.err)
		case !c.ok && (!errors.As(c.err, &e) || e.Code != azeventhubs.ErrorCodeUnauthorizedAccess):
			t.Errorf("%s: %v, want unauthorized access", c.name, c.err)
		}
	}
}
