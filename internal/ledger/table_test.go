package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"trimtab/internal/ledger"
	"trimtab/internal/ledger/ledgertest"
	"trimtab/internal/scale"
	"trimtab/tests/azurite"
)

var (
	emulator     *azurite.Server
	emulatorOnce sync.Once
	tables       atomic.Int64
)

func TestMain(m *testing.M) {
	code := m.Run()
	if emulator != nil {
		emulator.Stop()
	}
	os.Exit(code)
}

// server is the emulator that all tests of this package share; each takes tables of its own.
func server(t *testing.T) *azurite.Server {
	t.Helper()
	emulatorOnce.Do(func() {
		s, err := azurite.Run(context.Background())
		if err != nil {
			t.Errorf("azurite: %v", err)
			return
		}
		emulator = s
	})
	if emulator == nil {
		t.Fatal("there is no emulator")
	}
	return emulator
}

// wire is the way to the emulator. It counts requests and lets a test come between.
type wire struct {
	requests atomic.Int64
	// between answers in the place of the emulator, or passes on; nil passes everything on.
	between func(r *http.Request, pass func(*http.Request) (*http.Response, error)) (*http.Response, error)
}

// Do sends a request.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	w.requests.Add(1)
	if w.between != nil {
		return w.between(r, http.DefaultClient.Do)
	}
	return http.DefaultClient.Do(r)
}

// openTable opens a new table over a wire, which may be nil.
func openTable(t *testing.T, w *wire) *ledger.Table {
	t.Helper()
	o := ledger.TableOptions{
		ConnectionString: server(t).ConnectionString, Table: fmt.Sprintf("trimtab%d", tables.Add(1)),
	}
	if w != nil {
		o.Transport = w
	}
	l, err := ledger.OpenTable(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTableKeepsTheContract(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Ledger { return openTable(t, nil) })
}

func TestTableTakesOneCallToLoadAndOneToCommit(t *testing.T) {
	w := &wire{}
	l := openTable(t, w)
	calls := func(what string, want int64, do func() error) {
		t.Helper()
		w.requests.Store(0)
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := w.requests.Load(); got != want {
			t.Errorf("%s took %d calls, want %d", what, got, want)
		}
	}
	load := func() (err error) { _, err = l.Load(t.Context(), "web"); return err }
	calls("loading a pool that is not there", 1, load)
	calls("committing everything", 1, func() error {
		c := scale.Commit{Attempt: "a", Control: ledgertest.Control(ledgertest.Noon, 1), Entry: ledgertest.Entry("web", ledgertest.Noon, 1)}
		for i := range 32 {
			c.Windows = append(c.Windows, scale.StoredWindow{Source: fmt.Sprint("ns/hub/", i), Data: make([]byte, 20<<10)})
		}
		c.Outcome = ledgertest.Outcome(ledgertest.Key(ledgertest.Noon, 2), ledgertest.Noon)
		return l.Commit(t.Context(), "web", c)
	})
	calls("loading 33 rows", 1, load)
	calls("committing an entry", 1, func() error {
		return l.Commit(t.Context(), "web", scale.Commit{Attempt: "b", Entry: ledgertest.Entry("web", ledgertest.Noon, 3)})
	})
	calls("committing nothing", 0, func() error { return l.Commit(t.Context(), "web", scale.Commit{Attempt: "c"}) })
	calls("keeping two letters of one partition", 1, func() error {
		source := scale.Source{Hub: "h", Partition: "0", Known: true}
		second := source
		second.Sequence = 1
		return l.Keep(t.Context(), []scale.DeadLetter{{Source: source}, {Source: second}})
	})
}

func TestOpenTableCreatesWhatIsMissingAndAsksForNoMore(t *testing.T) {
	w := &wire{}
	creations := atomic.Int64{}
	w.between = func(r *http.Request, pass func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/Tables") {
			creations.Add(1)
		}
		return pass(r)
	}
	o := ledger.TableOptions{ConnectionString: server(t).ConnectionString, Table: fmt.Sprintf("opened%d", tables.Add(1)), Transport: w}
	for range 3 {
		if _, err := ledger.OpenTable(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if n := creations.Load(); n != 1 {
		t.Errorf("the table was created %d times", n)
	}
	// Several that find no table at once create it together.
	o.Table = fmt.Sprintf("opened%d", tables.Add(1))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := ledger.OpenTable(t.Context(), o); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestATableThatIsNotThereIsNoEmptyLedgerAndNoConflict(t *testing.T) {
	l, err := ledger.NewTable(ledger.TableOptions{ConnectionString: server(t).ConnectionString, Table: "nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Load(t.Context(), "web"); err == nil || !strings.Contains(err.Error(), "TableNotFound") {
		t.Errorf("load: %v", err)
	}
	err = l.Commit(t.Context(), "web", scale.Commit{Attempt: "a", Control: ledgertest.Control(ledgertest.Noon, 1)})
	if err == nil || errors.Is(err, scale.ErrConflict) {
		t.Errorf("commit: %v, want an error that is no conflict", err)
	}
}

func TestTableOptionsThatCannotWorkAreRefused(t *testing.T) {
	for name, o := range map[string]ledger.TableOptions{
		"nothing":                       {},
		"two ways":                      {ConnectionString: "UseDevelopmentStorage=true", Endpoint: "https://a.table.core.windows.net/?sig=x"},
		"an endpoint and no credential": {Endpoint: "https://a.table.core.windows.net/"},
		"a name with a hyphen":          {ConnectionString: "UseDevelopmentStorage=true", Table: "trim-tab"},
		"a name that begins in digits":  {ConnectionString: "UseDevelopmentStorage=true", Table: "1trimtab"},
		"a name too short":              {ConnectionString: "UseDevelopmentStorage=true", Table: "ab"},
		"a broken connection string":    {ConnectionString: "AccountName=a;AccountKey=topsecret!"},
	} {
		_, err := ledger.NewTable(o)
		if err == nil {
			t.Errorf("%s was taken", name)
		} else if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
}

func TestTheDevelopmentShortcutIsWrittenOut(t *testing.T) {
	w := &wire{}
	o := ledger.TableOptions{
		ConnectionString: "UseDevelopmentStorage=true;", DevelopmentPort: server(t).Port, Transport: w,
		Table: fmt.Sprintf("shortcut%d", tables.Add(1)),
	}
	if _, err := ledger.OpenTable(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if w.requests.Load() == 0 {
		t.Error("the emulator was not asked")
	}
}
