package fakehost_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2/checkpoints"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/google/go-cmp/cmp"

	"trimtab/tests/azurite"
	"trimtab/tests/broker"
	"trimtab/tests/fakehost"
)

// reading is a hub of two partitions that hosts read, with their checkpoints.
type reading struct {
	*testing.T
	broker *broker.Broker
	store  azeventhubs.CheckpointStore
}

func newReading(t *testing.T, connection, name string) reading {
	t.Helper()
	b, err := broker.Start(broker.Options{Hubs: []broker.Hub{{Name: "metrics", Partitions: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	c, err := container.NewClientFromConnectionString(connection, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	store, err := checkpoints.NewBlobStore(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return reading{t, b, store}
}

// put adds events to a partition, each with a text of its own; those that hold "refused" are what a handler fails on.
func (r reading) put(partition string, texts ...string) {
	for _, text := range texts {
		r.broker.Append("metrics", partition, broker.Event{Body: fmt.Appendf(nil, `{"text":%q}`, text)})
	}
}

// checkpoint is the sequence number up to which a partition is done, -1 where there is none.
func (r reading) checkpoint(partition string) int64 {
	r.Helper()
	all, err := r.store.ListCheckpoints(r.Context(), r.broker.Namespace(), "metrics", azeventhubs.DefaultConsumerGroup, nil)
	if err != nil {
		r.Fatal(err)
	}
	for _, c := range all {
		if c.PartitionID == partition && c.SequenceNumber != nil {
			return *c.SequenceNumber
		}
	}
	return -1
}

// posts are the texts of what was posted, each with the number of its attempt, in order.
func posts(t *testing.T, h *fakehost.Host) (all []string) {
	t.Helper()
	for _, line := range h.Lines() {
		var post struct {
			Body struct {
				Data     struct{ Events string }
				Metadata struct {
					RetryContext struct{ RetryCount int }
				}
			}
		}
		if err := json.Unmarshal([]byte(line.Text), &post); err != nil {
			t.Fatal(err)
		}
		var bodies []string
		if err := json.Unmarshal([]byte(post.Body.Data.Events), &bodies); err != nil {
			t.Fatal(err)
		}
		for _, body := range bodies {
			var event struct{ Text string }
			if err := json.Unmarshal([]byte(body), &event); err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%s %d", event.Text, post.Body.Metadata.RetryContext.RetryCount))
		}
	}
	return all
}

// waits takes down which waits a host was to make, and lets each end when it is told.
type waits struct {
	mu    sync.Mutex
	asked []time.Duration
	hold  chan struct{}
}

func (w *waits) wait(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	w.asked = append(w.asked, d)
	hold := w.hold
	w.mu.Unlock()
	if hold == nil {
		return ctx.Err()
	}
	select {
	case <-hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *waits) all() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

const fixedDelay = `"retry": {"strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:00:07"}`

// startReading starts a host whose handler fails on what is refused, with a retry policy of its own, if one is given.
func (r reading) startReading(policy string, w *waits, more ...func(*fakehost.Options)) *fakehost.Host {
	r.Helper()
	return start(r.T, "refuse", func(o *fakehost.Options) {
		o.Encoding, o.Wait = fakehost.ManyString, w.wait
		o.Settings["AzureFunctionsJobHost__extensions__eventHubs__initialOffsetOptions__type"] = "fromStart"
		if policy != "" {
			at := strings.Index(functionJSON, `"retry"`)
			o.Root = root(r.T, map[string]string{"function/function.json": functionJSON[:at] + policy + "\n}"})
		}
		for _, change := range more {
			change(o)
		}
	})
}

// TestWhatIsReadFromAHubIsRetriedAndCheckpointedAsTheHostDoes holds the stand-in against facts: functions-host 4.1 to 4.3
// where it reads a hub itself.
func TestWhatIsReadFromAHubIsRetriedAndCheckpointedAsTheHostDoes(t *testing.T) {
	blobs := azurite.StartBlobs(t)
	for name, c := range map[string]struct {
		policy string
		want   []time.Duration
	}{
		"fixed delay":         {fixedDelay, []time.Duration{7 * time.Second, 7 * time.Second}},
		"exponential backoff": {"", []time.Duration{2 * time.Second, 4 * time.Second, 5 * time.Second}},
	} {
		t.Run("a batch that always fails is tried as often as the policy says, and then passed, by "+name, func(t *testing.T) {
			r := newReading(t, blobs.ConnectionString, strings.ReplaceAll(name, " ", "-"))
			w := &waits{}
			h := r.startReading(c.policy, w)
			r.put("0", "refused")
			follow(t, h, r.broker, r.store, "one")
			eventually(t, func() bool { return r.checkpoint("0") == 0 })
			r.put("0", "next")
			eventually(t, func() bool { return r.checkpoint("0") == 1 })
			var want []string
			for n := range len(c.want) + 1 {
				want = append(want, fmt.Sprint("refused ", n))
			}
			if diff := cmp.Diff(append(want, "next 0"), posts(t, h)); diff != "" {
				t.Errorf("posts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.want, w.all()); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
		})
	}

	t.Run("while a batch is retried its partition waits and the others do not", func(t *testing.T) {
		r := newReading(t, blobs.ConnectionString, "paused")
		w := &waits{hold: make(chan struct{})}
		h := r.startReading(fixedDelay, w)
		r.put("0", "refused")
		follow(t, h, r.broker, r.store, "one")
		eventually(t, func() bool { return len(w.all()) == 1 })
		r.put("0", "behind it")
		r.put("1", "beside it")
		eventually(t, func() bool { return r.checkpoint("1") == 0 })
		if diff := cmp.Diff([]string{"refused 0", "beside it 0"}, posts(t, h)); diff != "" || r.checkpoint("0") != -1 {
			t.Errorf("checkpoint %d, posts (-want +got):\n%s", r.checkpoint("0"), diff)
		}
		close(w.hold)
		eventually(t, func() bool { return r.checkpoint("0") == 1 })
	})

	t.Run("a host that stops while it waits leaves the batch to the next", func(t *testing.T) {
		r := newReading(t, blobs.ConnectionString, "stopped")
		w := &waits{hold: make(chan struct{})}
		h := r.startReading(fixedDelay, w)
		r.put("0", "refused")
		end := follow(t, h, r.broker, r.store, "one")
		eventually(t, func() bool { return len(w.all()) == 1 })
		end()
		if at := r.checkpoint("0"); at != -1 {
			t.Errorf("a checkpoint at %d", at)
		}
		other := r.startReading(fixedDelay, &waits{})
		follow(t, other, r.broker, r.store, "two")
		eventually(t, func() bool { return r.checkpoint("0") == 0 })
		if got := posts(t, other); len(got) != 3 || got[0] != "refused 0" {
			t.Errorf("the next host posted %q, want all attempts from the first", got)
		}
	})

	t.Run("a partition that was lost is not checkpointed, and both owners may post its batch", func(t *testing.T) {
		r := newReading(t, blobs.ConnectionString, "lost")
		w := &waits{hold: make(chan struct{})}
		h := r.startReading(fixedDelay, w)
		r.put("0", "refused")
		follow(t, h, r.broker, r.store, "one")
		eventually(t, func() bool { return len(w.all()) == 1 })
		// Somebody else takes both partitions, as a host that comes takes its share.
		owned, err := r.store.ListOwnership(t.Context(), r.broker.Namespace(), "metrics", azeventhubs.DefaultConsumerGroup, nil)
		if err != nil || len(owned) == 0 {
			t.Fatalf("%d owned, %v", len(owned), err)
		}
		eventually(t, func() bool {
			owned, _ = r.store.ListOwnership(t.Context(), r.broker.Namespace(), "metrics", azeventhubs.DefaultConsumerGroup, nil)
			for i := range owned {
				owned[i].OwnerID = "thief"
			}
			got, err := r.store.ClaimOwnership(t.Context(), owned, nil)
			return err == nil && len(got) == len(owned)
		})
		eventually(t, func() bool {
			// The wait of the retry ends with the ownership, and with it the invocation.
			r.broker.Detach("metrics", "0", broker.Stolen)
			return len(r.broker.Readers("metrics", "$Default")["0"]) == 0
		})
		close(w.hold)
		if at := r.checkpoint("0"); at != -1 {
			t.Errorf("a checkpoint at %d", at)
		}
		// The thief is never heard of again: its ownership expires, and the batch comes once more from the start.
		eventually(t, func() bool { return r.checkpoint("0") == 0 })
		got := posts(t, h)
		if n := len(slices.DeleteFunc(slices.Clone(got), func(p string) bool { return p != "refused 0" })); n != 2 {
			t.Errorf("posts %q, want the batch to begin twice", got)
		}
	})

	t.Run("checkpoints come as often as the app says", func(t *testing.T) {
		r := newReading(t, blobs.ConnectionString, "seldom")
		h := r.startReading(fixedDelay, &waits{}, func(o *fakehost.Options) {
			o.Settings["AzureFunctionsJobHost__extensions__eventHubs__batchCheckpointFrequency"] = "3"
			o.Settings["AzureFunctionsJobHost__extensions__eventHubs__maxEventBatchSize"] = "1"
		})
		end := follow(t, h, r.broker, r.store, "one")
		r.put("1", "a", "b", "c", "d")
		eventually(t, func() bool { return len(posts(t, h)) == 4 })
		end()
		if at := r.checkpoint("1"); at != 2 {
			t.Errorf("checkpoint at %d, want it behind the third batch", at)
		}
	})
}

func TestTheHostHandsOnWhatSendersSetInTheirMessages(t *testing.T) {
	blobs := azurite.StartBlobs(t)
	r := newReading(t, blobs.ConnectionString, "system")
	producer, err := azeventhubs.NewProducerClientFromConnectionString(r.broker.ConnectionString(), "metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = producer.Close(t.Context()) }()
	batch, err := producer.NewEventDataBatch(t.Context(), &azeventhubs.EventDataBatchOptions{PartitionID: to.Ptr("1")})
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.AddAMQPAnnotatedMessage(&azeventhubs.AMQPAnnotatedMessage{
		Body:       azeventhubs.AMQPAnnotatedMessageBody{Data: [][]byte{[]byte(`{"text":"x"}`)}},
		Properties: &azeventhubs.AMQPAnnotatedMessageProperties{ContentEncoding: to.Ptr("gzip"), ContentType: to.Ptr("application/json"), MessageID: "m1"},
	}, nil); err != nil {
		t.Fatal(err)
	}
	if err := producer.SendEventDataBatch(t.Context(), batch, nil); err != nil {
		t.Fatal(err)
	}
	h := r.startReading("", &waits{})
	follow(t, h, r.broker, r.store, "one")
	eventually(t, func() bool { return len(h.Lines()) == 1 })
	var post struct {
		Body struct {
			Metadata struct{ SystemPropertiesArray string }
		}
	}
	if err := json.Unmarshal([]byte(h.Lines()[0].Text), &post); err != nil {
		t.Fatal(err)
	}
	var systems []map[string]any
	if err := json.Unmarshal([]byte(post.Body.Metadata.SystemPropertiesArray), &systems); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"content-encoding": "gzip", "content-type": "application/json", "message-id": "m1"} {
		if len(systems) != 1 || systems[0][name] != want {
			t.Errorf("%s: got %v", name, systems)
		}
	}
}
