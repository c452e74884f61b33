package policy

import (
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/scale"
)

var (
	keyFacts, keyLive, keyRegular, keySpot = key("facts"), key("live"), key("regular"), key("spot")
	keyPending, keyDeallocated, keyFailed  = key("pending"), key("deallocated"), key("failed")
	keyPendingRegular, keyPendingSpot      = key("pending_regular"), key("pending_spot")
	keyByZone                              = key("by_zone")
	factsUnread                            = ast.ObjectTerm(ast.Item(keyLive, nothing))
)

// factsTerm gives the count of the machines where there is one that is young enough.
func factsTerm(v *scale.View) *ast.Term {
	l := v.Facts.Live
	if v.Facts.Pair != nil {
		l = l.Sum(v.Facts.Pair.Live)
	}
	if l == nil || !v.Facts.Known() {
		return factsUnread
	}
	age := max(0, int64(v.Now.Sub(l.ReadAt)/time.Second))
	if v.FactsMaxAgeSeconds > 0 && age > int64(v.FactsMaxAgeSeconds) {
		return factsUnread
	}
	zones := make([][2]*ast.Term, 0, len(l.ByZone))
	for zone, n := range l.ByZone {
		zones = append(zones, ast.Item(ast.StringTerm(zone), ast.ObjectTerm(
			ast.Item(keyRegular, whole(int64(n.Regular))),
			ast.Item(keySpot, whole(int64(n.Spot))),
			ast.Item(keyPending, whole(int64(n.Pending))))))
	}
	return ast.ObjectTerm(ast.Item(keyLive, ast.ObjectTerm(
		ast.Item(keyInstances, whole(int64(l.Instances))),
		ast.Item(keyRegular, whole(int64(l.Regular))),
		ast.Item(keySpot, whole(int64(l.Spot))),
		ast.Item(keyPendingRegular, whole(int64(l.PendingRegular))),
		ast.Item(keyPendingSpot, whole(int64(l.PendingSpot))),
		ast.Item(keyDeallocated, whole(int64(l.Deallocated))),
		ast.Item(keyFailed, whole(int64(l.Failed))),
		ast.Item(keyByZone, ast.ObjectTerm(zones...)),
		ast.Item(keyAge, whole(age)),
	)))
}
