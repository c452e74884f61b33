package ledger_test

import (
	"fmt"
	"net/http"
	"testing"

	"trimtab/internal/ledger"
)

func TestProbeAsksForBothRightsAndChangesNothing(t *testing.T) {
	w := &wire{}
	l := openTable(t, w)
	if there, err := l.Probe(t.Context()); !there || err != nil {
		t.Errorf("got %v, %v", there, err)
	}
	for _, c := range []struct {
		name, method string
	}{{"reading", http.MethodGet}, {"writing", http.MethodDelete}} {
		w.between = func(r *http.Request, pass passOn) (*http.Response, error) {
			if r.Method == c.method {
				return answer(http.StatusForbidden, "AuthorizationPermissionMismatch")(r, pass)
			}
			return pass(r)
		}
		if _, err := l.Probe(t.Context()); !ledger.Denied(err) {
			t.Errorf("without the right of %s: got %v", c.name, err)
		}
	}
	w.between = func(*http.Request, passOn) (*http.Response, error) { return nil, http.ErrHandlerTimeout }
	if _, err := l.Probe(t.Context()); err == nil || ledger.Denied(err) {
		t.Errorf("a service that does not answer: got %v", err)
	}
}

func TestProbeMissesATableAndDoesNotMakeIt(t *testing.T) {
	l, err := ledger.NewTable(ledger.TableOptions{ConnectionString: server(t).ConnectionString, Table: fmt.Sprintf("probe%d", tables.Add(1))})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if there, err := l.Probe(t.Context()); there || err != nil {
			t.Errorf("got %v, %v; want none", there, err)
		}
	}
}
