package ledger

import (
	"slices"
	"strings"
	"time"

	"trimtab/internal/scale"
)

// record is one entry of a journal that is kept in memory; T is the entry or where it lies.
type record[T any] struct {
	key            string
	entry          T
	has            bool
	attempt        string
	outcome        *scale.Outcome
	outcomeAttempt string
}

// journal is a pool's entries, oldest first, since new ones come at the end.
type journal[T any] struct {
	records []record[T]
}

// find is where a key is, or would be. Greater keys are older.
func (j *journal[T]) find(key string) (int, bool) {
	return slices.BinarySearchFunc(j.records, key, func(r record[T], key string) int {
		return strings.Compare(key, r.key)
	})
}

// at is the record of a key, made if it is missing.
func (j *journal[T]) at(key string) *record[T] {
	i, found := j.find(key)
	if !found {
		j.records = slices.Insert(j.records, i, record[T]{key: key})
	}
	return &j.records[i]
}

// wrote reports whether a note's record carries the attempt.
func (j *journal[T]) wrote(n *note, attempt string) bool {
	i, found := j.find(n.key)
	if !found {
		return false
	}
	if n.entry != nil {
		return j.records[i].attempt == attempt
	}
	return j.records[i].outcomeAttempt == attempt
}

// last are up to n records, newest first, none later than before unless that is zero.
func (j *journal[T]) last(before time.Time, n int) []record[T] {
	end := len(j.records)
	if !before.IsZero() {
		// Every key of the instant itself is greater than its digits alone.
		end, _ = j.find(inverted(before))
	}
	out := slices.Clone(j.records[max(0, end-max(n, 0)):end])
	slices.Reverse(out)
	return out
}

// trim drops up to max records older than before.
func (j *journal[T]) trim(before time.Time, max int) int {
	n, _ := j.find(inverted(before) + "~")
	n = min(n, max)
	if n <= 0 {
		return 0
	}
	j.records = slices.Delete(j.records, 0, n)
	return n
}
