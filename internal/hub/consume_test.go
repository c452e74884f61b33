package hub_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"trimtab/internal/hub"
	"trimtab/tests/azurite"
	"trimtab/tests/broker"
)

func TestConsumersShareAHub(t *testing.T) {
	store := azurite.StartBlobs(t)

	t.Run("one hands over to the next without a loss or a double", func(t *testing.T) {
		b, k, kept := start(t, 4), &taker{}, blobs(t, store)
		o := hub.ConsumerOptions{Hub: optionsOf(b), Checkpoints: kept, Start: hub.Start{Earliest: true}, Take: k.take, Tell: k.tell, CheckpointEvery: time.Hour}
		// Ownership that is not let go would run out after the test's patience.
		o.Expiry = 4 * patience
		put(b, 100, "a")
		o.Instance = "one"
		c, end := consume(t, o)
		eventually(t, "400 events", func() bool { n, _ := k.seen(); return n == 400 })
		if s := c.State(); len(s.Partitions) != 4 || s.Partitions["2"].Sequence != 99 || s.ClaimedAt.IsZero() {
			t.Errorf("state %+v", s)
		}
		end()
		if left := b.Readers("metrics", "$Default"); len(left) > 0 {
			t.Errorf("readers are left: %v", left)
		}
		layout(t, kept, b.Namespace()+"/metrics/$Default/checkpoint/", 4, "99")
		// The service leaves out an empty value, and the SDK takes a blob without an owner's for a fault of the whole list.
		if owner := metadata(t, kept, b.Namespace()+"/metrics/$Default/ownership/2", "ownerid"); owner != "-" {
			t.Errorf("a partition that was let go is owned by %q", owner)
		}
		put(b, 100, "b")
		o.Instance = "two"
		consume(t, o)
		eventually(t, "800 events", func() bool { n, _ := k.seen(); return n == 800 })
		if _, twice := k.seen(); twice > 0 {
			t.Errorf("%d events came twice after an orderly end", twice)
		}
	})

	t.Run("two share, and both lose links and partitions without losing events", func(t *testing.T) {
		b, k, kept := start(t, 8), &taker{}, blobs(t, store)
		o := hub.ConsumerOptions{Hub: optionsOf(b), Checkpoints: kept, Start: hub.Start{Earliest: true}, Take: k.take, Tell: k.tell}
		o.Instance = "one"
		consume(t, o)
		o.Instance = "two"
		consume(t, o)
		eventually(t, "four each", func() bool {
			n := map[string]int{}
			for _, who := range b.Readers("metrics", "$Default") {
				n[who[0]]++
			}
			return n["one"] == 4 && n["two"] == 4
		})
		for round := range 6 {
			put(b, 20, "x")
			switch round % 3 {
			case 0:
				b.Detach("metrics", "", broker.DetachForced)
			case 1:
				b.Detach("metrics", "", broker.Stolen)
			default:
				b.Cut()
			}
		}
		eventually(t, "960 events", func() bool { n, _ := k.seen(); return n == 960 })
	})

	t.Run("a batch that is refused comes again, in its place", func(t *testing.T) {
		b, k := start(t, 1), &taker{}
		var refused atomic.Int32
		k.refuse = func(hub.Batch) error {
			if refused.Add(1) <= 2 {
				return errors.New("the table is away")
			}
			return nil
		}
		put(b, 30, "x")
		consume(t, hub.ConsumerOptions{
			Hub: optionsOf(b), Checkpoints: blobs(t, store), Start: hub.Start{Earliest: true}, Take: k.take, Tell: k.tell, Instance: "one", Size: 10,
		})
		eventually(t, "30 events", func() bool { n, _ := k.seen(); return n == 30 })
		if k.order[0] != "x-0-0" || k.order[29] != "x-0-29" || !k.told("the table is away") {
			t.Errorf("order %v", k.order)
		}
	})

	t.Run("nothing that was not taken is checkpointed", func(t *testing.T) {
		b, k, kept := start(t, 1), &taker{}, blobs(t, store)
		k.show(t)
		k.refuse = func(batch hub.Batch) error {
			if batch.Events[0].Sequence >= 10 {
				return errors.New("never")
			}
			return nil
		}
		put(b, 30, "x")
		o := hub.ConsumerOptions{
			Hub: optionsOf(b), Checkpoints: kept, Start: hub.Start{Earliest: true}, Take: k.take, Tell: k.tell, Instance: "one", Size: 10,
		}
		c, end := consume(t, o)
		eventually(t, "trouble", func() bool { return c.State().Partitions["0"].Trouble != "" })
		end()
		next := &taker{}
		o.Instance, o.Take, o.Tell = "two", next.take, next.tell
		consume(t, o)
		eventually(t, "the other 20", func() bool { n, _ := next.seen(); return n == 20 })
		if next.order[0] != "x-0-10" {
			t.Errorf("the next began with %s", next.order[0])
		}
	})

	t.Run("beginning with what comes is written down before anything comes", func(t *testing.T) {
		b, k, kept := start(t, 2), &taker{}, blobs(t, store)
		put(b, 5, "old")
		o := hub.ConsumerOptions{Hub: optionsOf(b), Checkpoints: kept, Take: k.take, Tell: k.tell, Instance: "one"}
		_, end := consume(t, o)
		eventually(t, "both are read", func() bool { return len(b.Readers("metrics", "$Default")) == 2 })
		end()
		put(b, 3, "new")
		o.Instance = "two"
		consume(t, o)
		eventually(t, "what came in between", func() bool { n, _ := k.seen(); return n == 6 })
		for _, body := range k.order {
			if !strings.HasPrefix(body, "new") {
				t.Errorf("%s was taken", body)
			}
		}
	})

	t.Run("a hub made anew is read from its beginning", func(t *testing.T) {
		b, k, kept := start(t, 1), &taker{}, blobs(t, store)
		k.show(t)
		put(b, 50, "old")
		o := hub.ConsumerOptions{Hub: optionsOf(b), Checkpoints: kept, Start: hub.Start{Earliest: true}, Take: k.take, Tell: k.tell, Instance: "one"}
		consume(t, o)
		eventually(t, "the old", func() bool { n, _ := k.seen(); return n == 50 })
		b.Recreate("metrics")
		put(b, 5, "new")
		eventually(t, "the new", func() bool {
			k.mu.Lock()
			defer k.mu.Unlock()
			return len(k.order) >= 55 && k.order[len(k.order)-1] == "new-0-4"
		})
		if !k.told("made anew") {
			t.Error("nobody was told")
		}
	})

	t.Run("checkpoints that cannot be listed leave no partition unread", func(t *testing.T) {
		b, k, kept := start(t, 4), &taker{}, blobs(t, store)
		var failures atomic.Int32
		failures.Store(2)
		kept.Connection = faulty(t, store, func(r *http.Request) bool {
			return strings.Contains(r.URL.RawQuery, "checkpoint") && failures.Add(-1) >= 0
		})
		put(b, 10, "x")
		consume(t, hub.ConsumerOptions{
			Hub: optionsOf(b), Checkpoints: kept, Start: hub.Start{Earliest: true}, Take: k.take, Tell: k.tell, Instance: "one",
			// The watch would see an unread partition after the test's patience.
			Expiry: 4 * patience,
		})
		eventually(t, "40 events", func() bool { n, _ := k.seen(); return n == 40 })
		if failures.Load() >= 0 {
			t.Error("nothing failed")
		}
		if k.told("was not read") {
			t.Error("a partition was ours and unread until the watch saw it")
		}
	})

	t.Run("an outage of the checkpoints' storage is waited for", func(t *testing.T) {
		b, k, kept := start(t, 2), &taker{}, blobs(t, store)
		var away atomic.Bool
		kept.Connection = faulty(t, store, func(*http.Request) bool { return away.Load() })
		put(b, 5, "a")
		consume(t, hub.ConsumerOptions{Hub: optionsOf(b), Checkpoints: kept, Start: hub.Start{Earliest: true}, Take: k.take, Tell: k.tell, Instance: "one"})
		eventually(t, "10 events", func() bool { n, _ := k.seen(); return n == 10 })
		away.Store(true)
		eventually(t, "trouble is told", func() bool { return k.told("not written") || k.told("anew") })
		put(b, 5, "b")
		away.Store(false)
		eventually(t, "20 events", func() bool { n, _ := k.seen(); return n == 20 })
	})
}

// faulty is a way to the storage on which some requests meet a 403 that the SDK does not try again.
func faulty(t *testing.T, s *azurite.Server, fails func(*http.Request) bool) string {
	target, err := url.Parse(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	target.Path = ""
	through := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fails(r) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("x-ms-error-code", "AuthorizationFailure")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(s.ConnectionString, "http://"+target.Host, server.URL, 1)
}

// layout checks that checkpoints lie where others look for them: KEDA's strategy blobMetadata reads the metadata of a blob
// NAMESPACE/HUB/GROUP/checkpoint/PARTITION.
func layout(t *testing.T, c hub.Checkpoints, prefix string, partitions int, sequence string) {
	t.Helper()
	client, err := container.NewClientFromConnectionString(c.Connection, c.Container, nil)
	if err != nil {
		t.Fatal(err)
	}
	page, err := client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix, Include: container.ListBlobsInclude{Metadata: true}}).NextPage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(page.Segment.BlobItems); n != partitions {
		t.Errorf("%d checkpoints below %s, want %d", n, prefix, partitions)
	}
	for i, item := range page.Segment.BlobItems {
		meta := map[string]string{}
		for name, value := range item.Metadata {
			meta[strings.ToLower(name)] = *value
		}
		if *item.Name != prefix+strconv.Itoa(i) || meta["sequencenumber"] != sequence || meta["offset"] == "" {
			t.Errorf("%s: %v", *item.Name, meta)
		}
	}
}
