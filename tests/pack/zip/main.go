// Package main writes the package for deployment: go run ./tests/pack/zip -o trimtab.zip.
//
// It writes the whole file or none.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"trimtab/tests/pack"
)

func main() {
	root := flag.String("root", ".", "app root, which holds host.json")
	out := flag.String("o", "trimtab.zip", "file to write")
	flag.Parse()
	if err := write(*root, *out); err != nil {
		fmt.Fprintf(os.Stderr, "pack: %v\n", err)
		os.Exit(1)
	}
}

func write(root, out string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(out), ".pack-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	names, err := pack.Write(file, os.DirFS(root))
	if err != nil {
		return err
	}
	if err := file.Chmod(0o644); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), out); err != nil {
		return err
	}
	fmt.Printf("%s: %d files\n", out, len(names))
	return nil
}
