package fakehost_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2/checkpoints"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"trimtab/internal/invocation"
	"trimtab/tests/azurite"
	"trimtab/tests/broker"
	"trimtab/tests/fakehost"
)

// follow lets a host read the broker's hub until the function that it returns is called.
func follow(t *testing.T, h *fakehost.Host, b *broker.Broker, store azeventhubs.CheckpointStore, name string) (end func()) {
	t.Helper()
	client, err := azeventhubs.NewConsumerClientFromConnectionString(b.ConnectionString(), "metrics", azeventhubs.DefaultConsumerGroup,
		&azeventhubs.ConsumerClientOptions{InstanceID: name, RetryOptions: azeventhubs.RetryOptions{RetryDelay: 50 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Follow(ctx, "function", client, store) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = client.Close(context.WithoutCancel(ctx))
	})
	t.Cleanup(end)
	return end
}

// seen is how often each event was posted, by its body: a single event in text vouches for no position, because its body
// may overwrite the metadata.
func seen(t *testing.T, h *fakehost.Host) map[string]int {
	t.Helper()
	times := map[string]int{}
	var parser invocation.Parser
	for _, line := range h.Lines() {
		var post struct{ Body json.RawMessage }
		if err := json.Unmarshal([]byte(line.Text), &post); err != nil {
			t.Fatal(err)
		}
		in, err := parser.Events(post.Body, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range in.Events {
			times[string(e.Body)]++
		}
	}
	return times
}

func TestAHostFollowsAHubInEveryEncoding(t *testing.T) {
	blobs := azurite.StartBlobs(t)
	for n, encoding := range []fakehost.Encoding{fakehost.ManyBinary, fakehost.ManyString, fakehost.ManyParsed, fakehost.OneBinary, fakehost.OneString} {
		t.Run(string(encoding), func(t *testing.T) {
			b, err := broker.Start(broker.Options{Hubs: []broker.Hub{{Name: "metrics", Partitions: 2}}})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			c, err := container.NewClientFromConnectionString(blobs.ConnectionString, fmt.Sprintf("host%d", n), nil)
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
			put := func(first int) {
				for i := range 10 {
					for _, id := range b.Partitions("metrics") {
						b.Append("metrics", id, broker.Event{Body: fmt.Appendf(nil, `{"n":%d,"p":%q}`, first+i, id), Properties: map[string]any{"k": "v"}})
					}
				}
			}
			h := start(t, "ok", func(o *fakehost.Options) {
				o.Encoding = encoding
				o.Settings["AzureFunctionsJobHost__extensions__eventHubs__initialOffsetOptions__type"] = "fromStart"
			})
			put(0)
			end := follow(t, h, b, store, "one")
			eventually(t, func() bool { return len(seen(t, h)) == 20 })
			end()
			before := seen(t, h)
			put(10)
			follow(t, h, b, store, "two")
			eventually(t, func() bool { return len(seen(t, h)) == 40 })
			for event := range before {
				// What was in flight when the first ended may come again, the rest may not.
				if n := seen(t, h)[event]; n > 2 {
					t.Errorf("%s came %d times", event, n)
				}
			}
		})
	}
}

// eventually waits for a state that others bring about.
func eventually(t *testing.T, state func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for !state() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("not within a minute")
		}
	}
}
