//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package azurite

import (
	"os"
	"syscall"
)

// lock takes a lock between processes, which the system frees when the process ends.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
