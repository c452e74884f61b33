package scan

import "fmt"

// Problem is why a scanner failed.
type Problem uint8

// The problems.
const (
	_ Problem = iota
	UnexpectedEnd
	UnexpectedByte
	// WrongKind is a value of another kind than the caller asked for.
	WrongKind
	TrailingBytes
	ControlCharacter
	BadEscape
	LoneSurrogate
	InvalidUTF8
	BadNumber
	OutOfRange
	TooDeep
)

var problemNames = [...]string{
	UnexpectedEnd:    "the text ends too early",
	UnexpectedByte:   "a byte that cannot stand here",
	WrongKind:        "a value of another kind than expected",
	TrailingBytes:    "more text after the end of the value",
	ControlCharacter: "a control character within a string",
	BadEscape:        "a bad escape within a string",
	LoneSurrogate:    "half of a surrogate pair within a string",
	InvalidUTF8:      "invalid UTF-8",
	BadNumber:        "a badly written number",
	OutOfRange:       "a number too large for a float64",
	TooDeep:          "objects and arrays nested too deep",
}

// String says what the problem is, in words fit for a message.
func (p Problem) String() string { return problemNames[p] }

// Error is a scanner's failure.
type Error struct {
	Problem Problem
	// Offset is the index of the byte at which it failed, the length of the input for an end that came too early.
	Offset int
}

// Error says what was wrong and at which byte.
func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d", e.Problem, e.Offset) }

// Err returns the *Error that stopped the scanner, nil if nothing did.
func (s *Scanner) Err() error {
	if s.problem == 0 {
		return nil
	}
	return &Error{Problem: s.problem, Offset: s.at}
}

// Failed reports whether the scanner has failed.
func (s *Scanner) Failed() bool { return s.problem != 0 }
