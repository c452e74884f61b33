//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package azurite

// lock locks nothing: where there is no flock, run `npm ci` before tests that run side by side.
func lock(string) (unlock func(), err error) { return func() {}, nil }
