package ledger_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestBundlesAreKeptWholeAndReplaced(t *testing.T) {
	ctx, l := t.Context(), openTable(t, nil)
	if b, err := l.Bundle(ctx, "shop"); b != nil || err != nil {
		t.Fatalf("%d bytes of a bundle that was never kept, %v", len(b), err)
	}
	source := rand.NewChaCha8([32]byte{1})
	for _, size := range []int{1, 64 << 10, 64<<10 + 1, 11 * (64 << 10), 10} {
		want := make([]byte, size)
		_, _ = source.Read(want)
		if err := l.KeepBundle(ctx, "shop", want); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		got, err := l.Bundle(ctx, "shop")
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes kept, %d read, %v", size, len(got), err)
		}
	}
	if b, err := l.Bundle(ctx, "another/name"); b != nil || err != nil {
		t.Errorf("%d bytes of another bundle, %v", len(b), err)
	}
	if pools, err := l.Pools(ctx); err != nil || len(pools) > 0 {
		t.Errorf("a bundle is taken for pools %v, %v", pools, err)
	}
	err := l.KeepBundle(ctx, "shop", make([]byte, 11*(64<<10)+1))
	if err == nil || !strings.Contains(err.Error(), "do not fit") {
		t.Errorf("too many bytes: %v", err)
	}
}
