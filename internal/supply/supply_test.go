package supply_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"trimtab/internal/supply"
	"trimtab/policies"
)

// told is what a shelf tells.
type told struct {
	mu  sync.Mutex
	all []supply.News
}

func (n *told) tell(news supply.News) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, news)
}

func (n *told) last(t *testing.T) supply.News {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.all) == 0 {
		t.Fatal("nothing was told")
	}
	return n.all[len(n.all)-1]
}

func (n *told) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.all)
}

// shippedFolder is the shipped tree on disk.
func shippedFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, policies.FS); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(p, 0o755)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestASavedChangeIsInUseAtTheNextLook(t *testing.T) {
	ctx, dir, news := context.Background(), shippedFolder(t), &told{}
	shelf := supply.NewShelf(news.tell)
	folder := supply.NewFolder(shelf, "policies", os.DirFS(dir))
	if err := folder.Look(ctx); err != nil {
		t.Fatal(err)
	}
	first := shelf.Policies()
	if err := folder.Look(ctx); err != nil || shelf.Policies() != first || news.count() != 1 {
		t.Fatalf("a folder that rests was read again: %v, %d told", err, news.count())
	}
	write(t, dir, "pools/batch/more.rego", "package pools.batch\n\nimport data.lib.scale\n\nwant contains scale.at_least(2, \"two\")\n")
	if err := folder.Look(ctx); err != nil {
		t.Fatal(err)
	}
	second := shelf.Policies()
	if second.Revision() == first.Revision() || news.last(t).Revision != second.Revision() {
		t.Errorf("revision %s after a change, %s before, %+v", second.Revision(), first.Revision(), news.last(t))
	}
}

func TestABrokenChangeIsRefusedWithItsPlaceAndTheLastGoodGoesOn(t *testing.T) {
	ctx, dir, news := context.Background(), shippedFolder(t), &told{}
	shelf := supply.NewShelf(news.tell)
	folder := supply.NewFolder(shelf, "policies", os.DirFS(dir))
	if err := folder.Look(ctx); err != nil {
		t.Fatal(err)
	}
	good := shelf.Policies()
	for name, tc := range map[string]struct{ file, text, want string }{
		"a name that does not exist": {"pools/batch/more.rego", "package pools.batch\n\nx := nope\n", "pools/batch/more.rego:3: var nope is unsafe"},
		"data that is no JSON":       {"pools/batch/more/data.json", "{\n  \"a\": \n}", "pools/batch/more/data.json:3: not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, dir, tc.file, tc.text)
			before := news.count()
			for range 2 {
				_ = folder.Look(ctx)
			}
			last := news.last(t)
			if news.count() != before+1 || last.Problem == nil || !strings.Contains(last.Problem.Error(), tc.want) {
				t.Errorf("%d told, the last %+v, want one with %q", news.count()-before, last, tc.want)
			}
			if shelf.Policies() != good || last.Revision != good.Revision() {
				t.Errorf("in use is %s, told %s, want the last good %s", shelf.Policies().Revision(), last.Revision, good.Revision())
			}
			if err := os.Remove(filepath.Join(dir, tc.file)); err != nil {
				t.Fatal(err)
			}
			if err := folder.Look(ctx); err != nil || news.last(t).Problem != nil {
				t.Errorf("mended: %v, %+v", err, news.last(t))
			}
			good = shelf.Policies()
		})
	}
}

func TestAFolderThatIsGoneLeavesTheLastGoodInUse(t *testing.T) {
	ctx, dir, news := context.Background(), shippedFolder(t), &told{}
	shelf := supply.NewShelf(news.tell)
	folder := supply.NewFolder(shelf, "policies", os.DirFS(dir))
	if err := folder.Look(ctx); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+"-gone"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir + "-gone") })
	for range 2 {
		if err := folder.Look(ctx); err == nil {
			t.Error("a folder that is gone is no trouble")
		}
	}
	if shelf.Policies() == nil || news.count() != 2 || news.last(t).Problem == nil {
		t.Errorf("%d told, the last %+v", news.count(), news.last(t))
	}
}
