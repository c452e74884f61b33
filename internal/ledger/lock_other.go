//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package ledger

import "errors"

// lockFile refuses: without a lock that dies with its process, two could write to one folder.
func lockFile(string) (unlock func() error, err error) {
	return nil, errors.New("the embedded ledger needs file locks, which this system lacks; use Table storage")
}
