// Package policies carries the shipped policies, numbers and pool definitions inside the binary, so that a process
// decides with the very files that it was built with.
//
// It knows nothing of Rego: the tree is bytes here, and stock tools work on the folder as it lies.
package policies

import "embed"

// FS is the tree: lib (the library), main (the entry point), pools (one folder for each pool: its policy and its
// definition) and schemas (the documents in and out), and the rules that
// Regal lints all of it by.
//
//go:embed lib main pools schemas .regal.yaml
var FS embed.FS
