package guard

import "time"

// victims lets a pool that chooses which machines go shrink by no more than were chosen: protected machines never are.
func victims(w *walk) {
	chosen := w.view.Facts.Victims
	if chosen == nil || w.number >= w.from || len(w.view.Rails.Shrink.Order) == 0 {
		return
	}
	w.set("victims", "victims", max(w.number, w.from-len(chosen.Names)), time.Time{}, "")
}
