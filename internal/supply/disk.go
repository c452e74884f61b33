package supply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// Disk keeps bundles as files of a folder.
type Disk struct{ Dir string }

var _ Store = Disk{}

func (d Disk) file(name string) string {
	return filepath.Join(d.Dir, url.PathEscape(name)+".tar.gz")
}

// KeepBundle writes the file beside the old one and then moves it there, so that a reader finds the one or the other.
func (d Disk) KeepBundle(_ context.Context, name string, tarball []byte) error {
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return fmt.Errorf("keep bundle %s: %w", name, err)
	}
	f, err := os.CreateTemp(d.Dir, ".bundle-*")
	if err != nil {
		return fmt.Errorf("keep bundle %s: %w", name, err)
	}
	_, err = f.Write(tarball)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), d.file(name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("keep bundle %s: %w", name, err)
	}
	return nil
}

// Bundle reads the file; nil if there is none.
func (d Disk) Bundle(_ context.Context, name string) ([]byte, error) {
	raw, err := os.ReadFile(d.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read kept bundle %s: %w", name, err)
	}
	return raw, nil
}
