package supply_test

import (
	"testing"

	"trimtab/internal/ledger"
	"trimtab/internal/supply"
	"trimtab/tests/azurite"
)

// openTable opens the ledger's table as a process does that has just started.
func openTable(t *testing.T, connection string) *ledger.Table {
	t.Helper()
	table, err := ledger.OpenTable(t.Context(), ledger.TableOptions{ConnectionString: connection, Table: "trimtab"})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// A start on another machine has an empty disk, and its service may be down: the table has the last good bundle, signature
// and all. What was refused in between is not what is kept.
func TestTheLastGoodBundleComesFromTheTableWhereTheDiskIsEmpty(t *testing.T) {
	ctx, s, connection := t.Context(), newServer(t), azurite.Start(t).ConnectionString
	offer := func(revision string, least int, signed bool) {
		s.put("/bundles/shop.tar.gz", tarball(t, revision, pool("shop", least), signed, "pools/shop"))
	}
	offer("shop-1", 2, true)
	refused := &told{}
	before := supply.NewShelf(refused.tell)
	first := services(t, before, signedBundles(t, s.URL, soon, "shop"), supply.Disk{Dir: t.TempDir()}, openTable(t, connection))
	if err := first.Fetch(ctx); err != nil {
		t.Fatal(err)
	}
	offer("shop-2", 3, true)
	if err := first.Fetch(ctx); err != nil {
		t.Fatal(err)
	}
	decides := before.Policies().Revision()
	offer("shop-3", 4, false)
	_ = first.Fetch(ctx)
	if last := refused.last(t); last.Problem == nil || before.Policies().Revision() != decides {
		t.Fatalf("an unsigned bundle was taken: %+v", last)
	}
	s.Close()

	news, empty := &told{}, supply.Disk{Dir: t.TempDir()}
	after := supply.NewShelf(news.tell)
	again := services(t, after, signedBundles(t, s.URL, soon, "shop"), empty, openTable(t, connection))
	if !again.Restore(ctx) {
		t.Fatalf("not restored: %+v", news.last(t))
	}
	if last := news.last(t); last.From != "kept" || last.Manifest != "shop-2" || last.Revision != decides {
		t.Errorf("%+v, want shop-2, which makes %s", last, decides)
	}

	// Another key verifies nothing of it: what lies in a table is no more trusted than what a service sends.
	c := signedBundles(t, s.URL, soon, "shop")
	c.Keys = []byte(`{"teams": {"algorithm": "HS256", "key": "a key that nobody ever signed anything with, long enough"}}`)
	if services(t, supply.NewShelf(news.tell), c, empty, openTable(t, connection)).Restore(ctx) {
		t.Error("a bundle that another key signed was restored from the table")
	}
}
