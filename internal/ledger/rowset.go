package ledger

import (
	"slices"
	"strings"

	"trimtab/internal/scale"
)

// rowset is the control row and the windows of one pool, for the ledgers that keep them in memory.
type rowset struct {
	control        *scale.Control
	version        string
	attempt        string
	windows        []scale.StoredWindow
	windowAttempts []string
}

// find is where the window of a source is, or would be.
func (r *rowset) find(source string) (int, bool) {
	return slices.BinarySearchFunc(r.windows, source, func(w scale.StoredWindow, source string) int {
		return strings.Compare(w.Source, source)
	})
}

// fits reports whether every version that the commit names is the one stored.
func (r *rowset) fits(c *scale.Commit) bool {
	if c.Control != nil && c.ControlVersion != r.version {
		return false
	}
	for i := range c.Windows {
		stored := ""
		if at, found := r.find(c.Windows[i].Source); found {
			stored = r.windows[at].Version
		}
		if c.Windows[i].Version != stored {
			return false
		}
	}
	return true
}

// wrote reports whether a row carries the attempt.
func (r *rowset) wrote(attempt string) bool {
	return r.attempt == attempt || slices.Contains(r.windowAttempts, attempt)
}

// apply replaces the rows of the commit, which fits; nothing of the caller's is kept.
func (r *rowset) apply(c *scale.Commit, version string) {
	if c.Control != nil {
		control := clone(*c.Control)
		control.Attempt = c.Attempt
		r.control, r.version, r.attempt = &control, version, c.Attempt
	}
	for i := range c.Windows {
		at, found := r.find(c.Windows[i].Source)
		if !found {
			r.windows = slices.Insert(r.windows, at, scale.StoredWindow{})
			r.windowAttempts = slices.Insert(r.windowAttempts, at, "")
		}
		r.windows[at] = scale.StoredWindow{
			Source: c.Windows[i].Source, Data: slices.Clone(c.Windows[i].Data), Version: version,
		}
		r.windowAttempts[at] = c.Attempt
	}
}

// stored is what Load answers; the caller may change it.
func (r *rowset) stored() scale.Stored {
	var s scale.Stored
	if r.control != nil {
		s.Control, s.ControlVersion = clone(*r.control), r.version
	}
	if len(r.windows) > 0 {
		s.Windows = make([]scale.StoredWindow, len(r.windows))
	}
	for i, w := range r.windows {
		w.Data = slices.Clone(w.Data)
		s.Windows[i] = w
	}
	return s
}
