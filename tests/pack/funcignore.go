package pack

import (
	"fmt"
	"regexp"
	"strings"
)

// Ignore is a .funcignore as func reads it, which is not as git does (source: Azure/azure-functions-core-tools,
// src/Cli/func/Common/GitIgnoreParser.cs): every pattern is anchored at the root and ends at a word boundary, "*" is one
// or more letters within a name, "**" any letters at all, and a file that matches a pattern with "!" is shipped whatever
// the other lines say and whichever comes last.
type Ignore struct {
	deny, allow *regexp.Regexp
}

// ParseIgnore reads the text of a .funcignore.
func ParseIgnore(text string) (*Ignore, error) {
	var deny, allow []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		list := &deny
		if rest, ok := strings.CutPrefix(line, "!"); ok {
			list, line = &allow, rest
		}
		*list = append(*list, expression(strings.TrimPrefix(line, "/")))
	}
	ignore := &Ignore{}
	var err error
	if ignore.deny, err = anyOf(deny); err != nil {
		return nil, err
	}
	ignore.allow, err = anyOf(allow)
	return ignore, err
}

// Ships reports whether the file of that name, relative to the root and with slashes, goes into the package.
func (i *Ignore) Ships(name string) bool {
	return i.allow.MatchString(name) || !i.deny.MatchString(name)
}

// wild makes the two wildcards of a pattern that is otherwise quoted.
var wild = strings.NewReplacer(`\*\*`, `.+`, `\*`, `[^/]+`)

func expression(pattern string) string { return wild.Replace(regexp.QuoteMeta(pattern)) }

// anyOf matches what one of the expressions matches at the start of a name, up to a word boundary; no expressions match
// the empty name only.
func anyOf(expressions []string) (*regexp.Regexp, error) {
	if len(expressions) == 0 {
		return regexp.Compile(`^$`)
	}
	re, err := regexp.Compile(`^(?:(?:` + strings.Join(expressions, `)|(?:`) + `))\b`)
	if err != nil {
		return nil, fmt.Errorf("pattern of .funcignore: %w", err)
	}
	return re, nil
}
