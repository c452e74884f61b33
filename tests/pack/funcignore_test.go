package pack_test

import (
	"testing"

	"trimtab/tests/pack"
)

func TestShips(t *testing.T) {
	const everything = "/*\n"
	for _, tt := range []struct {
		name, ignore, file string
		want               bool
	}{
		{"no line ignores nothing", "", "a/b.go", true},
		{"a comment ignores nothing", "# a\n", "a/b.go", true},
		{"a blank line ignores nothing", "\n  \r\n", "a/b.go", true},
		{"a folder's name ignores what is in it", "cmd\n", "cmd/x.go", false},
		{"a folder with a slash ignores what is in it", "cmd/\n", "cmd/x.go", false},
		{"a slash in front changes nothing", "/cmd\r\n", "cmd/x.go", false},
		{"a pattern is anchored at the root, unlike git's", "x.go\n", "cmd/x.go", true},
		{"a name ends at a word boundary", "cmd\n", "cmdline/x.go", true},
		{"a dash is such a boundary, unlike git's", "cmd\n", "cmd-line/x.go", false},
		{"a slash before a dot is none, unlike git's", "cmd/\n", "cmd/.env", true},
		{"one star stays within a name", "*.go\n", "cmd/x.go", true},
		{"one star at the root", "*.go\n", "x.go", false},
		{"two stars cross folders", "**.go\n", "cmd/x.go", false},
		{"a star alone ignores everything", everything, "cmd/x.go", false},
		{"a star alone ignores hidden files", everything, ".env", false},
		{"a dot is a dot", "a.b\n", "axb", true},
		{"brackets are letters, unlike git's", "bi[n]\n", "bin/x", true},
		{"an exception brings a file back", everything + "!host.json\n", "host.json", true},
		{"an exception wins wherever it stands, unlike git's", "!host.json\n" + everything, "host.json", true},
		{"an exception reaches into an ignored folder, unlike git's", everything + "!bin/trimtab\n", "bin/trimtab", true},
		{"an exception of a file leaves its neighbour", everything + "!bin/trimtab\n", "bin/other", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ignore, err := pack.ParseIgnore(tt.ignore)
			if err != nil {
				t.Fatal(err)
			}
			if got := ignore.Ships(tt.file); got != tt.want {
				t.Errorf("Ships(%q) with %q = %v, want %v", tt.file, tt.ignore, got, tt.want)
			}
		})
	}
}
