package azurite

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// install runs `npm ci` unless the version that the lock file pins is there. Test binaries run side by side, so it
// does it under a lock between processes.
func install(ctx context.Context, tests string) error {
	if installed(tests) {
		return nil
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(tests))
	unlock, err := lock(filepath.Join(os.TempDir(), fmt.Sprintf("trimtab-npm-%x.lock", h.Sum64())))
	if err != nil {
		return fmt.Errorf("wait for another installation of the emulator: %w", err)
	}
	defer unlock()
	if installed(tests) {
		return nil
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund")
	npm.Dir = tests
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("install the emulator with npm ci: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if !installed(tests) {
		return fmt.Errorf("install the emulator: npm ci succeeded and %s still lacks it", tests)
	}
	return nil
}

// installed reports whether node_modules holds what the lock file asks for. npm writes its own lock file there last.
func installed(tests string) bool {
	const name = "node_modules/azurite"
	want, have := locked(filepath.Join(tests, "package-lock.json"), name),
		locked(filepath.Join(tests, "node_modules", ".package-lock.json"), name)
	return want != "" && want == have
}

// locked is the version of a package in a lock file, empty if it is not in there.
func locked(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	var doc struct {
		Packages map[string]struct {
			Version string `json:"version"`
		} `json:"packages"`
	}
	if json.Unmarshal(text, &doc) != nil {
		return ""
	}
	return doc.Packages[name].Version
}
