package hub_test

import (
	"testing"
	"time"

	"trimtab/internal/hub"
	"trimtab/tests/broker"
)

func TestLookSeesHowFarEachPartitionHasCome(t *testing.T) {
	b, err := broker.Start(broker.Options{Hubs: []broker.Hub{{Name: "metrics", Partitions: 3}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	ctx := patient(t)
	o := hub.Options{Connection: b.ConnectionString(), Hub: "metrics"}
	seen, err := hub.Look(ctx, o)
	if err != nil || seen.Name != "metrics" || len(seen.Partitions) != 3 {
		t.Fatalf("got %+v, %v", seen, err)
	}
	for _, p := range seen.Partitions {
		if !p.Empty || !p.EnqueuedAt.IsZero() {
			t.Errorf("an empty partition: got %+v", p)
		}
	}
	sender, err := hub.NewSender(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sender.Close(t.Context()) }()
	if _, err := sender.Send(ctx, []hub.Outgoing{{Body: []byte(`{}`)}}); err != nil {
		t.Fatal(err)
	}
	if seen, err = hub.Look(ctx, o); err != nil {
		t.Fatal(err)
	}
	full := 0
	for _, p := range seen.Partitions {
		if !p.Empty && time.Since(p.EnqueuedAt).Abs() < time.Minute {
			full++
		}
	}
	if full != 1 {
		t.Errorf("one event came: got %+v", seen.Partitions)
	}
}

func TestLookTellsARefusalFromAHubThatIsNotThere(t *testing.T) {
	b, err := broker.Start(broker.Options{Key: "c2VjcmV0", Hubs: []broker.Hub{{Name: "metrics", Partitions: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	ctx := patient(t)
	if _, err := hub.Look(ctx, hub.Options{Connection: b.ConnectionString(), Hub: "none"}); err == nil || hub.Refused(err) {
		t.Errorf("a hub that is not there: got %v", err)
	}
	forged := hub.Options{Connection: "Endpoint=sb://" + b.Address() + ";SharedAccessKeyName=k;SharedAccessKey=wrong;UseDevelopmentEmulator=true", Hub: "metrics"}
	if _, err := hub.Look(ctx, forged); !hub.Refused(err) {
		t.Errorf("a wrong key: got %v", err)
	}
}
