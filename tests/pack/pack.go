// Package pack makes the package that `func azure functionapp publish` would upload from the same folder, for whoever
// deploys without that tool.
//
// The invariant: the same folder always gives the same bytes, and the one entry that the host starts is executable.
package pack

import (
	"archive/zip"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// The modes of entries. func itself writes 0777 and 0666 (facts: functions-host 5.3), which no umask has seen.
const (
	modeProgram fs.FileMode = 0o755
	modeFile    fs.FileMode = 0o644
)

// Names that func leaves at home whatever .funcignore says, at any depth and in any case.
var (
	neverFolders = []string{".git", ".vscode"}
	neverFiles   = []string{".funcignore", ".gitignore", "local.settings.json", "project.lock.json"}
)

// made is the time of every entry: a package depends on what is in it, not on when it was made. It is the first that a
// zip can express.
var made = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Files lists what the package of an app root holds, sorted.
func Files(root fs.FS) ([]string, error) {
	text, err := fs.ReadFile(root, ".funcignore")
	if err != nil {
		return nil, fmt.Errorf("read .funcignore: %w", err)
	}
	ignore, err := ParseIgnore(string(text))
	if err != nil {
		return nil, err
	}
	var files []string
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && isOneOf(entry.Name(), neverFolders):
			return fs.SkipDir
		case entry.IsDir() || isOneOf(entry.Name(), neverFiles) || !ignore.Ships(name):
			return nil
		}
		files = append(files, name)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list app root: %w", err)
	}
	slices.Sort(files)
	return files, nil
}

func isOneOf(name string, list []string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}

// Executable is customHandler.description.defaultExecutablePath of the host.json of an app root. A path that func would
// not recognise among its entries, and so leave without its execute bit, is an error (facts: functions-host 5.3).
func Executable(root fs.FS) (string, error) {
	text, err := fs.ReadFile(root, "host.json")
	if err != nil {
		return "", fmt.Errorf("read host.json: %w", err)
	}
	var host struct {
		CustomHandler struct {
			Description struct {
				DefaultExecutablePath string
				WorkerDirectory       string
			}
		}
	}
	if err := json.Unmarshal(text, &host); err != nil {
		return "", fmt.Errorf("decode host.json: %w", err)
	}
	d := host.CustomHandler.Description
	if !fs.ValidPath(d.DefaultExecutablePath) || path.Clean(d.DefaultExecutablePath) == "." || d.WorkerDirectory != "" {
		return "", fmt.Errorf("host.json: executable %q in worker directory %q is not the name of an entry",
			d.DefaultExecutablePath, d.WorkerDirectory)
	}
	return d.DefaultExecutablePath, nil
}

// Write writes the package of an app root as a zip and returns the names in it. A root without its executable is an
// error: the host would find nothing to start.
func Write(w io.Writer, root fs.FS) ([]string, error) {
	executable, err := Executable(root)
	if err != nil {
		return nil, err
	}
	files, err := Files(root)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(files, executable) {
		return nil, fmt.Errorf("the package lacks %s, which host.json starts: build it first", executable)
	}
	archive := zip.NewWriter(w)
	archive.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	for _, name := range files {
		mode := modeFile
		if name == executable {
			mode = modeProgram
		}
		if err := add(archive, root, name, mode); err != nil {
			return nil, fmt.Errorf("pack %s: %w", name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("close package: %w", err)
	}
	return files, nil
}

func add(archive *zip.Writer, root fs.FS, name string, mode fs.FileMode) error {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: made}
	header.SetMode(mode)
	entry, err := archive.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(entry, file)
	return err
}
